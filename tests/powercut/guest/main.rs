//! What runs in the virtual machine whose power is cut (`tests/powercut/run`), and what looks at the disks afterwards.
//!
//!     powercut work DROP SEED             all roles at once, until the power goes
//!     powercut check DROP BOOKS           is all there that was acknowledged, and nothing half or twice
//!     powercut drain DROP                 handles what is left
//!     powercut check DROP BOOKS at-rest   the same again, and nothing is left
//!
//! Lines on stdout: `@` is an acknowledgement, written when the call has returned; `!` is something that must not be; `=` counts.
//! BOOKS has the acknowledgements of earlier times, without their `@`; it may be a disk, and then ends with a zero byte.

#![allow(clippy::print_stdout)]

mod books;
mod check;
mod contents;
mod drain;
mod files;
mod work;

use std::path::Path;

type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The Return Address of the jobs that ask for one.
const ADDRESS: &str = "billing";
/// Groups, and the patterns that they subscribe to.
const GROUPS: [(&str, &str); 2] = [("audit", ">"), ("mail", "orders.*")];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let answer = match arguments[..] {
        ["work", drop, seed] => work::run(Path::new(drop), seed),
        ["drain", drop] => drain::run(Path::new(drop)),
        ["check", drop, books] => check::run(Path::new(drop), Path::new(books), false),
        ["check", drop, books, "at-rest"] => check::run(Path::new(drop), Path::new(books), true),
        _ => Err("usage: powercut work DROP SEED | drain DROP | check DROP BOOKS [at-rest]".into()),
    };
    if let Err(why) = answer {
        println!("! ended: {}: {why}", arguments.first().unwrap_or(&"powercut"));
        std::process::exit(2);
    }
}
