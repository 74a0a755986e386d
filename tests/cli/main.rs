//! The command lines, as processes on real folders.

mod harness;
mod terminal;

mod deployments;
mod errors;
mod full_disk;
mod help;
mod init;
mod live;
mod logging;
mod pipes;
mod run;
mod status;
mod submit;
mod wait;
