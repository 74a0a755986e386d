//! Notifications as soon as there are some to be had: who has used up a user's may give them back.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::NotifyWatch;
use crate::ports::{Bell, Watch};
use crate::words::{Error, Result, Version};

/// How often it is tried at most.
const REST: Duration = Duration::from_millis(500);

/// Is deaf until the system gives notifications to this user.
pub struct PatientWatch {
    bell: Bell,
    state: State,
}

enum State {
    Hears(NotifyWatch),
    /// Since when, and why.
    Deaf(Instant, Error),
}

impl PatientWatch {
    /// One that hears, if that is possible now; else why it does not.
    pub fn new(bell: Bell) -> Self {
        let state = State::of(&bell);
        Self { bell, state }
    }

    /// Whether notifications come, as `hears` finds out; why there are none to be had, if so.
    pub(super) fn try_out(&mut self, hears: impl FnOnce(&mut NotifyWatch) -> Result<bool>) -> Result<bool> {
        match &mut self.state {
            State::Hears(watch) => hears(watch),
            State::Deaf(_, why) => Err(why.again()),
        }
    }
}

impl State {
    fn of(bell: &Bell) -> Self {
        match NotifyWatch::new(bell.clone()) {
            Ok(watch) => State::Hears(watch),
            Err(why) => State::Deaf(Instant::now(), why),
        }
    }
}

impl Watch for PatientWatch {
    fn arm(&mut self, dir: &Path) -> Result<()> {
        if matches!(&self.state, State::Deaf(since, _) if since.elapsed() >= REST) {
            self.state = State::of(&self.bell);
        }
        match &mut self.state {
            State::Hears(watch) => watch.arm(dir),
            State::Deaf(_, why) => Err(why.again().at(dir)),
        }
    }

    fn renamed(&mut self) -> Vec<(PathBuf, Version)> {
        match &mut self.state {
            State::Hears(watch) => watch.renamed(),
            State::Deaf(..) => Vec::new(),
        }
    }

    /// It may: [`arm`](Watch::arm) says whether it does.
    fn hears(&self) -> bool {
        true
    }
}
