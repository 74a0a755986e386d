//! Checksum files, as the programs write them that people have.

use std::borrow::Cow;

/// Bytes as checksums are written: in lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// The SHA-256 in a checksum file, in lower-case hex: `<hex>`, `<hex>  <name>` (coreutils), `SHA256 (<name>) = <hex>` (BSD). Of
/// several lines, the first one counts that names the file, or names none. `None` if there is no such line before one that is
/// none of these.
pub fn parse_checksum(text: &[u8], file: &[u8]) -> Option<String> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    for line in text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_start) {
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let (name, hex) = bsd(line).or_else(|| coreutils(line))?;
        // Who writes the file may have had it in another folder.
        let name = name.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        // `sha256sum < x.csv` calls it `-`. Some line up their columns with more blanks than one.
        if matches!(name, b"" | b"-") || name == file || name.trim_ascii() == file {
            return Some(hex);
        }
    }
    None
}

/// `SHA256 (<name>) = <hex>`
fn bsd(line: &[u8]) -> Option<(Cow<'_, [u8]>, String)> {
    let (escaped, line) = mark(line);
    let rest = line.strip_prefix(b"SHA256 (")?;
    let at = rest.windows(4).rposition(|window| window == b") = ")?;
    Some((plain(&rest[..at], escaped)?, digest(rest[at + 4..].trim_ascii())?))
}

/// `<hex>`, or it and ` ` or `*` and the name, after a blank.
fn coreutils(line: &[u8]) -> Option<(Cow<'_, [u8]>, String)> {
    let (escaped, line) = mark(line);
    let (hex, rest) = line.split_at_checked(64)?;
    let rest = rest.strip_suffix(b"\r").unwrap_or(rest);
    let name = match rest {
        blanks if blanks.trim_ascii().is_empty() => b"",
        [b' ', b' ' | b'*', name @ ..] => name,
        [blank, name @ ..] if blank.is_ascii_whitespace() => name,
        _ => return None,
    };
    Some((plain(name, escaped)?, digest(hex)?))
}

/// A backslash before the line says that there are some in the name.
fn mark(line: &[u8]) -> (bool, &[u8]) {
    line.strip_prefix(b"\\").map_or((false, line), |line| (true, line))
}

/// The name without backslashes that stand for something else. `None` if one stands for nothing.
pub(super) fn plain(name: &[u8], escaped: bool) -> Option<Cow<'_, [u8]>> {
    if !escaped {
        return Some(Cow::Borrowed(name));
    }
    let mut plain = Vec::with_capacity(name.len());
    let mut bytes = name.iter();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'\\' => match bytes.next()? {
                b'\\' => b'\\',
                b'n' => b'\n',
                b'r' => b'\r',
                _ => return None,
            },
            byte => *byte,
        });
    }
    Some(Cow::Owned(plain))
}

fn digest(word: &[u8]) -> Option<String> {
    let hex = word.len() == 64 && word.iter().all(u8::is_ascii_hexdigit);
    hex.then(|| String::from_utf8_lossy(word).to_ascii_lowercase())
}
