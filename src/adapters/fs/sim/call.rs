//! The file-system calls of one simulated process. Each is a step: before it the scheduler may let others go first.

use std::io::{self, ErrorKind};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use corosensei::Yielder;
use sha2::{Digest as _, Sha256};

use super::actor::Fate;
use super::disk::{File, Ino, Node};
use super::step::Call;
use super::world::{Lie, State};
use super::{SimHost, World};
use crate::ports::{FileId, FileKind, Fs, Listed, Meta};
use crate::words::Writer;

/// A process's view of the world's disk.
#[derive(Clone)]
pub struct SimFs<'actor> {
    pub(super) world: World,
    pub(super) pid: u32,
    pub(super) gate: Option<&'actor Yielder<Fate, ()>>,
}

/// An open file. Dropping it lets go of its lock, as the kernel does for the dead.
pub struct SimFile {
    world: World,
    ino: Ino,
    handle: u64,
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut state = self.world.state();
        let handle = self.handle;
        if let Ok(file) = state.disk.file_mut(self.ino)
            && file.locked_by == Some(handle)
        {
            file.locked_by = None;
        }
    }
}

impl<'actor> SimFs<'actor> {
    /// Calls that nobody schedules: each is done at once.
    pub fn unscheduled(world: &World, pid: u32) -> Self {
        Self { world: world.clone(), pid, gate: None }
    }

    pub(super) fn scheduled(world: &World, pid: u32, gate: &'actor Yielder<Fate, ()>) -> Self {
        Self { world: world.clone(), pid, gate: Some(gate) }
    }

    /// The machine of this process.
    pub fn host(&self) -> SimHost {
        SimHost::new(self.world.clone(), self.pid)
    }

    /// The world that it lives in.
    pub fn world(&self) -> &World {
        &self.world
    }

    fn handle(&self, state: &mut State, ino: Ino) -> SimFile {
        state.handles += 1;
        SimFile { world: self.world.clone(), ino, handle: state.handles }
    }
}

impl State {
    fn named(&mut self, path: &Path, came: bool) {
        self.changed.push((path.display().to_string(), came));
    }

    fn new_file(&mut self) -> Ino {
        let modified_ms = self.wall_ms;
        let changed_ms = modified_ms;
        let file =
            File { data: Arc::default(), flushed: false, links: 0, modified_ms, changed_ms, locked_by: None };
        self.disk.add(Node::File(file))
    }

    /// A file that has been written to, or has other names by now.
    fn touch(&mut self, ino: Ino) {
        let now = self.wall_ms;
        if let Ok(file) = self.disk.file_mut(ino) {
            file.changed_ms = now;
        }
    }

    fn put(&mut self, ino: Ino, to: &Path) -> io::Result<()> {
        let (dir, name) = self.disk.place(to)?;
        let taken = self.disk.entries(dir)?.contains_key(&name);
        if taken && self.lie == Some(Lie::LinkReplaces) {
            self.named(to, false);
        } else if taken {
            return Err(ErrorKind::AlreadyExists.into());
        }
        self.disk.change(dir, &name, Some(ino), None);
        self.touch(ino);
        self.named(to, true);
        Ok(())
    }

    fn on_one_disk(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mounted = |path: &Path| self.traits.mount.is_some_and(|mount| path.starts_with(mount));
        if mounted(from) == mounted(to) { Ok(()) } else { Err(ErrorKind::CrossesDevices.into()) }
    }

    fn describe(&self, ino: Ino) -> Meta {
        let id = FileId { dev: 1, ino };
        // An inode is never used again here, so when it was made tells nothing more. On NFS it is not told.
        let born_ns = self.traits.local.then_some(ino);
        match &self.disk.nodes[&ino] {
            Node::File(File { links, modified_ms, changed_ms, data, .. }) => Meta {
                id,
                kind: FileKind::File,
                links: *links,
                size: data.len() as u64,
                modified_ms: *modified_ms,
                modified_ns: modified_ms * 1_000_000,
                changed_ns: changed_ms * 1_000_000,
                born_ns,
            },
            Node::Dir(_) => {
                // Where listings are true folders have no times: whoever asks for their age takes them for old, as one whose clock is
                // ahead does. Of a sweep that is misled by both nothing is promised.
                let modified_ms = self.listings.changed_ms(ino).unwrap_or_default();
                Meta {
                    id,
                    kind: FileKind::Dir,
                    links: 1,
                    size: 0,
                    modified_ms,
                    modified_ns: modified_ms * 1_000_000,
                    changed_ns: modified_ms * 1_000_000,
                    born_ns,
                }
            }
        }
    }
}

impl Fs for SimFs<'_> {
    type File = SimFile;

    fn is_local(&self) -> bool {
        self.world.state().traits.local
    }

    fn create(&self, path: &Path) -> io::Result<SimFile> {
        self.act(Call("create", None), path, |state| {
            let ino = state.new_file();
            state.put(ino, path)?;
            Ok(self.handle(state, ino))
        })
    }

    fn create_unnamed(&self, dir: &Path) -> io::Result<SimFile> {
        self.look(Call("create unnamed in", None), dir, |state| {
            state.disk.entries(state.disk.find(dir)?)?;
            if !state.traits.unnamed {
                return Err(ErrorKind::Unsupported.into());
            }
            let ino = state.new_file();
            Ok(self.handle(state, ino))
        })
    }

    fn open(&self, path: &Path) -> io::Result<SimFile> {
        self.look(Call("open", None), path, |state| {
            let ino = state.disk.find(path)?;
            state.disk.file(ino).map_err(|_| ErrorKind::InvalidInput)?;
            Ok(self.handle(state, ino))
        })
    }

    fn write(&self, file: &SimFile, bytes: &[u8]) -> io::Result<()> {
        let put = |state: &mut State, bytes: &[u8]| {
            let modified_ms = state.wall_ms;
            let file = state.disk.file_mut(file.ino)?;
            let end = file.data.get(bytes.len()..).unwrap_or_default();
            (file.data, file.flushed) = ([bytes, end].concat().into(), false);
            (file.modified_ms, file.changed_ms) = (modified_ms, modified_ms);
            Ok(())
        };
        let call = Call("write", None);
        self.step(
            call,
            Path::new("(open file)"),
            true,
            |state| put(state, bytes),
            |state, fate| {
                if fate == Fate::NoSpace {
                    let _: io::Result<()> = put(state, &bytes[..bytes.len() / 2]);
                }
            },
        )
    }

    fn copy(&self, from: &Path, to: &SimFile, progress: &mut dyn FnMut(u64)) -> io::Result<u64> {
        self.act(Call("copy", Some(from)), Path::new("(open file)"), |state| {
            let source = state.disk.file(state.disk.find(from)?).map_err(|_| ErrorKind::InvalidInput)?;
            let (data, modified_ms) = (source.data.clone(), source.modified_ms);
            let size = data.len() as u64;
            let file = state.disk.file_mut(to.ino)?;
            (file.data, file.flushed, file.modified_ms) = (data, false, modified_ms);
            state.touch(to.ino);
            progress(size);
            Ok(size)
        })
    }

    fn read(&self, file: &SimFile, limit: usize) -> io::Result<Vec<u8>> {
        self.look(Call("read", None), Path::new("(open file)"), |state| {
            let data = &state.disk.file(file.ino)?.data;
            if data.len() > limit { Err(ErrorKind::FileTooLarge.into()) } else { Ok(data.to_vec()) }
        })
    }

    fn flush(&self, file: &SimFile) -> io::Result<()> {
        let flush = |state: &mut State| {
            if state.lie != Some(Lie::FileFlush) {
                state.disk.file_mut(file.ino)?.flushed = true;
            }
            Ok(())
        };
        // The kernel takes what it could not write for written.
        let harm = |state: &mut State, _| {
            if let Ok(file) = state.disk.file_mut(file.ino)
                && !std::mem::replace(&mut file.flushed, true)
            {
                state.suffered.lost_data += usize::from(!file.data.is_empty());
                file.data = Arc::default();
            }
        };
        self.step(Call("flush", None), Path::new("(open file)"), false, flush, harm)
    }

    fn flush_dir(&self, dir: &Path) -> io::Result<()> {
        self.look(Call("flush folder", None), dir, |state| {
            let ino = state.disk.find(dir)?;
            state.disk.entries(ino)?;
            let lies = |part: &str| dir.to_string_lossy().contains(part);
            if !matches!(state.lie, Some(Lie::FolderFlush(part)) if lies(part)) {
                state.disk.flush_dir(ino);
            }
            Ok(())
        })
    }

    /// What is written here is written in one step.
    fn writer(&self, path: &Path) -> io::Result<Writer> {
        self.look(Call("ask for writers of", None), path, |state| {
            state.disk.file(state.disk.find(path)?).map(|_| Writer::None)
        })
    }

    fn sha256(&self, file: &SimFile) -> io::Result<[u8; 32]> {
        self.look(Call("hash", None), Path::new("(open file)"), |state| {
            Ok(Sha256::digest(&state.disk.file(file.ino)?.data).into())
        })
    }

    fn stat_open(&self, file: &SimFile) -> io::Result<Meta> {
        self.look(Call("stat", None), Path::new("(open file)"), |state| Ok(state.describe(file.ino)))
    }

    fn stat(&self, path: &Path) -> io::Result<Meta> {
        self.look(Call("stat", None), path, |state| state.disk.find(path).map(|ino| state.describe(ino)))
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.act(Call("link", Some(from)), to, |state| {
            state.on_one_disk(from, to)?;
            let ino = state.disk.find(from)?;
            state.disk.file(ino)?;
            state.put(ino, to)
        })
    }

    fn link_unnamed(&self, file: &SimFile, to: &Path) -> io::Result<()> {
        self.act(Call("link unnamed to", None), to, |state| state.put(file.ino, to))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.act(Call("rename", Some(from)), to, |state| {
            state.on_one_disk(from, to)?;
            let (from_dir, from_name) = state.disk.place(from)?;
            let ino = *state.disk.entries(from_dir)?.get(&from_name).ok_or(ErrorKind::NotFound)?;
            let (to_dir, to_name) = state.disk.place(to)?;
            match state.disk.entries(to_dir)?.get(&to_name) {
                // POSIX: two names of one file, nothing happens, and that is called a success.
                Some(there) if *there == ino => return Ok(()),
                Some(there) if matches!(state.disk.nodes[there], Node::Dir(_)) => {
                    return Err(ErrorKind::IsADirectory.into());
                }
                Some(_) => state.named(to, false),
                None => {}
            }
            let addition = state.disk.change(to_dir, &to_name, Some(ino), None);
            state.disk.change(from_dir, &from_name, None, Some(addition));
            state.touch(ino);
            state.named(from, false);
            state.named(to, true);
            Ok(())
        })
    }

    /// In steps, where machines share the folder.
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        if !self.is_local() {
            self.link(from, to)?;
            self.flush_dir(to.parent().unwrap_or(to))?;
            return self.unlink(from);
        }
        self.act(Call("rename to a free name", Some(from)), to, |state| {
            state.on_one_disk(from, to)?;
            let (from_dir, from_name) = state.disk.place(from)?;
            let ino = *state.disk.entries(from_dir)?.get(&from_name).ok_or(ErrorKind::NotFound)?;
            let (to_dir, to_name) = state.disk.place(to)?;
            if state.disk.entries(to_dir)?.contains_key(&to_name) {
                return Err(ErrorKind::AlreadyExists.into());
            }
            let addition = state.disk.change(to_dir, &to_name, Some(ino), None);
            state.disk.change(from_dir, &from_name, None, Some(addition));
            state.touch(ino);
            state.named(from, false);
            state.named(to, true);
            Ok(())
        })
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.act(Call("unlink", None), path, |state| {
            let (dir, name) = state.disk.place(path)?;
            let ino = *state.disk.entries(dir)?.get(&name).ok_or(ErrorKind::NotFound)?;
            state.disk.file(ino)?;
            state.disk.change(dir, &name, None, None);
            state.touch(ino);
            state.named(path, false);
            Ok(())
        })
    }

    fn make_dir(&self, path: &Path) -> io::Result<()> {
        self.act(Call("make folder", None), path, |state| {
            let ino = state.disk.add(Node::Dir(Default::default()));
            state.listings.made(ino, state.wall_ms);
            state.put(ino, path)
        })
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.act(Call("remove folder", None), path, |state| {
            let (dir, name) = state.disk.place(path)?;
            let ino = *state.disk.entries(dir)?.get(&name).ok_or(ErrorKind::NotFound)?;
            if !state.disk.entries(ino)?.is_empty() {
                return Err(ErrorKind::DirectoryNotEmpty.into());
            }
            state.disk.change(dir, &name, None, None);
            state.named(path, false);
            Ok(())
        })
    }

    /// Name by name, as the system does it: each is a step.
    fn remove_tree(&self, path: &Path) -> io::Result<()> {
        let mut names = Vec::new();
        self.list(path, &mut |entry| names.push(entry))?;
        for Listed { name, kind } in names {
            let path = path.join(name);
            match kind {
                FileKind::Dir => self.remove_tree(&path)?,
                _ => self.unlink(&path)?,
            }
        }
        self.remove_dir(path)
    }

    fn list_until(
        &self,
        dir: &Path,
        each: &mut dyn FnMut(Listed) -> ControlFlow<()>,
    ) -> io::Result<ControlFlow<()>> {
        let pid = self.pid;
        let listed = self.look(Call("list", None), dir, |state| {
            let ino = state.disk.find(dir)?;
            let truth = state.disk.entries(ino)?;
            let stale = state.listings.stale(pid, ino, state.monotonic_ms, truth);
            let kind = |ino| match state.disk.nodes[ino] {
                Node::File(_) => FileKind::File,
                Node::Dir(_) => FileKind::Dir,
            };
            let entries = stale.as_ref().unwrap_or(truth).iter();
            Ok(entries.map(|(name, ino)| Listed { name: name.into(), kind: kind(ino) }).collect::<Vec<_>>())
        })?;
        Ok(listed.into_iter().try_for_each(each))
    }

    fn try_lock(&self, file: &SimFile) -> io::Result<bool> {
        self.look(Call("lock", None), Path::new("(open file)"), |state| {
            let node = state.disk.file_mut(file.ino)?;
            let free = node.locked_by.is_none_or(|holder| holder == file.handle);
            if free {
                node.locked_by = Some(file.handle);
            }
            Ok(free)
        })
    }
    /// Nobody has an owner here, nor a mode.
    fn admit(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}
