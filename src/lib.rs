//! Programs that talk through files in a shared folder.
//!
//! A *producer* drops a job, which is a file, into a [`DropFolder`]. A *consumer*, one of any number, claims it by renaming
//! it into a room of its own, handles it, and decides its one outcome, which is a file too; the producer finds it by the
//! job's id. Neither need be running when the other is, and either may be killed at any point: a job that was accepted is
//! handled at least once, and has exactly one outcome, for ever. `PROTOCOL.md` says how, step by step.
//!
//! ```
//! # use std::time::Duration;
//! # #[tokio::main]
//! # async fn main() -> filedrop::Result<()> {
//! # let place = tempfile::tempdir().unwrap();
//! # let path = place.path().join("drop");
//! use filedrop::{DropFolder, Job, Submission};
//!
//! // Here, or in another program, or tomorrow on another machine:
//! let drop = DropFolder::init(&path)?;
//! let id = drop.submit(Submission::new("greet").data("world"))?;
//!
//! let greet = async |job: Job| -> Result<String, std::str::Utf8Error> {
//!     Ok(format!("hello {}", std::str::from_utf8(job.data())?))
//! };
//! drop.consumer().drain(true).run(greet).await?;
//!
//! let outcome = drop.wait(&id, Some(Duration::from_secs(10))).await?;
//! assert_eq!(outcome.data(), b"hello world");
//! # Ok(())
//! # }
//! ```
//!
//! Most programs need no more than [`DropFolder`], [`Submission`], [`Consumer`], [`Job`], [`Outcome`] and [`Error`].
//!
//! # A tour
//!
//! The modules, in the order in which a job meets them:
//!
//! 1. [`words`]: what a job, a name, an envelope and an outcome *are*. Pure: no file, no clock.
//! 2. [`actors::producer`] makes an envelope and a name, and submits them; at the end it waits for the outcome.
//! 3. [`ports`] are the seams below: [`ports::Store`] speaks in the queue's verbs, [`ports::Fs`] in system calls,
//!    [`ports::Watch`] rings when something may have changed.
//! 4. [`adapters::store::local`] does each verb as the protocol's links, renames and flushes.
//! 5. [`actors::consumer`] takes the job: [`take`](actors::consumer::take), [`conclude`](actors::consumer::conclude) and
//!    [`finish`](actors::consumer::finish) are all
//!    of it; the rest keeps many workers at them.
//! 6. [`actors::handler`] is what the job is given to: an async closure or a command.
//! 7. [`actors::observer`] is told of it all.
//!
//! Words know nothing of ports, ports nothing of actors, actors nothing of adapters; only the façade, [`DropFolder`], and
//! the command line put them together.
//!
//! # Features
//!
//! `cli` (on by default): the programs `producer`, `consumer` and `filedrop`. `sim`: a simulated file system that forgets
//! what was not flushed, to test programs against crashes.

pub mod actors;
pub mod adapters;
#[cfg(feature = "cli")]
pub mod edge;
mod folder;
pub mod ports;
pub mod words;

pub use actors::collector::{Collected, Handing};
pub use actors::consumer::{Stopper, Summary};
pub use actors::handler::{Exec, Rejected, Workers};
pub use actors::intake::{JobRule, ManifestRule, TakenIn};
pub use actors::observer::{Event, Observer};
pub use actors::producer::{Receipt, Submission};
pub use adapters::fs::Holder;
pub use folder::{
    Autopsy, Choice, Collector, Consumer, Diagnosis, Doctor, DropFolder, Explainer, GroupStory, InitOptions,
    Intake, Oddity, Outgoing, Reply, ReplyStory, Risk, Story, Subscribed, Taker, Trace, Tried, Untaken, Why,
};
pub use ports::{
    Backlog, Broom, Census, Chosen, ConsumerCensus, DeadLetter, Delivery, Durability, Group, Place,
    Recipient, Refusal, Resubscribed, RoomCounts, Swept, Takeover, WatchMode,
};
pub use words::*;
