//! A reason in words: what it is, what of this file, and what would make it go.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use super::super::{duration, shell};
use crate::words::{shown, used_by};
use crate::{Holder, Oddity, Taker, Why};

/// What is said of a file.
pub(super) struct Told {
    /// One word, for programs.
    pub(super) reason: &'static str,
    /// What is so of all files that are left for this reason.
    pub(super) what: String,
    /// What is so of this one.
    pub(super) detail: String,
    /// What somebody can do.
    pub(super) next: String,
    /// Less is sooner: of several consumers the one counts that takes it first.
    pub(super) rank: u8,
}

impl Told {
    pub(super) fn sentence(&self) -> String {
        if self.detail.is_empty() { self.what.clone() } else { format!("{}: {}", self.what, self.detail) }
    }
}

const NOBODY: &str = "nobody is there to take it; start a consumer:";

pub(super) fn of(why: &Why, name: &OsStr, taker: &Taker, drop: &Path) -> Told {
    let drop = shell::word(drop);
    let name = shown(name);
    let told = |rank, reason, what: &str, detail: String, next: String| Told {
        reason,
        what: what.to_owned(),
        detail,
        next,
        rank,
    };
    let start = || match taker.consumers.is_empty() {
        true => format!("{NOBODY} consumer run {drop} -- CMD"),
        false => String::new(),
    };
    match why {
        Why::Ready => told(0, "ready", "a job; it is taken in its turn", String::new(), start()),
        Why::Complete(evidence) => {
            let what = "complete; it is taken when a consumer next looks";
            told(1, "complete", what, evidence.to_string(), start())
        }
        Why::Recent { ago, left } => {
            let quiet = show(taker.habits.quiet());
            let what = format!(
                "it has to be left alone for {quiet}, unless something else tells that it is complete"
            );
            let next = format!("wait {}; or rename it into place, or put {name}.done beside it", show(*left));
            told(2, "recent", &what, format!("changed {} ago", show(*ago)), next)
        }
        Why::Changing { before, now, within, by } => {
            let size = match now.checked_sub(*before) {
                Some(0) => format!("{now} bytes, written again"),
                Some(more) => format!("{now} bytes, {more} more than {} before", show(*within)),
                None => format!("{now} bytes, {before} bytes {} before", show(*within)),
            };
            let detail = if by.is_empty() { size } else { format!("{size}; {}", open_in(by)) };
            let next = "wait until it is written".to_owned();
            told(3, "changing", "somebody is writing it", detail, next)
        }
        Why::Open { by } => {
            let next = "it is taken when that is closed".to_owned();
            told(4, "open", "somebody has it open for writing", open_in(by), next)
        }
        Why::NoMarker(wanted) => {
            let what = format!("it is taken only with a file beside it that ends in {}", wanted.join(" or "));
            let first = wanted.first().map_or("", String::as_str);
            told(5, "no-marker", &what, String::new(), format!("when it is complete, make {name}{first}"))
        }
        Why::StaleMarker(suffix) => {
            let what = "the file beside it that says that it is complete is older than its last change";
            let next = format!("if it is complete: touch {name}{suffix}");
            told(6, "stale-marker", what, format!("{name}{suffix}"), next)
        }
        Why::WrongChecksum { suffix, said, is } => {
            let what = "it does not have the checksum in the file beside it";
            let detail = match (said, is) {
                (Some(said), Some(is)) => format!("{name}{suffix} says {said}, it has {is}"),
                _ => format!("there is none for it in {name}{suffix}"),
            };
            let next = "send it again, or put the right checksum there".to_owned();
            told(7, "wrong-checksum", what, detail, next)
        }
        Why::Unreadable { why, owner, mode, .. } => {
            let detail = format!("{why}; it belongs to user {owner}, with mode {mode:04o}");
            let next = "let the consumer's user read it (chmod), or have a group share the folder: ";
            let next = format!("{next}filedrop init {drop} --shared GROUP");
            told(8, "unreadable", "it cannot be read", detail, next)
        }
        Why::Ignored(pattern) => {
            let (reason, what) = match used_by(pattern) {
                Some(whose) => ("temporary", format!("names like {pattern} are temporary: {whose}")),
                None => ("ignored", format!("the consumer ignores names like {pattern} (--ignore)")),
            };
            told(9, reason, &what, String::new(), "when it is complete, rename it".to_owned())
        }
        Why::Marker { of, there } => {
            let (of, what) = (shown(of), "a marker, which tells that another file is complete");
            let next = "put that file here, or remove this one".to_owned();
            match there {
                true => told(9, "marker", what, format!("of {of}"), String::new()),
                false => told(9, "marker", what, format!("of {of}, which is not here"), next),
            }
        }
        Why::Misnamed(flaw) => {
            let what = "it ends as names of ours, and is not the name of a job";
            let next = "rename it, or submit what is in it: ";
            let next = format!("{next}producer submit {drop} --batch FILE --envelopes");
            told(9, "misnamed", what, flaw.clone(), next)
        }
        Why::Delivered { home, address } => {
            let next = format!("to take it: producer collect {} --as {address}", shell::word(home));
            told(0, "delivered", "an outcome that waits to be collected", String::new(), next)
        }
        Why::Archived => {
            let what =
                "the name of an archived job, which is no job any more; the next consumer puts it back";
            let next = format!("to try a dead letter again: filedrop dead redrive {drop} ID");
            told(9, "archived", what, String::new(), next)
        }
        Why::Odd(oddity) => {
            let (reason, what, next) = odd(*oddity);
            told(9, reason, what, String::new(), next.to_owned())
        }
    }
}

fn odd(oddity: Oddity) -> (&'static str, &'static str, &'static str) {
    let remove = "remove it";
    match oddity {
        Oddity::Folder => ("folder", "a folder; only files are taken", "move its files here, one by one"),
        Oddity::SymbolicLink => (
            "symbolic-link",
            "a symbolic link; such are never followed",
            "remove it, or move the file itself here",
        ),
        Oddity::Pipe => ("pipe", "a named pipe; such are never opened", remove),
        Oddity::Socket => ("socket", "a socket; such are never opened", remove),
        Oddity::Device => ("device", "a device; such are never opened", remove),
    }
}

fn open_in(by: &[Holder]) -> String {
    if by.is_empty() {
        return "a process of another user, or one that cannot be told from here".to_owned();
    }
    let holders: Vec<_> =
        by.iter().map(|holder| format!("process {} ({})", holder.pid, holder.command)).collect();
    format!("in {}", holders.join(", "))
}

/// Without the digits that nobody reads.
pub(super) fn show(exact: Duration) -> String {
    let millis = exact.as_millis() as u64;
    duration::show(Duration::from_millis(if millis < 1000 { millis } else { millis / 1000 * 1000 }))
}
