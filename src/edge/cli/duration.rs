//! Durations on the command line: `500ms`, `30s`, `2h`, `7d`.

use std::time::Duration;

/// Far more than anybody means, and from today on still within what the times in names and envelopes can be.
const MOST: Duration = Duration::from_secs(200 * 365 * 24 * 60 * 60);

/// Any length of time, zero too.
pub(super) fn any(text: &str) -> Result<Duration, String> {
    let negative = text.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    if negative {
        return Err("a length of time cannot be negative".to_owned());
    }
    match humantime::parse_duration(text) {
        Ok(given) if given <= MOST => Ok(given),
        Ok(_) | Err(humantime::DurationError::NumberOverflow) => Err(TOO_LONG.to_owned()),
        Err(e) => Err(format!("{e}; a duration looks like 500ms, 30s, 2h or 7d")),
    }
}

const TOO_LONG: &str = "too long, it must be at most 73000d (200 years)";

/// A length of time that is not too short to make sense: at least a millisecond.
pub(super) fn some(text: &str) -> Result<Duration, String> {
    at_least(Duration::from_millis(1), any(text)?)
}

/// A lease: long enough that a busy machine can still beat three times in it.
pub(super) fn lease(text: &str) -> Result<Duration, String> {
    at_least(Duration::from_millis(100), any(text)?)
}

/// A pause between two looks at everything, also as a plain number of seconds, as `sleep` and `watch` have it.
pub(super) fn pause(text: &str) -> Result<Duration, String> {
    let given = match text.parse() {
        Ok(seconds) => match Duration::try_from_secs_f64(seconds) {
            Ok(given) if given > MOST => Err(TOO_LONG.to_owned()),
            given => given.map_err(|e| e.to_string()),
        },
        Err(_) => any(text),
    };
    at_least(Duration::from_millis(100), given?)
}

fn at_least(least: Duration, given: Duration) -> Result<Duration, String> {
    if given < least {
        return Err(format!("too short, it must be at least {}", show(least)));
    }
    Ok(given)
}

/// As people write it.
pub(super) fn show(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_and_limits() {
        assert_eq!(any("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(any("7d"), Ok(Duration::from_secs(7 * 86_400)));
        assert_eq!(any("0s"), Ok(Duration::ZERO));
        assert_eq!(any("73000d"), Ok(MOST));
        for long in ["73001d", "99999999999d", "99999999999999999999999y", "18446744073709551615s"] {
            assert_eq!(any(long), Err(TOO_LONG.to_owned()), "{long}");
        }
        assert!(
            any("-1s").unwrap_err().contains("negative")
                && any("--expires").unwrap_err().contains("looks like")
        );
        assert!(any("5").is_err() && any("").is_err() && any("soon").is_err());
        assert!(some("0s").is_err() && some("1ms").is_ok());
        assert!(lease("99ms").unwrap_err().contains("at least 100ms"));
        assert!(lease("100ms").is_ok());
        assert_eq!(
            [pause("0.5"), pause("500ms")],
            [Ok(Duration::from_millis(500)), Ok(Duration::from_millis(500))]
        );
        assert!(["0.09", "99ms", "-1", "nan", "1e99", "soon"].into_iter().all(|text| pause(text).is_err()));
    }
}
