//! When, how urgently and how often a job is to be handled: `submit` and `call` take the same.

use std::time::Duration;

use clap::Args;

use super::duration;
use super::exit::{Exit, Failure};
use crate::adapters::host::OsHost;
use crate::ports::Host as _;
use crate::{Millis, Priority, Submission};

#[derive(Debug, Args)]
pub(super) struct Policies {
    /// Its place in the order: 0 is handled first, 9 last [default: 5]
    #[arg(long, value_name = "0-9", allow_hyphen_values = true, help_heading = "Policies")]
    priority: Option<Priority>,

    /// Handle it only after so much time (200 years at most)
    #[arg(long, value_name = "D", allow_hyphen_values = true, value_parser = duration::any, help_heading = "Policies")]
    delay: Option<Duration>,

    /// Handle it only from this time on (RFC 3339, as 2026-11-23T06:00:00Z)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = Millis::parse_rfc3339, conflicts_with = "delay", help_heading = "Policies")]
    at: Option<Millis>,

    /// Do not handle it any more after so much time, or from this time on: then its outcome is `expired`
    #[arg(long, value_name = "D|TIME", allow_hyphen_values = true, value_parser = deadline, help_heading = "Policies")]
    expires: Option<Deadline>,

    /// Attempt it so often at most (1 or more), whatever its consumer says
    #[arg(long, value_name = "N", allow_hyphen_values = true, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Policies")]
    max_attempts: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deadline {
    After(Duration),
    At(Millis),
}

fn deadline(text: &str) -> Result<Deadline, String> {
    // No duration has a year before a dash.
    if text.as_bytes().get(4) == Some(&b'-') {
        return Millis::parse_rfc3339(text).map(Deadline::At).map_err(|e| e.to_string());
    }
    duration::some(text)
        .map(Deadline::After)
        .map_err(|why| format!("{why}; a time looks like 2026-11-23T06:00:00Z (RFC 3339)"))
}

impl Policies {
    /// What can be said before anything is read or submitted.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let too_early = match self.expires {
            Some(Deadline::After(expires)) => self.delay.is_some_and(|delay| expires <= delay),
            Some(Deadline::At(expires)) => self.at.is_some_and(|at| expires <= at),
            None => false,
        };
        if too_early {
            let why = "--expires has to be later than --delay or --at: the job would never be handled";
            return Err(Failure::new(Exit::Usage, why));
        }
        match self.expires {
            Some(Deadline::At(expires)) if expires <= OsHost.now() => {
                let why = format!("--expires {} is over already", expires.rfc3339());
                Err(Failure::new(Exit::BadData, why))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn of(&self, mut job: Submission) -> Submission {
        if let Some(priority) = self.priority {
            job = job.priority(priority);
        }
        if let Some(delay) = self.delay {
            job = job.delay(delay);
        }
        if let Some(at) = self.at {
            job = job.not_before(at);
        }
        if let Some(attempts) = self.max_attempts {
            job = job.max_attempts(attempts);
        }
        match self.expires {
            Some(Deadline::After(time)) => job.expires_after(time),
            Some(Deadline::At(time)) => job.expires_at(time),
            None => job,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_a_duration_or_a_time() {
        assert_eq!(deadline("2h"), Ok(Deadline::After(Duration::from_secs(7200))));
        let time = Millis::parse_rfc3339("2026-11-23T06:00:00Z").unwrap();
        assert_eq!(deadline("2026-11-23T07:00:00+01:00"), Ok(Deadline::At(time)));
        assert!(deadline("2026-11-31T00:00:00Z").unwrap_err().contains("is not a time"));
        assert!(deadline("9999-12-31T23:59:59Z").unwrap_err().contains("before 2286"));
        assert!(deadline("tomorrow").unwrap_err().contains("a time looks like"));
        assert!(deadline("0s").is_err() && deadline("").is_err());
    }
}
