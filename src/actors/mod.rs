//! Who acts on a drop folder, over the seams alone: the same code runs on a real folder and in the simulator.

pub mod collector;
pub mod consumer;
pub mod handler;
mod heart;
pub mod intake;
pub mod observer;
pub mod producer;
mod troubles;

/// A machine's name in the alphabet of ids, at most 40 long: `-` for what is not in it.
pub(crate) fn plain_name(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '-' };
    let name: String = name.chars().take(40).map(plain).collect();
    if name.is_empty() { "unnamed".to_owned() } else { name }
}
