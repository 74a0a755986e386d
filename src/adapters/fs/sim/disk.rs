//! The disk: what programs see, and what of it a power cut would leave.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, ErrorKind};
use std::path::{Component, Path};
use std::sync::Arc;

use super::power::Model;

/// An inode's number; never reused.
pub type Ino = u64;

pub(super) type Entries = BTreeMap<String, Ino>;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Node {
    File(File),
    Dir(Entries),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct File {
    pub(super) data: Arc<[u8]>,
    /// Whether `data` survives a power cut.
    pub(super) flushed: bool,
    pub(super) links: u64,
    pub(super) modified_ms: u64,
    /// When it was last written, or one of its names came or went.
    pub(super) changed_ms: u64,
    /// The handle that holds its lock.
    pub(super) locked_by: Option<u64>,
}

/// A change of one name that is not durable yet.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Change {
    pub(super) dir: Ino,
    pub(super) name: String,
    /// What the name stands for afterwards.
    pub(super) to: Option<Ino>,
    /// For the old name of a rename: the place in the list of the new name's change.
    pub(super) needs: Option<usize>,
}

/// A tree of folders and files.
#[derive(Debug, Clone)]
pub struct Disk {
    pub(super) model: Model,
    pub(super) nodes: BTreeMap<Ino, Node>,
    /// What each folder durably holds.
    pub(super) durable: BTreeMap<Ino, Entries>,
    /// What it holds beyond that, in the order in which it came.
    pub(super) pending: Vec<Change>,
    pub(super) next: Ino,
}

pub(super) const ROOT: Ino = 1;

impl Disk {
    /// An empty disk.
    pub fn new(model: Model) -> Self {
        let nodes = BTreeMap::from([(ROOT, Node::Dir(Entries::new()))]);
        let durable = BTreeMap::from([(ROOT, Entries::new())]);
        Self { model, nodes, durable, pending: Vec::new(), next: ROOT + 1 }
    }

    /// A number for what programs could see here, whatever the inodes' numbers are.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash_tree(ROOT, &mut BTreeMap::new(), &mut hasher);
        hasher.finish()
    }

    fn hash_tree(&self, dir: Ino, seen: &mut BTreeMap<Ino, usize>, hasher: &mut DefaultHasher) {
        let Node::Dir(entries) = &self.nodes[&dir] else { return };
        entries.len().hash(hasher);
        for (name, ino) in entries {
            let count = seen.len();
            (name, seen.entry(*ino).or_insert(count)).hash(hasher);
            match &self.nodes[ino] {
                Node::Dir(_) => self.hash_tree(*ino, seen, hasher),
                Node::File(file) => {
                    (&file.data, file.flushed, file.links, file.locked_by.is_some()).hash(hasher)
                }
            }
        }
    }

    /// Every name with its content (`None` for a folder), in order of the paths.
    pub fn tree(&self) -> Vec<(String, Option<Arc<[u8]>>)> {
        let mut tree = Vec::new();
        self.walk(&mut |path, _, node| {
            let data = if let Node::File(file) = node { Some(file.data.clone()) } else { None };
            tree.push((path.to_owned(), data));
        });
        tree
    }

    pub(super) fn walk(&self, each: &mut dyn FnMut(&str, Ino, &Node)) {
        self.walk_from(ROOT, "", each);
    }

    fn walk_from(&self, dir: Ino, path: &str, each: &mut dyn FnMut(&str, Ino, &Node)) {
        let Node::Dir(entries) = &self.nodes[&dir] else { return };
        for (name, ino) in entries {
            let path = format!("{path}/{name}");
            let node = &self.nodes[ino];
            each(&path, *ino, node);
            if matches!(node, Node::Dir(_)) {
                self.walk_from(*ino, &path, each);
            }
        }
    }

    pub(super) fn find(&self, path: &Path) -> io::Result<Ino> {
        let mut at = ROOT;
        for part in path.components() {
            let Component::Normal(name) = part else { continue };
            let Node::Dir(entries) = &self.nodes[&at] else { return Err(ErrorKind::NotADirectory.into()) };
            at = *entries.get(&*name.to_string_lossy()).ok_or(ErrorKind::NotFound)?;
        }
        Ok(at)
    }

    /// The folder that a path lies in, and its name there.
    pub(super) fn place(&self, path: &Path) -> io::Result<(Ino, String)> {
        let name = path.file_name().ok_or(ErrorKind::InvalidInput)?.to_string_lossy().into_owned();
        let dir = self.find(path.parent().unwrap_or(Path::new("/")))?;
        match self.nodes[&dir] {
            Node::Dir(_) => Ok((dir, name)),
            Node::File(_) => Err(ErrorKind::NotADirectory.into()),
        }
    }

    pub(super) fn file(&self, ino: Ino) -> io::Result<&File> {
        match &self.nodes[&ino] {
            Node::File(file) => Ok(file),
            Node::Dir(_) => Err(ErrorKind::IsADirectory.into()),
        }
    }

    pub(super) fn file_mut(&mut self, ino: Ino) -> io::Result<&mut File> {
        match self.nodes.get_mut(&ino) {
            Some(Node::File(file)) => Ok(file),
            _ => Err(ErrorKind::IsADirectory.into()),
        }
    }

    pub(super) fn entries(&self, ino: Ino) -> io::Result<&Entries> {
        match &self.nodes[&ino] {
            Node::Dir(entries) => Ok(entries),
            Node::File(_) => Err(ErrorKind::NotADirectory.into()),
        }
    }

    pub(super) fn add(&mut self, node: Node) -> Ino {
        let ino = self.next;
        self.next += 1;
        if matches!(node, Node::Dir(_)) {
            self.durable.insert(ino, Entries::new());
        }
        self.nodes.insert(ino, node);
        ino
    }

    /// Changes a name, not durably. Returns the change's place in the list.
    pub(super) fn change(&mut self, dir: Ino, name: &str, to: Option<Ino>, needs: Option<usize>) -> usize {
        let Some(Node::Dir(entries)) = self.nodes.get_mut(&dir) else { unreachable!("callers look it up") };
        let before = match to {
            Some(ino) => entries.insert(name.to_owned(), ino),
            None => entries.remove(name),
        };
        for (ino, by) in [(before, -1), (to, 1)] {
            if let Some(Node::File(file)) = ino.and_then(|ino| self.nodes.get_mut(&ino)) {
                file.links = file.links.wrapping_add_signed(by);
            }
        }
        self.pending.push(Change { dir, name: name.to_owned(), to, needs });
        self.pending.len() - 1
    }

    /// Makes the names in a folder durable, and with them what the model says cannot stay behind.
    pub(super) fn flush_dir(&mut self, dir: Ino) {
        let wanted: Vec<bool> = match self.model {
            Model::A => {
                let mut keep = vec![false; self.pending.len()];
                for at in 0..self.pending.len() {
                    if self.pending[at].dir == dir {
                        self.require(at, &mut keep);
                    }
                }
                keep
            }
            Model::B => {
                let last = self.pending.iter().rposition(|change| change.dir == dir);
                (0..self.pending.len()).map(|at| last.is_some_and(|last| at <= last)).collect()
            }
        };
        self.commit(&wanted);
    }

    pub(super) fn flush_all(&mut self) {
        let all = vec![true; self.pending.len()];
        self.commit(&all);
        for node in self.nodes.values_mut() {
            if let Node::File(file) = node {
                file.flushed = true;
            }
        }
    }

    /// A change, what it needs, and what came before it under the same name.
    pub(super) fn require(&self, at: usize, keep: &mut [bool]) {
        if std::mem::replace(&mut keep[at], true) {
            return;
        }
        let change = &self.pending[at];
        if let Some(addition) = change.needs {
            self.require(addition, keep);
        }
        for earlier in 0..at {
            let other = &self.pending[earlier];
            if (other.dir, &other.name) == (change.dir, &change.name) {
                self.require(earlier, keep);
            }
        }
    }

    /// Makes the chosen changes durable; the others stay pending.
    pub(super) fn commit(&mut self, wanted: &[bool]) {
        let mut place = vec![None; self.pending.len()];
        let mut left = Vec::new();
        for (at, mut change) in std::mem::take(&mut self.pending).into_iter().enumerate() {
            if wanted[at] {
                let entries = self.durable.entry(change.dir).or_default();
                match change.to {
                    Some(ino) => entries.insert(change.name, ino),
                    None => entries.remove(&change.name),
                };
            } else {
                change.needs = change.needs.and_then(|addition| place[addition]);
                place[at] = Some(left.len());
                left.push(change);
            }
        }
        self.pending = left;
    }
}
