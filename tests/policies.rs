//! The policies are pure: what they decide follows from what they are given.

use std::time::Duration;

use filedrop::words::{
    AfterFailure, Id, InboxName, Job, Millis, Priority, Problem, Retry, Turns, pause_after,
};
use proptest::prelude::*;

fn now() -> Millis {
    Millis::parse_rfc3339("2026-11-23T06:00:00Z").expect("a time")
}

fn job(attempt: u32, change: impl FnOnce(&mut filedrop::Envelope)) -> Job {
    let id: Id = "j".parse().expect("an id");
    let mut envelope = Job::envelope(&id, "/test", "test", now());
    change(&mut envelope);
    Job { id, attempt, envelope }
}

fn failed() -> Problem {
    Problem::handler("no")
}

#[test]
fn the_jobs_own_word_on_attempts_counts_more() {
    let retry = Retry { max_attempts: 2, ..Retry::default() };
    let bury = |job: &Job| retry.after(job, &failed(), now(), 0) == AfterFailure::Bury;
    assert!(!bury(&job(1, |_| {})) && bury(&job(2, |_| {})));
    let four = |attempt| job(attempt, |envelope| envelope.set("maxattempts", 4));
    assert!(!bury(&four(3)) && bury(&four(4)));
    assert!(bury(&job(1, |envelope| envelope.set("maxattempts", 1))));
    // Who asks for something else than a number from 1 asks for nothing.
    assert!(!bury(&job(1, |envelope| envelope.set("maxattempts", 0))));
    assert!(!bury(&job(1, |envelope| envelope.set("maxattempts", "1"))));
}

#[test]
fn only_what_may_end_otherwise_is_attempted_again() {
    let after = |problem: &Problem| Retry::default().after(&job(1, |_| {}), problem, now(), 0);
    for worth in [failed(), Problem::timeout("slow")] {
        assert!(matches!(after(&worth), AfterFailure::Again(_)), "{worth:?}");
    }
    let hopeless = [
        Problem::rejected("65"),
        Problem::invalid("no JSON"),
        Problem::output("much"),
        Problem::abandoned("gone"),
        Problem::expired("late"),
    ];
    for hopeless in hopeless {
        assert_eq!(after(&hopeless), AfterFailure::Bury, "{hopeless:?}");
    }
}

#[test]
fn what_expires_first_is_not_attempted_again() {
    let expiring = |at: Millis| job(1, |envelope| envelope.set("expirytime", at.rfc3339()));
    let retry = Retry::default();
    let soon = now().later(Duration::from_millis(500));
    assert_eq!(retry.why_not(&expiring(soon), now()), None);
    assert_eq!(retry.why_not(&expiring(now()), now()).expect("expired").reason(), "expired");
    // The pause that this chance makes ends after it.
    assert_eq!(retry.after(&expiring(soon), &failed(), now(), 501), AfterFailure::Bury);
    assert!(matches!(retry.after(&expiring(soon), &failed(), now(), 499), AfterFailure::Again(_)));
}

#[test]
fn a_job_whose_attempts_are_used_up_is_given_up() {
    let retry = Retry { max_attempts: 3, ..Retry::default() };
    assert_eq!(retry.why_not(&job(3, |_| {}), now()), None);
    assert_eq!(retry.why_not(&job(4, |_| {}), now()).expect("used up").reason(), "abandoned");
}

#[test]
fn troubles_are_tried_again_after_longer_and_longer() {
    let pauses: Vec<u128> = (1..12).map(|tries| pause_after(tries).as_millis()).collect();
    assert_eq!(pauses[..4], [100, 200, 400, 800]);
    assert!(pauses.is_sorted() && pauses[10] == 30_000);
    assert_eq!(pause_after(u32::MAX).as_secs(), 30);
}

fn name(priority: u8, at: u64, attempt: u32) -> InboxName {
    let id: Id = format!("{priority}-{at}-{attempt}").parse().expect("an id");
    let submitted = Millis::new(at).expect("13 digits");
    let name = InboxName::job(id, submitted, Priority::new(priority).expect("0 to 9"));
    InboxName { attempt, ..name }
}

proptest! {
    /// Full jitter: anything up to the longest pause, which doubles up to its limit.
    #[test]
    fn a_pause_is_never_longer_than_its_attempt_allows(attempt in 1_u32..200, chance: u64, first in 0_u64..100_000) {
        let first_pause = Duration::from_millis(first);
        let retry = Retry { first_pause, longest_pause: Duration::from_secs(60), ..Retry::default() };
        let longest = (u128::from(first) << (attempt - 1).min(40)).min(60_000);
        prop_assert!(retry.pause(attempt, chance).as_millis() <= longest);
        let most = u64::try_from(longest).expect("it is small");
        prop_assert_eq!(retry.pause(attempt, most).as_millis(), longest, "all of it can be reached");
    }

    #[test]
    fn turns_keep_priorities_and_order_and_lose_nothing(
        mut fresh in prop::collection::vec((0_u8..3, 0_u64..50), 0..40),
        mut repeated in prop::collection::vec((0_u8..3, 0_u64..50), 0..40),
    ) {
        fresh.sort_unstable();
        repeated.sort_unstable();
        let named = |names: &[(u8, u64)], attempt| names.iter().map(|(p, at)| name(*p, *at, attempt)).collect::<Vec<_>>();
        let (fresh, repeated) = (named(&fresh, 1), named(&repeated, 2));
        let mut turns = Turns::default();
        let mut names: Vec<_> = fresh.iter().chain(&repeated).cloned().collect();
        names.sort_unstable();
        turns.renew(names);
        let mut order = Vec::new();
        while let Some(next) = turns.next() {
            order.push(next);
            // A scan in between changes nothing.
            let mut rest: Vec<_> = turns.clone().collect();
            rest.sort_unstable();
            turns.renew(rest);
        }
        prop_assert!(turns.is_empty());
        prop_assert!(order.is_sorted_by_key(|name| name.priority));
        let of = |attempt| order.iter().filter(|name| name.attempt == attempt).cloned().collect::<Vec<_>>();
        prop_assert_eq!(of(1), fresh.clone());
        prop_assert_eq!(of(2), repeated);
        // However many come again: the nth fresh one of a priority has at most n of them before it.
        for priority in 0..3 {
            let alike: Vec<_> = order.iter().filter(|name| name.priority.get() == priority).collect();
            let places = alike.iter().enumerate().filter(|(_, name)| name.attempt == 1);
            for (nth, (place, _)) in places.enumerate() {
                prop_assert!(place <= 2 * nth + 1, "fresh {} is at {}", nth, place);
            }
        }
    }
}
