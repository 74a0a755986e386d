//! What does not work at the moment. It is told when it begins and when it is over, and not each time that it is tried in between:
//! a folder that is gone for a night must not fill a log.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::observer::{Event, Observer, tell};
use crate::words::{Error, ErrorKind, Id};

/// Of so many jobs that fail for one reason it is told.
const MOST_TOLD: usize = 8;
/// So many jobs are remembered for each reason; of more it is not told.
const MOST_KEPT: usize = 1024;
/// A job that was to be tried again, and was not for so much longer, is somebody else's.
const LATE: Duration = Duration::from_secs(60);

/// Whose trouble is told to `observer`.
pub(super) struct Troubles<'a> {
    observer: &'a dyn Observer,
    ongoing: Mutex<HashMap<Cause, Ongoing>>,
}

/// Why something fails: what the system answered, or else what kind of error it is. What fails for one reason is one trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Cause {
    System(i32),
    Io(io::ErrorKind),
    Other(ErrorKind),
}

impl Cause {
    fn of(error: &Error) -> Self {
        match error.system() {
            None => Cause::Other(error.kind()),
            Some(e) => e.raw_os_error().map_or(Cause::Io(e.kind()), Cause::System),
        }
    }
}

/// What fails for one reason.
#[derive(Default)]
struct Ongoing {
    all: Option<All>,
    /// With which jobs, and until when somebody tries it; `None`: until it is done.
    jobs: HashMap<Id, Option<Instant>>,
    /// What was to be done with the first of them, and when; and of how many it was told.
    first: Option<(&'static str, Instant, usize)>,
}

/// What fails whichever job it is for.
struct All {
    since: Instant,
    told: &'static str,
    doing: BTreeSet<&'static str>,
}

impl<'a> Troubles<'a> {
    pub(super) fn told_to(observer: &'a dyn Observer) -> Self {
        Self { observer, ongoing: Mutex::default() }
    }

    /// This does not work, whichever job it is for, until it [works](Self::works). `about`: the job with which that was seen;
    /// `retry_in`: when it is tried again.
    pub(super) fn with_all(
        &self,
        doing: &'static str,
        about: Option<&Id>,
        error: &Error,
        retry_in: Option<Duration>,
    ) {
        let news = retry_in.is_none() || self.lock().all_fails(doing, error, Instant::now());
        tell(self.observer, &Event::Trouble { doing, id: about, error, retry_in, news });
    }

    /// This does not work with one job, until that is [done](Self::done). `retry_in`: when it is tried again; `None`: never.
    pub(super) fn with_one(&self, doing: &'static str, id: &Id, error: &Error, retry_in: Option<Duration>) {
        let now = Instant::now();
        let news = match retry_in {
            Some(pause) => {
                self.lock().one_fails(doing, id, error, Some(now + pause.min(LATE) * 2 + LATE), now)
            }
            None => {
                self.lock().forget(id);
                true
            }
        };
        tell(self.observer, &Event::Trouble { doing, id: Some(id), error, retry_in, news });
    }

    /// Likewise, with one that is certain to be tried again here, and may take as long as it likes then: before that is over nobody
    /// knows whether it works.
    pub(super) fn with_one_at_length(&self, doing: &'static str, id: &Id, error: &Error, retry_in: Duration) {
        let news = self.lock().one_fails(doing, id, error, None, Instant::now());
        tell(self.observer, &Event::Trouble { doing, id: Some(id), error, retry_in: Some(retry_in), news });
    }

    /// This worked, for whichever job.
    pub(super) fn works(&self, doing: &'static str) {
        let over = self.lock().works(doing, Instant::now());
        self.tell_of(over);
    }

    /// Nothing is to be done with this job any more.
    pub(super) fn done(&self, id: &Id) {
        let over = self.lock().done(id, Instant::now());
        self.tell_of(over);
    }

    fn tell_of(&self, over: Vec<(&'static str, Duration)>) {
        for (doing, after) in over {
            tell(self.observer, &Event::Over { doing, after });
        }
    }

    fn lock(&self) -> Register<'_> {
        Register(self.ongoing.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Register<'a>(MutexGuard<'a, HashMap<Cause, Ongoing>>);

impl Register<'_> {
    fn all_fails(&mut self, doing: &'static str, error: &Error, now: Instant) -> bool {
        let ongoing = self.0.entry(Cause::of(error)).or_default();
        let news = ongoing.all.is_none();
        let fresh = || All { since: now, told: doing, doing: BTreeSet::new() };
        ongoing.all.get_or_insert_with(fresh).doing.insert(doing);
        news
    }

    fn one_fails(
        &mut self,
        doing: &'static str,
        id: &Id,
        e: &Error,
        until: Option<Instant>,
        now: Instant,
    ) -> bool {
        let ongoing = self.0.entry(Cause::of(e)).or_default();
        let known = ongoing.jobs.contains_key(id);
        if !known && ongoing.jobs.len() >= MOST_KEPT {
            return false;
        }
        ongoing.jobs.insert(id.clone(), until);
        let told = &mut ongoing.first.get_or_insert((doing, now, 0)).2;
        let news = !known && ongoing.all.is_none() && *told < MOST_TOLD;
        *told += usize::from(news);
        news
    }

    fn works(&mut self, doing: &'static str, now: Instant) -> Vec<(&'static str, Duration)> {
        let mut over = Vec::new();
        for ongoing in self.0.values_mut() {
            if let Some(all) = &mut ongoing.all
                && all.doing.remove(doing)
                && all.doing.is_empty()
            {
                over.push((all.told, now.saturating_duration_since(all.since)));
                ongoing.all = None;
            }
            ongoing.jobs.retain(|_, until| until.is_none_or(|until| until > now));
            over.extend(ongoing.jobs_over(now));
        }
        self.0.retain(|_, ongoing| ongoing.all.is_some() || !ongoing.jobs.is_empty());
        over
    }

    fn done(&mut self, id: &Id, now: Instant) -> Vec<(&'static str, Duration)> {
        let mut over = Vec::new();
        for ongoing in self.0.values_mut() {
            ongoing.jobs.remove(id);
            over.extend(ongoing.jobs_over(now));
        }
        self.0.retain(|_, ongoing| ongoing.all.is_some() || !ongoing.jobs.is_empty());
        over
    }

    fn forget(&mut self, id: &Id) {
        for ongoing in self.0.values_mut() {
            if ongoing.jobs.remove(id).is_some() && ongoing.jobs.is_empty() {
                ongoing.first = None;
            }
        }
    }
}

impl Ongoing {
    /// What is to be told if the last of them is gone.
    fn jobs_over(&mut self, now: Instant) -> Option<(&'static str, Duration)> {
        let (doing, since, told) = self.first.take_if(|_| self.jobs.is_empty())?;
        (told > 0).then(|| (doing, now.saturating_duration_since(since)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hears "doing" when it is news, "(doing)" when not, and "doing!" when it is over.
    #[derive(Default)]
    struct Diary(Mutex<Vec<String>>);

    impl Observer for Diary {
        fn notice(&self, event: &Event<'_>) {
            self.0.lock().unwrap().push(match event {
                Event::Trouble { doing, news: true, .. } => (*doing).to_owned(),
                Event::Trouble { doing, .. } => format!("({doing})"),
                Event::Over { doing, .. } => format!("{doing}!"),
                other => panic!("{other:?}"),
            });
        }
    }

    impl Diary {
        fn read(&self) -> String {
            std::mem::take(&mut *self.0.lock().unwrap()).join(" ")
        }
    }

    const SOON: Option<Duration> = Some(Duration::from_millis(100));

    fn error(code: i32) -> Error {
        Error::io("do it", "/there", io::Error::from_raw_os_error(code))
    }

    fn id(nth: usize) -> Id {
        format!("job-{nth}").parse().unwrap()
    }

    #[test]
    fn what_fails_for_one_reason_is_one_trouble() {
        let diary = Diary::default();
        let troubles = Troubles::told_to(&diary);
        troubles.works("scan");
        for _ in 0..2 {
            troubles.with_all("scan", None, &error(2), SOON);
            troubles.with_all("beat", None, &error(2), SOON);
        }
        assert_eq!(diary.read(), "scan (beat) (scan) (beat)");
        troubles.with_all("scan", None, &error(13), SOON);
        troubles.with_one("settle", &id(1), &error(13), SOON);
        assert_eq!(diary.read(), "scan (settle)", "another reason");
        troubles.works("beat");
        assert_eq!(diary.read(), "", "not all works yet");
        troubles.works("scan");
        troubles.done(&id(1));
        assert_eq!(diary.read(), "scan! scan!", "of the job nothing was told");
        troubles.with_all("beat", None, &error(2), SOON);
        assert_eq!(diary.read(), "beat", "it is news again");
    }

    #[test]
    fn each_job_is_told_of_once_and_of_many_a_few() {
        let diary = Diary::default();
        let troubles = Troubles::told_to(&diary);
        troubles.with_one("settle", &id(1), &error(13), SOON);
        troubles.with_one("settle", &id(1), &error(13), SOON);
        troubles.with_one("take", &id(2), &error(13), SOON);
        troubles.done(&id(1));
        assert_eq!(diary.read(), "settle (settle) take", "one is left");
        troubles.done(&id(2));
        assert_eq!(diary.read(), "settle!", "what was told first");
        (0..MOST_KEPT + 10).for_each(|nth| troubles.with_one("t", &id(nth), &error(13), SOON));
        assert_eq!(diary.read().matches("(t)").count(), MOST_KEPT + 10 - MOST_TOLD);
        troubles.with_one("give up", &id(0), &error(13), None);
        assert_eq!(diary.read(), "give up", "that is the end of it");
        (0..MOST_KEPT).for_each(|nth| troubles.done(&id(nth)));
        assert_eq!(diary.read(), "t!");
    }

    #[test]
    fn a_job_that_nobody_tries_any_more_is_forgotten() {
        let ongoing = Mutex::default();
        let mut register = Register(ongoing.lock().unwrap());
        let start = Instant::now();
        let later = start + Duration::from_secs(200);
        assert!(register.one_fails("take", &id(1), &error(2), Some(later), start));
        assert!(register.one_fails("keep", &id(2), &error(28), None, start));
        assert!(register.works("scan", start + Duration::from_secs(60)).is_empty());
        assert_eq!(register.works("scan", later), [("take", Duration::from_secs(200))]);
        assert!(
            !register.one_fails("keep", &id(2), &error(28), None, later),
            "of that nobody knows better yet"
        );
        assert_eq!(register.done(&id(2), later), [("keep", Duration::from_secs(200))]);
        assert!(register.0.is_empty());
    }
}
