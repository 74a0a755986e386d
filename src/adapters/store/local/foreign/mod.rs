//! A folder of somebody else's, from which files become jobs (P30–P32).
//!
//! What is taken lies in `<folder>/.filedrop/` until it is a job: on the same file system, so that taking is a rename, and under a
//! name that no tool takes for one of its own files. One intake at a time works there.
//!
//! Its owner may rename any folder there, and put links in its place, at any moment. So each folder is held while something is done
//! in it, and what lies at a path is done to nothing else.

mod carry;
mod take;

use std::ffi::OsStr;
use std::io::ErrorKind as Io;
use std::path::{Path, PathBuf};

use super::moves::found;
use super::{LocalRoom, LocalStore};
use crate::adapters::store::local::layout::Layout;
use crate::ports::{
    Arrivals, Arrived, Batch, FileKind, Finding, Folders, Foreign, Fs, Held, Host, Looked, Taking,
};
use crate::words::{Consignment, Error, ErrorKind, Result, StampedId, TakenFile, from_reference};

/// Where an intake keeps what it has taken.
pub(crate) const HOME: &str = ".filedrop";

/// In it, what an intake has locked that is at work there.
const LOCK: &str = "lock";

/// So many folders are looked into at most.
const MOST_FOLDERS: usize = 4096;

/// A folder of somebody else's, as an intake holds it.
#[derive(Debug)]
pub struct Premises {
    /// Its path, for people.
    pub dir: PathBuf,
    /// The folder itself.
    pub root: Held,
    /// `.filedrop` in it: nobody else may write there.
    pub home: Held,
}

/// A folder of somebody else's, and the drop folder that its files are for.
pub struct ForeignFolder<'a, F: Fs, H> {
    drop: &'a LocalStore<F, H>,
    /// Not a drop folder, but the same moves: its root is where taken files lie.
    home: LocalStore<F, H>,
    premises: Premises,
    keep_tree: bool,
    lock: F::File,
}

impl<'a, F: Fs, H: Host> ForeignFolder<'a, F, H> {
    /// `fs`: calls for the foreign folder's file system. `keep_tree`: also the folders below it.
    ///
    /// # Errors
    /// [`ErrorKind::Busy`] if another intake is at work there; [`ErrorKind::Io`] if the system refuses.
    pub fn open(
        drop: &'a LocalStore<F, H>,
        fs: F,
        host: H,
        premises: Premises,
        keep_tree: bool,
    ) -> Result<Self> {
        let home = LocalStore::at(fs, host, Layout::new(premises.home.path()));
        let lock = Self::prepare(&home, &premises).map_err(|e| premises.told(e))?;
        Ok(Self { drop, home, premises, keep_tree, lock })
    }

    fn prepare(home: &LocalStore<F, H>, premises: &Premises) -> Result<F::File> {
        let root = premises.root.path();
        // It may have been made just now.
        home.flush_dir(root)?;
        for room in ["tmp", "rejected"] {
            home.ensure_dir(&home.layout.room(room))?;
        }
        let lock = home.layout.room(LOCK);
        let failed = |e| Error::io("lock the folder to take files from", &lock, e);
        let file = match home.fs.create(&lock) {
            Err(e) if e.kind() == Io::AlreadyExists => home.fs.open(&lock),
            made => made,
        };
        let file = file.map_err(failed)?;
        // Elsewhere no lock tells of an intake on another machine: there it is for the operator to start one only.
        if home.fs.is_local() && !home.fs.try_lock(&file).map_err(failed)? {
            let why = "another intake is at work on this folder; end it first, or let it do the work";
            return Err(Error::new(ErrorKind::Busy, why).at(root));
        }
        Ok(file)
    }

    /// A folder below it. `None` if it is gone, or is none any more.
    fn hold(&self, folder: &Path) -> Result<Option<Held>> {
        match self.home.fs.hold(&self.premises.root, folder) {
            Ok(held) => Ok(Some(held)),
            Err(e) if matches!(e.kind(), Io::NotFound | Io::NotADirectory) => Ok(None),
            Err(e) => Err(Error::io("look into a folder", self.premises.dir.join(folder), e)),
        }
    }

    /// Does something in a folder below it: given the path that leads there. `None` if it is gone, or is none any more.
    fn within<T>(&self, folder: &Path, work: impl FnOnce(&Path) -> Result<T>) -> Result<Option<T>> {
        let Some(held) = self.hold(folder)? else { return Ok(None) };
        let done = work(held.path()).map(Some);
        done.map_err(|e| self.premises.told(e.moved(held.path(), &self.premises.dir.join(folder))))
    }

    /// A name in the folder of what was taken.
    fn at_home(&self, name: impl AsRef<Path>) -> PathBuf {
        self.home.layout.root().join(name)
    }

    /// `<id>.<nonce>.plan.json`: what the files beside it are to become. With it they are taken.
    fn plan(&self, stamp: &StampedId) -> PathBuf {
        self.at_home(format!("{stamp}{PLAN}"))
    }

    /// `<id>.<nonce>.from`: the folder that they were in, while they have no plan.
    fn origin(&self, stamp: &StampedId) -> PathBuf {
        self.at_home(format!("{stamp}{ORIGIN}"))
    }

    /// `<id>.<nonce>.spent/`: files that were copied, and are to go.
    fn spent(&self, stamp: &StampedId) -> PathBuf {
        self.at_home(format!("{stamp}{SPENT}"))
    }

    fn content_of(&self, path: &Path, most: usize) -> Result<Option<Vec<u8>>> {
        let failed = |e: std::io::Error| match e.kind() {
            Io::FileTooLarge => {
                Error::new(ErrorKind::Invalid, format!("it is larger than {most} bytes")).at(path)
            }
            _ => Error::io("read a file", path, e),
        };
        let Some(file) = found(self.home.fs.open(path)).map_err(failed)? else { return Ok(None) };
        self.home.fs.read(&file, most).map(Some).map_err(failed)
    }

    fn list_folders(&self, trouble: &mut dyn FnMut(Error)) -> Result<Folders> {
        let mut folders = Folders { open: vec![PathBuf::new()], drops: Vec::new() };
        let mut next = 0;
        let mut beyond = false;
        while self.keep_tree && next < folders.open.len() {
            let folder = folders.open[next].clone();
            let entries = match self.within(&folder, |place| self.home.names(place)) {
                Ok(entries) => entries.unwrap_or_default(),
                Err(e) if folder.as_os_str().is_empty() => return Err(e),
                // What is closed to us is no reason to leave all else.
                Err(e) => {
                    trouble(e);
                    Vec::new()
                }
            };
            // Its owner may make one anywhere. It is made last, so all else that is there is a drop folder's, too.
            if next > 0 && entries.iter().any(|entry| entry.name == "filedrop.json") {
                folders.drops.push(folders.open.remove(next));
                continue;
            }
            next += 1;
            for entry in entries {
                let hidden = entry.name.as_encoded_bytes().starts_with(b".");
                if entry.kind != FileKind::Dir || hidden {
                    continue;
                }
                if folders.open.len() >= MOST_FOLDERS {
                    beyond = true;
                    break;
                }
                folders.open.push(folder.join(entry.name));
            }
        }
        if beyond {
            let why = format!(
                "there are more than {MOST_FOLDERS} folders, and into the others nobody looks; remove empty ones, or let several \
                 intakes do the work, each on one of them"
            );
            trouble(Error::new(ErrorKind::Unsupported, why).at(&self.premises.dir));
        }
        Ok(folders)
    }
}

impl Premises {
    /// An error, about the path as people know it.
    fn told(&self, e: Error) -> Error {
        e.moved(self.home.path(), &self.dir.join(HOME)).moved(self.root.path(), &self.dir)
    }
}

const PLAN: &str = ".plan.json";
const ORIGIN: &str = ".from";
const SPENT: &str = ".spent";

/// The path of such a reference; `None` if it would lead elsewhere.
pub(crate) fn path_from_reference(path: &str) -> Option<PathBuf> {
    if path.is_empty() { Some(PathBuf::new()) } else { path.split('/').map(from_reference).collect() }
}

/// The folder that a path below the foreign one leads to, and the name in it.
fn apart(path: &Path) -> (&Path, &OsStr) {
    (path.parent().unwrap_or(Path::new("")), path.file_name().unwrap_or_default())
}

impl<F: Fs, H: Host> Foreign for ForeignFolder<'_, F, H> {
    type Room = LocalRoom<F::File>;

    /// Its path leads to the lock that is held here. In doubt it does.
    fn is_there(&self) -> bool {
        let path = self.premises.dir.join(HOME).join(LOCK);
        match (self.home.fs.stat(&path), self.home.fs.stat_open(&self.lock)) {
            (Ok(there), Ok(held)) => there.id == held.id,
            (Err(e), _) => !matches!(e.kind(), Io::NotFound | Io::NotADirectory | Io::StaleNetworkFileHandle),
            _ => true,
        }
    }

    fn folders(&self, trouble: &mut dyn FnMut(Error)) -> Result<Folders> {
        self.list_folders(trouble)
    }

    fn look(
        &self,
        folder: &Path,
        arrivals: &mut Arrivals,
        tell: &mut dyn FnMut(&OsStr, Finding<'_>),
    ) -> Result<Looked> {
        let looked = self.within(folder, |place| self.home.look_for_files(place, arrivals, tell))?;
        Ok(looked.unwrap_or_default())
    }

    fn content(&self, path: &Path, most: usize) -> Result<Option<Vec<u8>>> {
        let (folder, name) = apart(path);
        let content = self.within(folder, |place| self.content_of(&place.join(name), most))?;
        Ok(content.flatten())
    }

    fn digest(&self, path: &Path) -> Result<Option<String>> {
        let (folder, name) = apart(path);
        Ok(self.within(folder, |place| self.hash(&place.join(name)))?.flatten())
    }

    fn take(
        &self,
        batch: &Batch<'_>,
        describe: &mut dyn FnMut(StampedId, Vec<TakenFile>) -> Consignment,
    ) -> Result<Taking> {
        let taken = self.within(batch.folder, |place| self.take_batch(batch, place, describe))?;
        Ok(taken.unwrap_or(Taking::Gone))
    }

    fn put_back(&self, trouble: &mut dyn FnMut(Error)) -> Result<usize> {
        let told = |e| self.premises.told(e);
        self.put_back_unplanned(&mut |e| trouble(told(e))).map_err(told)
    }

    fn left(&self) -> Result<Vec<Consignment>> {
        self.plans().map_err(|e| self.premises.told(e))
    }

    fn carry(&self, room: &Self::Room, consignment: &Consignment) -> Result<Option<StampedId>> {
        self.bring(room.name(), consignment).map_err(|e| self.premises.told(e))
    }

    fn forget(&self, consignment: &Consignment) -> Result<()> {
        self.clear_up(consignment).map_err(|e| self.premises.told(e))
    }

    fn set_aside(&self, folder: &Path, manifest: &Arrived) -> Result<()> {
        let nonce = self.home.host.nonce();
        let to = self.home.layout.room("rejected").join(format!("{nonce:016x}.json"));
        self.within(folder, |place| {
            self.home.relocate(&place.join(&manifest.name), &to)?;
            self.home.flush_dir(&self.home.layout.room("rejected"))
        })
        .map(|_| ())
    }
}
