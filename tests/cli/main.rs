//! The command lines, as processes on real folders.

mod harness;

mod errors;
mod help;
mod pipes;
mod run;
mod status;
mod submit;
mod wait;
