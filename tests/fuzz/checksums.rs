//! Checksum files: what programs write is understood whatever the file is called; of anything else no checksum is made up.

use filedrop::words::parse_checksum;

const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const OTHER: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// `input` is a file's name, NUL, and what lies beside it.
pub(crate) fn check(input: &[u8]) {
    let mut parts = input.splitn(2, |byte| *byte == 0);
    let (name, text) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if let Some(hex) = parse_checksum(text, name) {
        assert!(hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{hex}");
        let stands_there = |window: &[u8]| window.eq_ignore_ascii_case(hex.as_bytes());
        assert!(text.windows(64).any(stands_there), "{hex} is in it");
    }
    if name.is_empty() || name.contains(&b'/') {
        return;
    }
    for line in written(DIGEST, name) {
        let said = || String::from_utf8_lossy(&line).into_owned();
        assert_eq!(parse_checksum(&line, name).as_deref(), Some(DIGEST), "{}", said());
        let other = [name, b"x"].concat();
        let after_another = [&written(OTHER, &other)[0], &line[..]].concat();
        assert_eq!(
            parse_checksum(&after_another, name).as_deref(),
            Some(DIGEST),
            "after another's {}",
            said()
        );
        // So a file is called that came from standard input, and one that has no name there.
        if name != b"-" && !name.trim_ascii().is_empty() {
            assert_eq!(parse_checksum(&line, &other), None, "of another file: {}", said());
        }
    }
}

/// A line of `sha256sum`, of it with `-b`, of it with `--tag`, and of one that was run in another folder.
fn written(digest: &str, name: &[u8]) -> [Vec<u8>; 4] {
    let (mark, name) = match name.iter().any(|byte| b"\\\n\r".contains(byte)) {
        true => ("\\", escaped(name)),
        false => ("", name.to_vec()),
    };
    let line = |before: &str, after: &str| [before.as_bytes(), &name, after.as_bytes()].concat();
    [
        line(&format!("{mark}{digest}  "), "\n"),
        line(&format!("{mark}{digest} *"), "\n"),
        line(&format!("{mark}SHA256 ("), &format!(") = {digest}\n")),
        line(&format!("{mark}{digest}  ./out/"), "\n"),
    ]
}

/// As the GNU core utilities have it.
fn escaped(name: &[u8]) -> Vec<u8> {
    let escape = |byte: &u8| match byte {
        b'\\' => b"\\\\".to_vec(),
        b'\n' => b"\\n".to_vec(),
        b'\r' => b"\\r".to_vec(),
        other => vec![*other],
    };
    name.iter().flat_map(escape).collect()
}
