//! What travels beside an outcome: reading it, and fetching files out of the folder.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Cursor, ErrorKind as Io, Read};
use std::path::{Path, PathBuf};

use super::DropFolder;
use crate::adapters::fs::{Aside, copy_content};
use crate::ports::Fs as _;
use crate::words::{ClaimCheck, Error, ErrorKind, Outcome, Result};

/// How much of two files is compared at once, in bytes.
const CHUNK: usize = 64 << 10;

impl DropFolder {
    /// The data of an outcome, wherever it is: in the envelope, or beside it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> filedrop::Result<()> {
    /// # let place = tempfile::tempdir().unwrap();
    /// # let drop = filedrop::DropFolder::init(place.path().join("drop"))?;
    /// use filedrop::{Exec, Submission};
    /// use std::io::Read as _;
    ///
    /// let id = drop.submit(Submission::new("zeros"))?;
    /// let zeros = Exec::find("head", vec!["-c".into(), "3000000".into(), "/dev/zero".into()])?;
    /// let folder = drop.clone();
    /// std::thread::spawn(move || folder.consumer().drain(true).run_command(zeros)).join().unwrap()?;
    ///
    /// let outcome = drop.wait(&id, None).await?;
    /// assert!(outcome.data_ref().is_some(), "too much for an envelope");
    /// let mut data = drop.read(&outcome)?;
    /// let mut bytes = Vec::new();
    /// data.read_to_end(&mut bytes).unwrap();
    /// assert_eq!(bytes.len(), 3_000_000);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if it is not there any more; [`ErrorKind::Io`] if the system refuses.
    pub fn read(&self, outcome: &Outcome) -> Result<Box<dyn Read + Send>> {
        let Some(check) = outcome.data_ref() else {
            return Ok(Box::new(Cursor::new(outcome.data().to_vec())));
        };
        let path = self.store.layout().payload(&check);
        match self.store.fs().open(&path) {
            Ok(file) => Ok(Box::new(file)),
            Err(e) if e.kind() == Io::NotFound => {
                Err(Error::new(ErrorKind::NotFound, "the outcome's data is not there any more").at(path))
            }
            Err(e) => Err(Error::io("open the outcome's data", path, e)),
        }
    }

    /// The regular files that travel with a job or an outcome, with their sizes in bytes, in the order of their paths.
    ///
    /// ```
    /// # fn main() -> filedrop::Result<()> {
    /// # let place = tempfile::tempdir().unwrap();
    /// # let drop = filedrop::DropFolder::init(place.path().join("drop"))?;
    /// # let scan = place.path().join("scan.png");
    /// use filedrop::{Job, Submission};
    ///
    /// std::fs::write(&scan, "pixels").unwrap();
    /// let id = drop.submit(Submission::new("ocr").attach(&scan))?;
    ///
    /// # let place = drop.locate(&id)?.remove(0);
    /// # let bytes = std::fs::read(drop.path().join(place.path)).unwrap();
    /// # let job = Job::decode(&id, 1, &bytes)?;
    /// let handler = |job: &Job| -> filedrop::Result<Vec<u8>> {
    ///     let files = job.files_ref().map_or(Ok(vec![]), |check| drop.files(&check))?;
    ///     assert_eq!(files.len(), 1);
    ///     Ok(std::fs::read(&files[0].0).unwrap())
    /// };
    /// # assert_eq!(handler(&job)?, b"pixels");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if they are not there any more; [`ErrorKind::Io`] if the system refuses.
    pub fn files(&self, check: &ClaimCheck) -> Result<Vec<(PathBuf, u64)>> {
        self.store.travelling(check)
    }

    /// Copies the files that travel with an outcome into a folder, which is made if it is not there, and returns their paths
    /// there. A file that is there has all its content, and none is ever replaced: one that has the same content already is as good
    /// as fetched, so a fetch that was interrupted can be repeated. Of an outcome without files: none.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if they are not there any more; [`ErrorKind::Io`] if a file of one of the names exists already,
    /// with other content (then, unless it came just now, none is fetched), or the system refuses. Files that were fetched before
    /// that stay.
    pub fn fetch_files(&self, outcome: &Outcome, into: &Path) -> Result<Vec<PathBuf>> {
        let Some(check) = outcome.files_ref() else { return Ok(Vec::new()) };
        let root = self.store.layout().payload(&check);
        let to = |from: &Path| into.join(from.strip_prefix(&root).unwrap_or(from));
        let files: Vec<_> = self.files(&check)?.into_iter().map(|(from, _)| (to(&from), from)).collect();
        let mut missing = Vec::new();
        for (to, from) in &files {
            if !self.is_fetched(from, to)? {
                missing.push((to, from));
            }
        }
        for (to, from) in missing {
            let folder = to.parent().unwrap_or(into);
            fs::create_dir_all(folder).map_err(|e| Error::io("make a folder", folder, e))?;
            self.fetch(from, to)?;
        }
        Ok(files.into_iter().map(|(to, _)| to).collect())
    }

    /// Whether a file is there already, with the same content.
    ///
    /// # Errors
    /// If something else has its name.
    fn is_fetched(&self, from: &Path, to: &Path) -> Result<bool> {
        let look = |e| Error::io("look at a file", to, e);
        let there = match fs::symlink_metadata(to) {
            Ok(there) => there,
            Err(e) if e.kind() == Io::NotFound => return Ok(false),
            Err(e) => return Err(look(e)),
        };
        // To open a FIFO would block, and what a link leads to may change.
        let same = || have_same_content(&self.source(from)?, &File::open(to).map_err(look)?).map_err(look);
        if there.is_file() && same()? {
            return Ok(true);
        }
        let why = "a file of this name exists already, with other content; it is not replaced";
        Err(Error::new(ErrorKind::Io, why).at(to))
    }

    fn source(&self, from: &Path) -> Result<File> {
        self.store.fs().open(from).map_err(|e| Error::io("open a file to fetch", from, e))
    }

    fn fetch(&self, from: &Path, to: &Path) -> Result<()> {
        let source = self.source(from)?;
        let fetched = Aside::beside(to).and_then(|part| {
            copy_content(&source, part.file(), &mut |_| ())?;
            part.name_new(to)
        });
        fetched.or_else(|e| {
            // Another fetched it meanwhile, it may be.
            let is_there = e.kind() == Io::AlreadyExists && self.is_fetched(from, to)?;
            if is_there { Ok(()) } else { Err(Error::io("write a file", to, e)) }
        })
    }
}

/// Whether two files have the same content from where they stand.
pub(super) fn have_same_content(one: &File, other: &File) -> io::Result<bool> {
    if one.metadata()?.len() != other.metadata()?.len() {
        return Ok(false);
    }
    let (mut one, mut other) = (BufReader::with_capacity(CHUNK, one), BufReader::with_capacity(CHUNK, other));
    loop {
        let (a, b) = (one.fill_buf()?, other.fill_buf()?);
        let both = a.len().min(b.len());
        if a[..both] != b[..both] || (both == 0 && a.len() != b.len()) {
            return Ok(false);
        }
        if both == 0 {
            return Ok(true);
        }
        one.consume(both);
        other.consume(both);
    }
}
