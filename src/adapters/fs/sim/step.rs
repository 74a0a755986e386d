//! One call of a program: where it waits for its fate, and what becomes of it then.

use std::io::{self, ErrorKind};
use std::path::Path;

use super::SimFs;
use super::actor::Fate;
use super::world::{Line, Made, State};

/// What is done, and with which other path.
#[derive(Clone, Copy)]
pub(super) struct Call<'a>(pub(super) &'static str, pub(super) Option<&'a Path>);

/// A flush is among them: where space is taken only when data is written out, that is where its lack shows.
const NEED_SPACE: [&str; 8] =
    ["create", "create unnamed in", "write", "copy", "flush", "link", "link unnamed to", "make folder"];
const NEED_A_DESCRIPTOR: [&str; 7] =
    ["create", "create unnamed in", "open", "copy", "list", "flush folder", "ask for writers of"];

impl Call<'_> {
    /// How it fails without being done, if that is its fate.
    fn refused(self, fate: Fate) -> Option<io::Error> {
        match fate {
            Fate::Fail => Some(broken("simulated input/output error")),
            Fate::NoSpace if NEED_SPACE.contains(&self.0) => Some(ErrorKind::StorageFull.into()),
            Fate::NoDescriptor if NEED_A_DESCRIPTOR.contains(&self.0) => {
                Some(rustix::io::Errno::MFILE.into())
            }
            _ => None,
        }
    }

    fn line(self, pid: u32, path: &Path) -> Made {
        let Self(what, from) = self;
        Made { pid, what, from: from.map(Path::to_owned), path: path.to_owned(), error: None, stale: false }
    }
}

fn broken(how: &'static str) -> io::Error {
    io::Error::other(how)
}

impl SimFs<'_> {
    /// A call that changes nothing.
    pub(super) fn look<T>(
        &self,
        what: Call<'_>,
        path: &Path,
        call: impl FnOnce(&mut State) -> io::Result<T>,
    ) -> io::Result<T> {
        self.step(what, path, false, call, |_, _| ())
    }

    /// A call that may have happened although it answers with an error.
    pub(super) fn act<T>(
        &self,
        what: Call<'_>,
        path: &Path,
        call: impl FnOnce(&mut State) -> io::Result<T>,
    ) -> io::Result<T> {
        self.step(what, path, true, call, |_, _| ())
    }

    /// `harm` is what comes of it if it is refused.
    pub(super) fn step<T>(
        &self,
        what: Call<'_>,
        path: &Path,
        changes: bool,
        call: impl FnOnce(&mut State) -> io::Result<T>,
        harm: impl FnOnce(&mut State, Fate),
    ) -> io::Result<T> {
        let fate = match self.gate {
            None => Fate::Proceed,
            Some(gate) => {
                let mut state = self.world.state();
                if let Some(next) = &mut state.next_calls {
                    next.insert(self.pid, what.line(self.pid, path));
                }
                drop(state);
                gate.suspend(())
            }
        };
        let mut state = self.world.state();
        let refused = what.refused(fate);
        state.listings.back = if let Fate::Stale(changes) = fate { changes } else { 0 };
        let paths = what.1.into_iter().chain([path]).filter(|_| changes);
        let before = state.listings.before(&state.disk, paths);
        let answer = match refused {
            Some(error) => {
                state.suffered.refused(fate);
                harm(&mut state, fate);
                Err(error)
            }
            None => call(&mut state),
        };
        let lost = (changes && fate == Fate::LoseAnswer && answer.is_ok())
            .then(|| broken("simulated input/output error, but it is done"));
        let told = (answer.is_ok() && lost.is_none()).then_some(self.pid);
        let now = (state.monotonic_ms, state.wall_ms);
        let State { listings, disk, .. } = &mut *state;
        listings.after(disk, now, before, told);
        let stale = std::mem::take(&mut state.listings.was_stale);
        state.suffered.lost_answers += usize::from(lost.is_some());
        state.suffered.stale_listings += usize::from(stale);
        let error = lost.as_ref().or(answer.as_ref().err()).map(io::Error::to_string);
        state.trace.push(Line::Call(Made { error, stale, ..what.line(self.pid, path) }));
        if let Some(next) = &mut state.next_calls {
            next.remove(&self.pid);
        }
        // A file that was opened is closed with the lost answer, which takes the world's lock.
        drop(state);
        lost.map_or(answer, Err)
    }
}
