//! The command lines, as processes on real folders.

mod harness;
mod terminal;

mod addresses;
mod answers;
mod collect;
mod dead;
mod deployments;
mod doctor;
mod envelopes;
mod errors;
mod events;
mod explain;
mod flow;
mod full_disk;
mod gc;
mod groups;
mod handlers;
mod help;
mod ids;
mod init;
mod intake;
mod live;
mod logging;
mod pipes;
mod policies;
mod redrive;
mod run;
mod show;
mod status;
mod submit;
mod travel;
mod wait;
mod workers;
