//! Commands to be copied into a shell.

use std::path::Path;

/// A path as one word of a command.
pub(super) fn word(path: &Path) -> String {
    let path = path.display().to_string();
    let harmless = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
    if !path.is_empty() && !path.starts_with('-') && path.chars().all(harmless) {
        path
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        assert_eq!(word(Path::new("/srv/drop")), "/srv/drop");
        assert_eq!(word(Path::new("it's here")), r"'it'\''s here'");
        assert_eq!(word(Path::new("-q")), "'-q'");
    }
}
