//! The desk: looks for complete files, takes them, brings them to the drop folder, and has the books kept.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::mem;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::bring::{Held, bring, side_by_side};
use super::manifests::{Files, Verdict};
use super::run::Setup;
use super::{ManifestRule, TakenIn};
use crate::actors::heart::Heart;
use crate::actors::observer::{Event, tell};
use crate::ports::{Arrivals, Arrived, Batch, Foreign, Host, Interest, Store, Vigil};
use crate::words::{Consignment, Error, ErrorKind, Id, Pending, Result, pause_after, shown};

/// The pause before a safety rescan, where there are notifications: doubled each time that it finds nothing.
const FIRST_RESCAN: Duration = Duration::from_secs(1);
const LAST_RESCAN: Duration = Duration::from_secs(30);
/// How often it looks for rooms of the dead.
const RECOVER_EVERY: Duration = Duration::from_secs(30);
/// So many are taken before they are brought to the drop folder.
const AT_ONCE: usize = 128;

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

impl<'h, 'a, S, F, H> Desk<'h, 'a, S, F, H>
where
    S: Store + Sync,
    S::Room: Send + Sync,
    F: Foreign<Room = S::Room> + Sync,
    H: Host + Sync,
{
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
        let left = self.setup.foreign.left()?;
        self.finish(left.into_iter().map(Held::new).collect());
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
        let mut folders = vec![self.setup.dir.clone()];
        folders.extend(self.arrivals.keys().map(|folder| self.setup.dir.join(folder)));
        let open = self.setup.clerk.open().unwrap_or_default();
        if !open.is_empty() {
            folders.extend(self.setup.store.hints(Interest::Outcomes(&open)));
        }
        for folder in &folders {
            if !hears {
                break;
            }
            match self.setup.watch.arm(folder) {
                Err(e) if e.kind() != ErrorKind::NotFound => {
                    self.trouble("watch a folder", None, &e, Some(LAST_RESCAN));
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
                for files in ready.chunks(AT_ONCE) {
                    if self.setup.stopper.is_stopping() {
                        break;
                    }
                    let batches = files.iter().map(|file| Batch { folder, files: vec![(file, None)] });
                    look.busy |= self.take(batches.collect());
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
                    look.busy |= self.take(vec![Batch { folder, files: batch }]);
                }
            }
        }
        Ok(())
    }

    /// Whether any was taken.
    fn take(&mut self, batches: Vec<Batch<'_>>) -> bool {
        let Setup { foreign, host, options, .. } = self.setup;
        let taken = side_by_side(batches, |batch| {
            foreign.take(&batch, &mut |stamp, files| options.jobs.describe(&batch, stamp, files, host.now()))
        });
        let mut held = Vec::new();
        for taken in taken {
            match taken {
                Ok(consignment) => held.extend(consignment.map(Held::new)),
                Err(e) => {
                    self.trouble("take files", None, &e, Some(FIRST_RESCAN));
                    self.fail(e);
                }
            }
        }
        let any = !held.is_empty();
        self.finish(held);
        any
    }

    fn try_again(&mut self) -> bool {
        // One that works once tries once; the next one goes on.
        if self.setup.options.once {
            return false;
        }
        let now = Instant::now();
        let (due, rest): (Vec<_>, _) =
            mem::take(&mut self.held).into_iter().partition(|held| held.due <= now);
        self.held = rest;
        let any = !due.is_empty();
        self.finish(due);
        any
    }

    /// Everything after the taking. What does not work is tried again.
    fn finish(&mut self, held: Vec<Held<S::Room>>) {
        if held.is_empty() {
            return;
        }
        let (Setup { store, foreign, .. }, heart) = (&self.setup, self.heart);
        let (mut ready, mut failed) = (Vec::new(), Vec::new());
        for (held, brought) in side_by_side(held, |mut held| {
            let brought = bring(*store, *foreign, heart, &mut held);
            (held, brought)
        }) {
            match brought {
                Ok(()) => ready.push(held),
                Err(e) => failed.push((held, e)),
            }
        }
        let consignments: Vec<&Consignment> = ready.iter().map(|held| &held.consignment).collect();
        match self.setup.clerk.accepted(&consignments) {
            Ok(()) => {
                for held in ready {
                    match self.setup.foreign.forget(&held.consignment) {
                        Ok(()) => self.done(&held.consignment),
                        Err(e) => failed.push((held, e)),
                    }
                }
            }
            Err(e) => {
                // They are jobs; each is told of by the one error.
                let why = e.to_string();
                let each = |held| (held, Error::new(e.kind(), why.clone()));
                failed.extend(ready.into_iter().map(each));
            }
        }
        for (held, e) in failed {
            self.hold(held, e);
        }
    }

    fn done(&mut self, consignment: &Consignment) {
        let Consignment { stamp, path, files, .. } = consignment;
        self.taken.jobs += 1;
        self.taken.files += files.len() as u64;
        tell(self.setup.observer, &Event::TakenIn { id: &stamp.id, path, files: files.len() });
    }

    fn hold(&mut self, mut held: Held<S::Room>, e: Error) {
        held.failures += 1;
        let pause = pause_after(held.failures);
        held.due = Instant::now() + pause;
        if e.kind() == ErrorKind::Uncertain {
            self.recovery_due = Instant::now();
        }
        let retry = (!self.setup.options.once).then_some(pause);
        self.trouble("make a job of what was taken", Some(&held.consignment.stamp.id), &e, retry);
        self.fail(e);
        self.held.push(held);
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
