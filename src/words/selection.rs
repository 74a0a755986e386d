//! Which paths are meant, by patterns.

use std::path::Path;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::{Error, ErrorKind, Result};

/// Patterns (`*`, `?`, `[…]`, `{…,…}`). One without a slash is about names, one with a slash about paths.
#[derive(Debug, Clone)]
pub struct Selection {
    names: GlobSet,
    paths: GlobSet,
    empty: bool,
}

impl Selection {
    /// ```
    /// use std::path::Path;
    /// let csv = filedrop::Selection::new(&["*.{csv,txt}".into(), "in/*".into()]).unwrap();
    /// assert!(csv.has(Path::new("deep/x.csv")) && csv.has(Path::new("in/y")) && !csv.has(Path::new("y")));
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if one is no pattern, or empty.
    pub fn new(patterns: &[String]) -> Result<Self> {
        let (mut names, mut paths) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        for pattern in patterns {
            if pattern.is_empty() {
                return Err(Error::new(ErrorKind::Invalid, "an empty pattern fits no name"));
            }
            let glob = GlobBuilder::new(pattern).literal_separator(true).backslash_escape(true).build();
            let wrong = |e: globset::Error| format!("{pattern:?} is no pattern: {}", e.kind());
            let glob = glob.map_err(|e| Error::new(ErrorKind::Invalid, wrong(e)))?;
            if pattern.contains('/') {
                paths.add(glob)
            } else {
                names.add(glob)
            };
        }
        let build = |set: &GlobSetBuilder| {
            set.build().map_err(|e| Error::new(ErrorKind::Invalid, format!("too many patterns: {e}")))
        };
        Ok(Self { names: build(&names)?, paths: build(&paths)?, empty: patterns.is_empty() })
    }

    /// Whether there is no pattern.
    pub fn is_empty(&self) -> bool {
        self.empty
    }

    /// Whether one of them fits this path.
    pub fn has(&self, path: &Path) -> bool {
        self.paths.is_match(path) || path.file_name().is_some_and(|name| self.names.is_match(name))
    }
}
