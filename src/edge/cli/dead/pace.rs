//! How fast something is done to many, and how it is stopped in between.

use std::process;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::edge::cli::exit::Failure;
use crate::edge::cli::signals::{self, Signal};

/// The pause from one to the next: `10/s`, `30/m`.
pub(super) fn rate(text: &str) -> Result<Duration, String> {
    let parse = || {
        let (count, unit) = text.split_once('/')?;
        let count = count.parse::<u32>().ok().filter(|count| *count > 0)?;
        let unit = match unit {
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            _ => return None,
        };
        Some(unit / count)
    };
    parse().ok_or_else(|| "a rate looks like 10/s or 30/m".to_owned())
}

/// Lets one after the other pass, until a signal comes. A second signal does not wait for the one under way.
pub(super) struct Pace {
    pause: Duration,
    next: Instant,
    told: Arc<(Mutex<Option<Signal>>, Condvar)>,
}

impl Pace {
    pub(super) fn new(pause: Option<Duration>) -> Result<Self, Failure> {
        let told = Arc::new((Mutex::new(None), Condvar::new()));
        let listener = Arc::clone(&told);
        signals::listen(move |signal| {
            let (told, changed) = &*listener;
            if told.lock().unwrap_or_else(PoisonError::into_inner).replace(signal).is_some() {
                process::exit(i32::from(signal.exit().code()));
            }
            changed.notify_all();
        })?;
        Ok(Self { pause: pause.unwrap_or_default(), next: Instant::now(), told })
    }

    /// Waits until the next one may be done. `Some`: none may, because of this signal.
    pub(super) fn wait(&mut self) -> Option<Signal> {
        let (told, changed) = &*self.told;
        let told = told.lock().unwrap_or_else(PoisonError::into_inner);
        let left = self.next.saturating_duration_since(Instant::now());
        let waited = changed.wait_timeout_while(told, left, |told| told.is_none());
        let (told, _) = waited.unwrap_or_else(PoisonError::into_inner);
        self.next = Instant::now() + self.pause;
        *told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        assert_eq!(rate("10/s"), Ok(Duration::from_millis(100)));
        assert_eq!(rate("30/m"), Ok(Duration::from_secs(2)));
        for wrong in ["", "10", "0/s", "/s", "10/", "10/h", "-1/s", "1.5/s"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }
}
