//! The local folder: the protocol's steps as links, renames and flushes. `PROTOCOL.md` numbers them.

mod admission;
mod another;
mod arrivals;
mod census;
mod claim;
mod collect;
mod dead;
mod delay;
mod draft;
mod empty;
mod exchange;
mod foreign;
mod hints;
mod init;
mod layout;
mod ledger;
mod letters;
mod misplaced;
mod moves;
mod origin;
mod orphan;
mod ours;
mod payload;
mod presence;
mod recover;
mod report;
mod returned;
mod settle;
mod submit;
mod sweep;
mod together;
mod window;
mod workspace;

use std::collections::HashMap;
use std::ffi::OsStr;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::ports::{
    Admitted, Arrivals, Arrived, Attachment, Beat, Broom, Census, Claim, Claimed, DeadLetter, Exchange,
    FanOut, Fetched, FileId, Finding, Fs, Group, Harvest, Host, Interest, Looked, Marker, NewJob, Place,
    Prepared, Progress, Promotion, Remains, Resubscribed, Scan, Store, Submitted, Swept, Takeover, Vigil,
    Wish, Workspace,
};
use crate::words::{
    Attempt, ClaimCheck, Envelope, Habits, Id, InboxName, Millis, Outcome, Result, StampedId, id_of_file,
};

pub(crate) use dead::successor;
use empty::Last;
pub use foreign::{ForeignFolder, Premises};
pub(crate) use foreign::{HOME, path_from_reference};
use init::Settings;
pub use layout::Layout;
pub(crate) use ours::{INTAKE_LOG, is_ours};
pub use presence::LocalRoom;
use sweep::Bookmark;

/// A drop folder on a file system.
pub struct LocalStore<F, H> {
    fs: F,
    host: H,
    layout: Layout,
    /// The drop folder that it is a group in.
    home: Option<Arc<Self>>,
    settings: Settings,
    /// Drafts without a name, until the file system says that it has none.
    unnamed: AtomicBool,
    /// Folders that this process has seen durable (R6).
    durable: Mutex<HashMap<PathBuf, FileId>>,
    /// The days of given ids, as their entries told them.
    days: Mutex<HashMap<Id, String>>,
    /// Where a sweep that is not finished goes on.
    bookmark: Mutex<Option<Bookmark>>,
    /// Whether the folders in which something may come were empty.
    found_last: Mutex<HashMap<PathBuf, Last>>,
    /// Of a group: whether it was said that it is subscribed to nothing any more.
    unsubscribed: AtomicBool,
}

impl<F: Fs, H: Host> LocalStore<F, H> {
    fn at(fs: F, host: H, layout: Layout) -> Self {
        Self {
            fs,
            host,
            home: None,
            layout,
            settings: Settings::default(),
            unnamed: AtomicBool::new(true),
            durable: Mutex::default(),
            days: Mutex::default(),
            bookmark: Mutex::default(),
            found_last: Mutex::default(),
            unsubscribed: AtomicBool::new(false),
        }
    }

    /// The paths of this drop folder.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The file system that it lies on.
    pub fn fs(&self) -> &F {
        &self.fs
    }

    /// The machine that it was opened on.
    pub fn host(&self) -> &H {
        &self.host
    }
}

impl<F: Fs, H: Host> Exchange for LocalStore<F, H> {
    fn subscribe(&self, group: &Id, wish: &Wish<'_>) -> Result<Resubscribed> {
        self.subscribe_group(group, wish)
    }

    fn groups(&self) -> Result<Vec<Group>> {
        self.all_groups()
    }

    fn fan_out(&self) -> Result<FanOut> {
        self.fan_out_all()
    }
}

impl<F: Fs, H: Host> Store for LocalStore<F, H> {
    type Room = LocalRoom<F::File>;

    fn submit(&self, jobs: &[NewJob]) -> Result<Vec<Submitted>> {
        self.publish_jobs(jobs)
    }

    fn attach(&self, job: &Id, files: &[Attachment], progress: &mut dyn FnMut(u64)) -> Result<ClaimCheck> {
        self.put_beside(job, files, progress)
    }

    fn find_cargo(&self, check: &ClaimCheck) -> Result<()> {
        self.cargo(check).map(drop)
    }

    fn finish_move(&self, check: &ClaimCheck, files: &[Attachment]) -> Vec<PathBuf> {
        self.remove_sources(check, files)
    }

    fn discard(&self, check: &ClaimCheck) -> Result<()> {
        self.throw_away(check)
    }

    fn scan_part(&self, limit: usize, most: usize) -> Result<Scan> {
        self.scan_inbox(limit, most)
    }

    fn arrivals(
        &self,
        folder: Option<&Path>,
        arrivals: &mut Arrivals,
        tell: &mut dyn FnMut(&OsStr, Finding<'_>),
    ) -> Result<Looked> {
        let inbox = self.layout.room("inbox");
        self.look_for_files(folder.unwrap_or(&inbox), arrivals, tell)
    }

    fn take_files(&self, room: &Self::Room, files: &[Arrived]) -> Result<Vec<Fetched>> {
        self.take_dropped(room.name(), files)
    }

    fn admit(&self, room: &Self::Room, taken: &[StampedId]) -> Result<Vec<Result<Admitted>>> {
        self.admit_taken(room.name(), taken)
    }

    fn untake(&self, room: &Self::Room, taken: &StampedId) -> Result<()> {
        // Who took it found it unchanged then.
        self.give_back(room.name(), taken, |file| id_of_file(file).is_none_or(|id| id == taken.id))
    }

    fn finish_arrival(&self, marker: &Marker) -> Result<()> {
        self.remove_marker(marker)
    }

    fn register(&self, consumer: &Id, lease: Duration) -> Result<Self::Room> {
        self.make_room(consumer, lease)
    }

    fn announce(&self, room: &Self::Room, habits: &Habits) -> Result<Beat> {
        self.tell_habits(room, habits)
    }

    fn beat(&self, room: &Self::Room, progress: Progress) -> Result<Beat> {
        self.change_presence(room, progress)
    }

    fn claim(&self, room: &Self::Room, name: &InboxName) -> Result<Claimed> {
        self.take(room, name)
    }

    fn promote(&self, limit: usize) -> Result<Promotion> {
        self.bring_due(limit)
    }

    fn put_back(&self, name: &InboxName) -> Result<PathBuf> {
        self.move_back(name)
    }

    fn release(&self, room: &Self::Room, claim: &Claim) -> Result<()> {
        self.hand_back(room.name(), &claim.name)
    }

    fn postpone(&self, room: &Self::Room, claim: &Claim, due: Millis, attempt: &Attempt) -> Result<()> {
        self.is_from_here(claim)?;
        self.put_off(room.name(), claim, due, attempt)
    }

    fn attempts(&self, name: &InboxName) -> Result<Vec<Attempt>> {
        self.records(name)
    }

    fn workspace(&self, claim: &Claim, prepared: Prepared) -> Result<Workspace> {
        self.make_workspace(&claim.name.id, prepared)
    }

    fn harvest(&self, workspace: &Workspace) -> Result<Harvest> {
        self.take_in(workspace)
    }

    fn settle(&self, room: &Self::Room, claim: &Claim, outcome: &Outcome) -> Result<bool> {
        self.settle_all(room, &[(claim, outcome)]).pop().expect("an answer for each")
    }

    fn settle_all(&self, room: &Self::Room, jobs: &[(&Claim, &Outcome)]) -> Vec<Result<bool>> {
        self.settle_together(room.name(), jobs)
    }

    fn settles_together(&self) -> bool {
        self.fs.flushes()
    }

    fn collected(&self, room: &Self::Room, claim: &Claim) -> Result<bool> {
        self.archive_delivery(room.name(), &claim.name)
    }

    fn uncollected(&self, room: &Self::Room, claim: &Claim) -> Result<()> {
        self.count_and_return(room.name(), &claim.name)
    }

    fn recover(&self, room: &Self::Room, vigil: &mut Vigil) -> Result<Takeover> {
        let mut takeover = self.take_over(room.name(), vigil)?;
        self.help_on_events(&mut takeover);
        if let Some(home) = &self.home {
            home.help_on_events(&mut takeover);
            self.tell_if_unsubscribed();
        }
        Ok(takeover)
    }

    fn abandon(&self, room: &Self::Room) {
        room.let_go();
    }

    fn retire(&self, room: Self::Room) -> Result<()> {
        self.leave(&room)
    }

    fn outcome(&self, id: &Id) -> Result<Option<Outcome>> {
        self.report(id)
    }

    fn outcomes(
        &self,
        ids: &[Id],
        everywhere: bool,
        tell: &mut dyn FnMut(&Id, Result<Outcome>) -> ControlFlow<()>,
    ) {
        // Whether it was told to stop is known to whoever said so.
        let _ = self.report_all(ids, everywhere, tell);
    }

    fn hints(&self, what: Interest<'_>) -> Vec<PathBuf> {
        self.folders_of(what)
    }

    fn may_be_decided(&self, id: &Id) -> bool {
        self.has_slot(id)
    }

    fn locate(&self, id: &Id) -> Result<Vec<Place>> {
        self.find_moving(id)
    }

    fn census(&self) -> Result<Census> {
        self.count()
    }

    fn envelope(&self, id: &Id) -> Result<Option<Envelope>> {
        self.envelope_of(id)
    }

    fn dead(&self) -> Result<Vec<DeadLetter>> {
        self.letters()
    }

    fn exhume(&self, letter: &DeadLetter) -> Result<Option<Remains>> {
        self.remains_of(letter)
    }

    fn redrive(&self, letter: &InboxName) -> Result<Id> {
        self.submit_again(letter)
    }

    fn purge(&self, letter: &InboxName) -> Result<()> {
        self.remove_letter(letter)
    }

    fn sweep(&self, broom: &mut Broom<'_>) -> Result<Swept> {
        let mut swept = self.sweep_up(broom)?;
        if let Some(home) = &self.home {
            swept += home.sweep_up(broom)?;
        }
        Ok(swept)
    }
}
