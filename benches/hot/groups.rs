//! The same floor, of many jobs together: each file is flushed, but they are in one commit, and one flush of a folder does for all.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::Duration;

use rustix::fs::renameat;

use crate::floor::{Rooms, list, wait};
use crate::parts::{Queue, See};
use crate::{Outcome, payload};

/// So many are handled at a time, at most.
const MOST: usize = 64;

pub(crate) struct Groups(pub(crate) Rooms);

impl Groups {
    fn publish(&self, dir: &OwnedFd, files: &[(String, Vec<u8>)]) -> Outcome<()> {
        let rooms = &self.0;
        let drafts =
            files.iter().map(|(_, bytes)| rooms.write(dir, bytes)).collect::<Outcome<Vec<OwnedFd>>>()?;
        drafts.iter().for_each(begin_to_write);
        drafts.iter().try_for_each(|draft| rooms.flush(draft))?;
        files.iter().zip(&drafts).try_for_each(|((name, _), draft)| rooms.name(draft, dir, name))?;
        rooms.flush(dir)
    }
}

fn begin_to_write(file: &OwnedFd) {
    // SAFETY: it reads and writes no memory of ours, and the descriptor is open.
    #[allow(unsafe_code)]
    unsafe {
        libc::sync_file_range(file.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE);
    }
}

impl Queue for Groups {
    fn produce(&self, who: usize, jobs: usize, at_a_time: usize) -> Outcome<()> {
        (0..jobs).step_by(at_a_time).try_for_each(|first| {
            let group =
                (first..jobs.min(first + at_a_time)).map(|nth| (format!("{who:03}-{nth:08}"), payload()));
            self.publish(&self.0.inbox, &group.collect::<Vec<_>>())
        })
    }

    fn produce_one(&self, nth: usize, data: Vec<u8>) -> Outcome<()> {
        self.0.produce_one(nth, data)
    }

    /// By one thread, whatever it is told: while it waits for the disk others could only wait for the next commit.
    fn consume(&self, jobs: usize, _: usize) -> Outcome<()> {
        let (rooms, mut left) = (&self.0, jobs);
        let watch = rooms.watch()?;
        while left > 0 {
            let mut names = list(&rooms.inbox)?;
            names.sort_unstable();
            if names.is_empty() {
                wait(&watch, Duration::from_millis(5))?;
            }
            for names in names.chunks(MOST) {
                let mut group = Vec::with_capacity(names.len());
                for name in names {
                    group.extend(rooms.claim(name)?.map(|bytes| (name.clone(), bytes)));
                }
                self.publish(&rooms.outcomes, &group)?;
                for (name, _) in &group {
                    renameat(&rooms.claimed, &**name, &rooms.done, &**name)?;
                }
                left -= group.len();
            }
        }
        Ok(())
    }

    fn ask(&self, jobs: usize) -> Outcome<Vec<Duration>> {
        self.0.ask(jobs)
    }

    fn answer(&self, jobs: usize, see: See) -> Outcome<()> {
        self.0.answer(jobs, see)
    }
}
