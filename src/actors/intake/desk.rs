//! The desk: looks for complete files, takes them, brings them to the drop folder, and has the books kept.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::manifests::{Files, Verdict};
use super::run::Setup;
use super::{ManifestRule, TakenIn};
use crate::actors::heart::Heart;
use crate::actors::observer::{Event, tell};
use crate::ports::{Admitted, Arrivals, Arrived, Batch, Foreign, Host, Interest, Store, Vigil};
use crate::words::{Consignment, Error, ErrorKind, Id, Pending, Result, StampedId, pause_after, shown};

/// The pause before a safety rescan, where there are notifications: doubled each time that it finds nothing.
const FIRST_RESCAN: Duration = Duration::from_secs(1);
const LAST_RESCAN: Duration = Duration::from_secs(30);
/// How often it looks for rooms of the dead.
const RECOVER_EVERY: Duration = Duration::from_secs(30);

/// What is taken, and not finished.
struct Held<Room> {
    consignment: Consignment,
    /// Where it was brought to.
    carried: Option<(Arc<Room>, StampedId)>,
    /// It is a job.
    admitted: bool,
    failures: u32,
    due: Instant,
}

/// What a look at everything showed.
#[derive(Default)]
struct Look {
    busy: bool,
    /// Files are within their first quiet period.
    fresh: bool,
    again: Option<Duration>,
}

impl Look {
    fn again(&mut self, pause: Duration) {
        self.again = Some(self.again.map_or(pause, |before| before.min(pause)));
    }
}

pub(super) struct Desk<'h, 'a, S: Store, F: Foreign<Room = S::Room>, H: Host> {
    setup: Setup<'a, S, F, H>,
    heart: &'h Heart<'a, S>,
    arrivals: HashMap<PathBuf, Arrivals>,
    files: Files,
    held: Vec<Held<S::Room>>,
    vigil: Vigil,
    recovery_due: Instant,
    stuck: usize,
    told: std::collections::HashSet<PathBuf>,
    taken: TakenIn,
    /// Why one that works once could not do all.
    failure: Option<Error>,
}

impl<'h, 'a, S: Store, F: Foreign<Room = S::Room>, H: Host> Desk<'h, 'a, S, F, H> {
    pub(super) fn new(setup: Setup<'a, S, F, H>, heart: &'h Heart<'a, S>) -> Self {
        Self {
            setup,
            heart,
            arrivals: HashMap::new(),
            files: Files::default(),
            held: Vec::new(),
            vigil: Vigil::default(),
            recovery_due: Instant::now(),
            stuck: 0,
            told: Default::default(),
            taken: TakenIn::default(),
            failure: None,
        }
    }

    pub(super) fn work(mut self) -> Result<TakenIn> {
        self.resume()?;
        let (mut rescan, mut failures) = (FIRST_RESCAN, 0);
        while !self.setup.stopper.is_stopping() {
            let hears = self.arm();
            let began = Instant::now();
            let pause = match self.look() {
                Ok(look) => {
                    failures = 0;
                    if self.setup.options.once && !look.busy && !look.fresh {
                        break;
                    }
                    rescan = if look.busy { FIRST_RESCAN } else { (rescan * 2).min(LAST_RESCAN) };
                    let usual = if hears { rescan } else { self.setup.options.poll_interval };
                    let pause =
                        if look.busy { Duration::ZERO } else { look.again.unwrap_or(usual).min(usual) };
                    // However long a look takes: half of the time is for others.
                    pause.max(began.elapsed())
                }
                Err(e) if self.setup.options.once => return Err(e),
                Err(e) => {
                    failures += 1;
                    let pause = pause_after(failures);
                    self.trouble("look for files", None, &e, Some(pause));
                    pause
                }
            };
            let due = self.held.iter().map(|held| held.due.saturating_duration_since(Instant::now())).min();
            self.setup.stopper.bell().wait(due.map_or(pause, |due| due.min(pause)));
        }
        self.failure.map_or(Ok(self.taken), Err)
    }

    /// What was taken before and is not finished comes first.
    fn resume(&mut self) -> Result<()> {
        self.stuck = self.setup.foreign.put_back()?;
        self.recover()?;
        for consignment in self.setup.foreign.left()? {
            let due = Instant::now();
            self.finish(Held { consignment, carried: None, admitted: false, failures: 0, due });
        }
        Ok(())
    }

    /// Among the dead may be the last intake: what it had brought to its room becomes jobs.
    fn recover(&mut self) -> Result<()> {
        let takeover = self.setup.store.recover(&self.heart.room(), &mut self.vigil)?;
        let again = takeover.look_again.unwrap_or(RECOVER_EVERY).min(RECOVER_EVERY);
        self.recovery_due = Instant::now() + again.max(Duration::from_millis(100));
        if takeover.returned + takeover.admitted + takeover.helped + takeover.archived + takeover.cleared > 0
        {
            tell(self.setup.observer, &Event::Recovered(&takeover));
        }
        Ok(())
    }

    fn arm(&mut self) -> bool {
        let mut hears = self.setup.watch.hears();
        let open = self.setup.clerk.open().unwrap_or_default();
        let mut folders: Vec<PathBuf> =
            if open.is_empty() { Vec::new() } else { self.setup.store.hints(Interest::Outcomes(&open)) };
        folders.extend(self.arrivals.keys().map(|folder| self.setup.dir.join(folder)));
        if self.arrivals.is_empty() {
            folders.push(self.setup.dir.clone());
        }
        for folder in &folders {
            if !hears {
                break;
            }
            match self.setup.watch.arm(folder) {
                Err(e) if e.kind() != ErrorKind::NotFound => {
                    let event = Event::Trouble {
                        doing: "watch a folder",
                        id: None,
                        error: &e,
                        retry_in: Some(LAST_RESCAN),
                    };
                    tell(self.setup.observer, &event);
                    hears = false;
                }
                _ => {}
            }
        }
        hears
    }

    fn look(&mut self) -> Result<Look> {
        let mut look = Look { busy: self.try_again(), ..Look::default() };
        if Instant::now() >= self.recovery_due {
            self.recover()?;
        }
        if self.stuck > 0 {
            self.stuck = self.setup.foreign.put_back()?;
        }
        let folders = self.setup.foreign.folders()?;
        self.arrivals.retain(|folder, _| folders.contains(folder));
        self.pass_on_renamed(&folders);
        for folder in folders {
            if self.setup.stopper.is_stopping() {
                break;
            }
            self.look_into(&folder, &mut look)?;
        }
        self.tell_outcomes()?;
        if self.stuck > 0 {
            look.again(FIRST_RESCAN);
        }
        Ok(look)
    }

    fn pass_on_renamed(&mut self, folders: &[PathBuf]) {
        for (path, ino) in self.setup.watch.renamed() {
            let Ok(path) = path.strip_prefix(&self.setup.dir) else { continue };
            let folder = path.parent().unwrap_or(Path::new(""));
            if let (Some(name), true) = (path.file_name(), folders.iter().any(|known| known == folder)) {
                self.arrivals_of(folder).renamed(name.to_owned(), ino);
            }
        }
    }

    fn arrivals_of(&mut self, folder: &Path) -> &mut Arrivals {
        let options = self.setup.options;
        self.arrivals.entry(folder.to_owned()).or_insert_with(|| {
            let mut arrivals = Arrivals::new(options.customs.clone(), options.quiet_period);
            // What is complete and not meant, or waits for others, must not hide the rest.
            arrivals.at_once = usize::MAX;
            arrivals
        })
    }

    fn look_into(&mut self, folder: &Path, look: &mut Look) -> Result<()> {
        let mut unreadable = Vec::new();
        let foreign = self.setup.foreign;
        let looked = foreign.look(folder, self.arrivals_of(folder), &mut |name, finding| {
            if let Err(Pending::Unreadable(why)) = finding {
                unreadable.push((folder.join(name), why.clone()));
            }
        });
        let looked = match looked {
            // It was removed meanwhile.
            Err(_) if !folder.as_os_str().is_empty() && !foreign.folders()?.iter().any(|f| f == folder) => {
                return Ok(());
            }
            looked => looked?,
        };
        for (path, why) in unreadable {
            if self.told.len() < 1024 && self.told.insert(path.clone()) {
                tell(self.setup.observer, &Event::Unreadable { name: &shown(path.as_os_str()), why: &why });
            }
        }
        look.fresh |= looked.fresh > 0;
        if let Some(again) = looked.again {
            look.again(again);
        }
        let (include, exclude) = (&self.setup.options.include, &self.setup.options.exclude);
        let mut ready = looked.ready;
        ready.retain(|file| {
            let path = folder.join(&file.name);
            (include.is_empty() || include.has(&path)) && !exclude.has(&path)
        });
        match &self.setup.options.manifests {
            Some(rule) => self.take_by_manifests(folder, &ready, rule, look),
            None => {
                for file in &ready {
                    if self.setup.stopper.is_stopping() {
                        break;
                    }
                    look.busy |= self.take(&Batch { folder, files: vec![(file, None)] });
                }
                Ok(())
            }
        }
    }

    fn take_by_manifests(
        &mut self,
        folder: &Path,
        ready: &[Arrived],
        rule: &ManifestRule,
        look: &mut Look,
    ) -> Result<()> {
        let is_manifest = |file: &&Arrived| rule.names.has(&folder.join(&file.name));
        let (manifests, files): (Vec<_>, Vec<_>) = ready.iter().partition(is_manifest);
        let mut files: HashMap<&OsStr, &Arrived> =
            files.into_iter().map(|file| (file.name.as_os_str(), file)).collect();
        self.files.keep(folder, ready);
        for manifest in manifests {
            if self.setup.stopper.is_stopping() {
                break;
            }
            let (foreign, now) = (self.setup.foreign, self.setup.host.now());
            match self.files.judge(foreign, folder, manifest, &files, rule, now)? {
                Verdict::Gone => {}
                Verdict::Waiting(left) => look.again(left),
                Verdict::Rejected(why) => {
                    let path = folder.join(&manifest.name);
                    // Told first: what is told twice is no harm.
                    self.setup.clerk.rejected(&path, &why)?;
                    self.setup.foreign.set_aside(folder, manifest)?;
                    tell(self.setup.observer, &Event::Refused { path: &shown(path.as_os_str()), why: &why });
                    self.taken.rejected += 1;
                    look.busy = true;
                }
                Verdict::Complete(batch) => {
                    for (file, _) in &batch {
                        files.remove(file.name.as_os_str());
                    }
                    look.busy |= self.take(&Batch { folder, files: batch });
                }
            }
        }
        Ok(())
    }

    /// Whether it was taken.
    fn take(&mut self, batch: &Batch<'_>) -> bool {
        let (jobs, host) = (&self.setup.options.jobs, self.setup.host);
        let taken = self
            .setup
            .foreign
            .take(batch, &mut |stamp, files| jobs.describe(batch, stamp, files, host.now()));
        match taken {
            Ok(None) => false,
            Ok(Some(consignment)) => {
                let due = Instant::now();
                self.finish(Held { consignment, carried: None, admitted: false, failures: 0, due });
                true
            }
            Err(e) => {
                self.trouble("take files", None, &e, Some(FIRST_RESCAN));
                self.fail(e);
                false
            }
        }
    }

    fn try_again(&mut self) -> bool {
        let now = Instant::now();
        let (due, rest): (Vec<_>, _) =
            mem::take(&mut self.held).into_iter().partition(|held| held.due <= now);
        self.held = rest;
        // One that works once tries once; the next one goes on.
        if self.setup.options.once {
            self.held.extend(due);
            return false;
        }
        let any = !due.is_empty();
        due.into_iter().for_each(|held| self.finish(held));
        any
    }

    /// Everything after the taking. What does not work is tried again.
    fn finish(&mut self, mut held: Held<S::Room>) {
        if let Err(e) = self.try_finish(&mut held) {
            held.failures += 1;
            let pause = pause_after(held.failures);
            held.due = Instant::now() + pause;
            let retry = (!self.setup.options.once).then_some(pause);
            self.trouble("make a job of what was taken", Some(&held.consignment.stamp.id), &e, retry);
            self.fail(e);
            self.held.push(held);
            return;
        }
        let Consignment { stamp, path, files, .. } = &held.consignment;
        self.taken.jobs += 1;
        self.taken.files += files.len() as u64;
        tell(self.setup.observer, &Event::TakenIn { id: &stamp.id, path, files: files.len() });
    }

    fn try_finish(&mut self, held: &mut Held<S::Room>) -> Result<()> {
        let Setup { store, foreign, .. } = self.setup;
        let consignment = &held.consignment;
        if !held.admitted {
            if held.carried.is_none() {
                let room = self.heart.room();
                held.carried = foreign.carry(&room, consignment)?.map(|stamp| (room, stamp));
            }
            let admitted = match &held.carried {
                Some((room, stamp)) => store.admit(room, std::slice::from_ref(stamp))?.pop().transpose()?,
                None => None,
            };
            // It was brought to a room before; is that one's owner dead, whoever recovers it makes the job.
            if matches!(admitted, None | Some(Admitted::Nothing))
                && store.locate(&consignment.stamp.id)?.is_empty()
            {
                self.recovery_due = Instant::now();
                let why =
                    "its files were brought to a room whose owner is dead, and nobody has recovered that yet";
                return Err(Error::new(ErrorKind::Uncertain, why));
            }
            held.admitted = true;
        }
        self.setup.clerk.accepted(consignment)?;
        foreign.forget(consignment)
    }

    fn tell_outcomes(&mut self) -> Result<()> {
        for id in self.setup.clerk.open()? {
            if let Some(outcome) = self.setup.store.outcome(&id)? {
                self.setup.clerk.decided(&outcome)?;
            }
        }
        Ok(())
    }

    fn fail(&mut self, e: Error) {
        if self.setup.options.once {
            self.failure.get_or_insert(e);
        }
    }

    fn trouble(&self, doing: &'static str, id: Option<&Id>, error: &Error, retry_in: Option<Duration>) {
        tell(self.setup.observer, &Event::Trouble { doing, id, error, retry_in });
    }
}
