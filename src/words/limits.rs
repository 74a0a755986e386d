//! The numbers that all who share a folder must agree on.

use std::time::Duration;

/// The largest job or outcome file, in bytes. Larger data travels beside the envelope.
pub const MAX_FILE_BYTES: usize = 16 << 20;

/// How deep JSON may be nested to be put into an envelope as it is.
pub const MAX_DATA_DEPTH: usize = 128;

/// How long a consumer may be silent before others take its claims, if its presence does not say.
pub const DEFAULT_LEASE: Duration = Duration::from_secs(30);

/// How long a file that a stranger drops has to be left alone, if nothing else tells that it is complete, and if its consumer does
/// not say.
pub const DEFAULT_QUIET: Duration = Duration::from_secs(2);

/// How long settled jobs and their outcomes are kept at least, if `filedrop.json` does not say.
pub const DEFAULT_KEEP: Duration = Duration::from_secs(7 * 24 * 60 * 60);
