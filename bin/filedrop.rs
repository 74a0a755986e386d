//! See `src/edge/cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    filedrop::edge::cli::filedrop()
}
