//! The machine that this process runs on.

use std::sync::{LazyLock, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::ports::Host;
use crate::words::Millis;

/// The operating system's clocks and entropy.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsHost;

impl Host for OsHost {
    fn now(&self) -> Millis {
        let millis = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        // A clock that is set beyond the year 2286 stands still there.
        Millis::new(millis).unwrap_or(Millis::MAX)
    }

    fn monotonic(&self) -> Duration {
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed()
    }

    fn entropy(&self) -> u128 {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the operating system has entropy");
        u128::from_ne_bytes(bytes)
    }

    fn name(&self) -> String {
        // Asked once: it is in each job's source.
        static NAME: LazyLock<String> =
            LazyLock::new(|| rustix::system::uname().nodename().to_string_lossy().into_owned());
        NAME.clone()
    }

    fn pid(&self) -> u32 {
        std::process::id()
    }
}
