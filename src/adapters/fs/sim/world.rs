//! A world: one disk, one clock, one source of entropy, and everything that is done to them, written down.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::disk::Disk;
use super::listings::Listings;
use super::power::Model;
use super::suffered::Suffered;

/// What all actors share. A clone is the same world.
#[derive(Clone)]
pub struct World(Arc<Mutex<State>>);

pub(super) struct State {
    pub(super) disk: Disk,
    pub(super) wall_ms: u64,
    pub(super) monotonic_ms: u64,
    pub(super) seed: u64,
    /// How much each process has drawn. A process draws the same whatever others do, so that equal histories that were
    /// reached by different ways are equal in every name.
    drawn: BTreeMap<u32, u64>,
    pub(super) handles: u64,
    /// Names that came or went since somebody last asked.
    pub(super) changed: Vec<(String, bool)>,
    pub(super) trace: Vec<Line>,
    /// The call that each actor has stopped before, where somebody wants to know.
    pub(super) next_calls: Option<BTreeMap<u32, Made>>,
    pub(super) listings: Listings,
    /// By how much the wall clocks of processes' machines are wrong, in milliseconds.
    pub(super) skew: BTreeMap<u32, i64>,
    /// Whether somebody set the wall clock of all.
    pub(super) wall_was_set: bool,
    pub(super) suffered: Suffered,
    pub(super) traits: Traits,
    pub(super) lie: Option<Lie>,
}

/// A file system that does not do what it says. What a proof is worth shows when it finds these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// Flushing a folder whose path contains this does nothing.
    FolderFlush(&'static str),
    /// Flushing a file does nothing.
    FileFlush,
    /// A link replaces what is there.
    LinkReplaces,
}

/// A line of the history: printed only when somebody asks.
#[derive(Debug, Clone)]
pub(super) enum Line {
    Call(Made),
    Remark(String),
}

/// A call, and what became of it.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub(super) pid: u32,
    pub(super) what: &'static str,
    pub(super) from: Option<PathBuf>,
    pub(super) path: PathBuf,
    pub(super) error: Option<String>,
    pub(super) stale: bool,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.pid, self.what)?;
        if let Some(from) = &self.from {
            write!(f, "{} → ", from.display())?;
        }
        write!(f, "{}", self.path.display())?;
        self.error.as_ref().map_or(Ok(()), |error| write!(f, " !! {error}"))?;
        if self.stale { f.write_str(" !! as it was before") } else { Ok(()) }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Line::Call(made) => made.fmt(f),
            Line::Remark(remark) => write!(f, "--- {remark}"),
        }
    }
}

/// What kind of file system it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traits {
    pub(super) local: bool,
    pub(super) unnamed: bool,
    /// What is below it lies on another disk: no name moves from one to the other.
    pub(super) mount: Option<&'static str>,
}

impl World {
    /// A local file system with unnamed files and locks.
    pub fn new(model: Model, seed: u64) -> Self {
        Self::with(Disk::new(model), seed, Traits { local: true, unnamed: true, mount: None })
    }

    fn with(disk: Disk, seed: u64, traits: Traits) -> Self {
        Self(Arc::new(Mutex::new(State {
            disk,
            // 2023-11-14T22:13:20Z
            wall_ms: 1_700_000_000_000,
            monotonic_ms: 0,
            seed,
            drawn: BTreeMap::new(),
            handles: 0,
            changed: Vec::new(),
            trace: Vec::new(),
            next_calls: None,
            listings: Listings::default(),
            skew: BTreeMap::new(),
            wall_was_set: false,
            suffered: Suffered::default(),
            traits,
            lie: None,
        })))
    }

    /// The same without unnamed files.
    pub fn without_unnamed_files(self) -> Self {
        self.state().traits.unnamed = false;
        self
    }

    /// As NFS is: no unnamed files, no locks that mean anything.
    pub fn shared_by_machines(self) -> Self {
        let mut state = self.state();
        state.traits = Traits { local: false, unnamed: false, ..state.traits };
        drop(state);
        self
    }

    /// The same; what is below this folder lies on another disk, of the same kind.
    pub fn with_mount(self, folder: &'static str) -> Self {
        self.state().traits.mount = Some(folder);
        self
    }

    /// The same; its folders may be listed as they were a moment ago ([`Fate::Stale`](super::Fate::Stale)). What `stat` and
    /// `open` answer is true: network file systems ask their server for that.
    pub fn with_stale_listings(self) -> Self {
        self.state().listings.keep();
        self
    }

    /// The same, in which it is known what each actor is about to do ([`next_call`](Self::next_call)).
    pub fn announcing(self) -> Self {
        self.state().next_calls = Some(BTreeMap::new());
        self
    }

    /// The same, lying from now on.
    pub fn lying(self, lie: Option<Lie>) -> Self {
        self.state().lie = lie;
        self
    }

    /// A world of its own that starts where this one is now. Open files and locks stay behind.
    pub fn fork(&self) -> Self {
        let state = self.state();
        let fork = Self::with(state.disk.clone(), state.seed, state.traits);
        let mut forked = fork.state();
        forked.drawn = state.drawn.clone();
        forked.lie = state.lie;
        forked.follow(&state);
        (forked.wall_ms, forked.monotonic_ms) = (state.wall_ms, state.monotonic_ms);
        forked.disk.unlock_all();
        drop(forked);
        fork
    }

    /// This world after the power failed and came back, for every disk that it could leave.
    pub fn after_power_cut(&self) -> Vec<Self> {
        let state = self.state();
        state.disk.after_power_cut().into_iter().map(|disk| rebooted(&state, disk)).collect()
    }

    /// The same, for one of those disks, by `roll`, which answers with a number below the one that it is given.
    pub fn after_some_power_cut(&self, roll: &mut dyn FnMut(usize) -> usize) -> Self {
        let state = self.state();
        rebooted(&state, state.disk.after_some_power_cut(roll))
    }

    /// Lets the disk come to rest: everything that was done is durable.
    pub fn flush_all(&self) {
        self.state().disk.flush_all();
    }

    /// Lets time pass.
    pub fn advance(&self, millis: u64) {
        let mut state = self.state();
        state.wall_ms += millis;
        state.monotonic_ms += millis;
    }

    /// Sets the wall clock, as an operator might.
    pub fn set_wall_clock(&self, millis: u64) {
        let mut state = self.state();
        (state.wall_ms, state.wall_was_set) = (millis, true);
    }

    /// Sets the wall clock of one process's machine, by so many milliseconds from the world's; files are dated by the latter.
    pub fn set_clock_of(&self, pid: u32, wrong_by_ms: i64) {
        self.state().skew.insert(pid, wrong_by_ms);
    }

    /// Writes something down among the calls.
    pub fn remark(&self, remark: impl Into<String>) {
        self.state().trace.push(Line::Remark(remark.into()));
    }

    /// What an actor is about to do, in a world that is [announcing](Self::announcing) it.
    pub fn next_call(&self, pid: u32) -> Option<String> {
        self.state().next_calls.as_ref()?.get(&pid).map(Made::to_string)
    }

    /// The disk as it is now.
    pub fn disk(&self) -> Disk {
        self.state().disk.clone()
    }

    /// Every name with its content (`None` for a folder), in order of the paths.
    pub fn tree(&self) -> Vec<(String, Option<Arc<[u8]>>)> {
        self.state().disk.tree()
    }

    /// A number for the disk as programs see it, and for what a power cut could make of it.
    pub fn fingerprint(&self) -> u64 {
        let state = self.state();
        let mut hasher = DefaultHasher::new();
        (state.disk.fingerprint(), &state.disk.pending, &state.disk.durable).hash(&mut hasher);
        hasher.finish()
    }

    /// How many changes of names a power cut may undo.
    pub fn unflushed(&self) -> usize {
        self.state().disk.pending.len()
    }

    /// The names that came (`true`) or went since the last time this was asked.
    pub fn take_changes(&self) -> Vec<(String, bool)> {
        std::mem::take(&mut self.state().changed)
    }

    /// Every call that was made, in order.
    pub fn trace(&self) -> Vec<String> {
        self.state().trace.iter().map(Line::to_string).collect()
    }

    /// What befell its calls so far, and made a difference.
    pub fn suffered(&self) -> Suffered {
        self.state().suffered
    }

    /// What lies at a path: a file's content, and whether it is durable. `None` for a folder, or for nothing.
    pub fn peek(&self, path: &str) -> Option<(Arc<[u8]>, bool)> {
        let state = self.state();
        let file = state.disk.file(state.disk.find(Path::new(path)).ok()?).ok()?;
        Some((file.data.clone(), file.flushed))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes on what kind of world another is. What processes saw and how their clocks go is of those who are there.
    fn follow(&mut self, other: &State) {
        if other.listings.are_kept() {
            self.listings.keep();
        }
        self.next_calls = other.next_calls.as_ref().map(|_| BTreeMap::new());
        self.skew.clone_from(&other.skew);
        self.wall_was_set = other.wall_was_set;
    }

    /// SplitMix64 (Steele, Lea, Flood 2014), a stream for each process.
    pub(super) fn random(&mut self, pid: u32) -> u64 {
        let drawn = self.drawn.entry(pid).or_default();
        *drawn += 1;
        let stream = self.seed ^ (u64::from(pid) << 32);
        let mut z = stream.wrapping_add(drawn.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

impl Disk {
    fn unlock_all(&mut self) {
        for node in self.nodes.values_mut() {
            if let super::disk::Node::File(file) = node {
                file.locked_by = None;
            }
        }
    }
}

/// A minute later, when the machine has started again.
fn rebooted(before: &State, disk: Disk) -> World {
    let world = World::with(disk, before.seed, before.traits);
    let mut state = world.state();
    state.drawn = before.drawn.clone();
    state.lie = before.lie;
    state.follow(before);
    state.wall_ms = before.wall_ms + 60_000;
    drop(state);
    world
}
