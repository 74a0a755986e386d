//! An actor: a program that stops before each of its file-system calls and asks what shall become of it.

use std::cell::RefCell;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use super::{SimFs, World};

/// What becomes of an actor's next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It is done.
    Proceed,
    /// It is done, and answers with an error (where the call changes something).
    LoseAnswer,
    /// It is not done, and answers with an input/output error. What a flush of a file was to write is gone: the next flush says
    /// that all is well, and the file is empty.
    Fail,
    /// The disk is full: what needs space is not done, of a write only half. Anything else is done.
    NoSpace,
    /// No descriptor is left: what opens a file or a folder is not done. Anything else is done.
    NoDescriptor,
    /// A listing is answered as that folder was so many changes ago: as by a client of NFS, which another process of its machine has
    /// asked before. But not as it was more than a minute ago, nor before its own process last listed it, or changed it and was told
    /// so. Anything else is done. Only in a world that was [told so](World::with_stale_listings).
    Stale(usize),
}

/// A program over a [`World`], at one of its calls. Dropping it kills the program there.
pub struct Actor {
    /// There until it is dropped.
    coroutine: Option<Coroutine<Fate, (), ()>>,
    steps: usize,
}

thread_local! {
    /// To map a new stack costs more than most programs here do on it.
    static STACKS: RefCell<Vec<DefaultStack>> = const { RefCell::new(Vec::new()) };
}

impl Drop for Actor {
    fn drop(&mut self) {
        if let Some(mut coroutine) = self.coroutine.take() {
            coroutine.force_unwind();
            STACKS.with_borrow_mut(|stacks| stacks.push(coroutine.into_stack()));
        }
    }
}

impl Actor {
    /// Starts a program and runs it up to its first call.
    pub fn start(world: &World, pid: u32, program: impl FnOnce(SimFs<'_>) + 'static) -> Self {
        let world = world.clone();
        let stack = STACKS.with_borrow_mut(Vec::pop).unwrap_or_default();
        let run = move |gate: &Yielder<Fate, ()>, _| program(SimFs::scheduled(&world, pid, gate));
        let mut actor = Self { coroutine: Some(Coroutine::with_stack(stack, run)), steps: 0 };
        actor.resume(Fate::Proceed);
        actor
    }

    /// Does its next call, and runs it up to the one after. `false` if it has ended.
    pub fn step(&mut self, fate: Fate) -> bool {
        if self.ended() {
            return false;
        }
        self.steps += 1;
        self.resume(fate);
        true
    }

    /// Does its next `count` calls, or fewer if it ends. How many it did.
    pub fn steps(&mut self, count: usize) -> usize {
        (0..count).take_while(|_| self.step(Fate::Proceed)).count()
    }

    /// Runs it to its end. How many calls it did.
    pub fn finish(&mut self) -> usize {
        self.steps(usize::MAX)
    }

    /// Whether it has ended.
    pub fn ended(&self) -> bool {
        self.coroutine.as_ref().is_none_or(Coroutine::done)
    }

    /// How many calls it has done.
    pub fn done(&self) -> usize {
        self.steps
    }

    fn resume(&mut self, fate: Fate) {
        if let Some(coroutine) = &mut self.coroutine {
            match coroutine.resume(fate) {
                CoroutineResult::Yield(()) | CoroutineResult::Return(()) => {}
            }
        }
    }
}
