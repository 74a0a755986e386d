//! Sizes on the command line: `4096`, `64k`, `1MiB`, `1.5M`. Powers of 1024, as envelopes are measured.

use std::ops::RangeInclusive;

use parse_size::{Config, Error};

/// A parser of a number of bytes in this range.
pub(super) fn within(range: RangeInclusive<usize>) -> impl Fn(&str) -> Result<usize, String> + Clone {
    move |text| {
        let fits = match Config::new().with_binary().parse_size(text) {
            Ok(bytes) => usize::try_from(bytes).ok().filter(|bytes| range.contains(bytes)),
            Err(Error::PosOverflow) => None,
            Err(_) => return Err("a size looks like 4096, 64k or 1MiB".to_owned()),
        };
        fits.ok_or_else(|| format!("it has to be from {} to {}", show(*range.start()), show(*range.end())))
    }
}

/// As people write it.
fn show(bytes: usize) -> String {
    match bytes {
        0 => "0".to_owned(),
        mebibytes if mebibytes.is_multiple_of(1 << 20) => format!("{}MiB", mebibytes >> 20),
        kibibytes if kibibytes.is_multiple_of(1 << 10) => format!("{}KiB", kibibytes >> 10),
        bytes => bytes.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_and_limits() {
        let size = within(1..=16 << 20);
        for text in ["1024", "1k", "1K", "1KiB", "1Ki", "1kB"] {
            assert_eq!(size(text), Ok(1024), "{text}");
        }
        assert_eq!([size("1.5M"), size("16MiB")], [Ok(3 << 19), Ok(16 << 20)]);
        for text in ["", "k", "-1", "much", "1x"] {
            assert!(size(text).is_err_and(|why| why.contains("looks like")), "{text}");
        }
        for text in ["0", "17M", "1G", "99999999999T"] {
            assert_eq!(size(text), Err("it has to be from 1 to 16MiB".to_owned()), "{text}");
        }
    }
}
