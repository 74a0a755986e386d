//! Somebody takes the permission to a folder away, and gives it back.

use rustix::process::Signal;

use crate::place::{NOTE, Place, Running, until};

/// Whatever is closed: one line when it begins, one when it ends; the job is done once, in its first attempt.
#[test]
fn a_closed_folder_is_waited_for() {
    for (closed, lines) in [("", 3), ("inbox", 2), ("claimed", 4), ("outcomes", 2)] {
        let place = Place::new();
        let consumer = place.consumer("", NOTE);
        consumer.says(1, &["registered"]);
        consumer.signal(Signal::STOP);
        until("it is stopped", || consumer.is_stopped().then_some(()));
        let id = place.submit("1");
        place.chmod(closed, 0);
        consumer.signal(Signal::CONT);
        consumer.tries(4);
        consumer.is_calm(lines);
        place.chmod(closed, 0o700);
        place.succeeds(&id);
        consumer.says(1, &["INFO can ", " again, after"]);
        consumer.stop();
        assert_eq!(place.notes(), ["1 1"], "{closed:?} was closed");
        place.is_tidy();
    }
}

/// The way to a claim is closed, and its job has no flaw: nobody may decide that it could not be read.
#[test]
fn a_closed_room_condemns_no_job() {
    let place = Place::new();
    let consumer = place.consumer("--concurrency 2", NOTE);
    consumer.says(1, &["registered"]);
    consumer.signal(Signal::STOP);
    until("it is stopped", || consumer.is_stopped().then_some(()));
    let ids: Vec<String> = (0..5).map(|n| place.submit(&n.to_string())).collect();
    place.chmod("claimed", 0);
    consumer.signal(Signal::CONT);
    consumer.tries(4);
    place.chmod("claimed", 0o700);
    ids.iter().for_each(|id| place.succeeds(id));
    consumer.stop();
    assert_eq!(place.notes().len(), 5);
    place.is_tidy();
}

/// Who waits goes on waiting for a while; what it never could look at is an error at once.
#[test]
fn who_waits_can_look_again_later() {
    let place = Place::new();
    let never = Running::start({
        place.chmod("outcomes", 0);
        place.command("producer wait DROP order-1 --timeout 300s")
    });
    never.ends_with(74);
    place.chmod("outcomes", 0o700);
    let waits = place.command("producer -v wait DROP order-1 --timeout 300s --poll-interval 100ms");
    let waiter = Running::start(waits);
    waiter.says(1, &["waiting for outcomes"]);
    // It has looked, found nothing, and said so.
    waiter.says(1, &["no such job"]);
    place.chmod("outcomes", 0);
    waiter.says(1, &["WARN cannot look for outcomes"]);
    place.chmod("outcomes", 0o700);
    waiter.says(1, &["can look for outcomes again"]);
    waiter.is_calm(2);
    place.run("producer submit DROP --type t --data 1 --id order-1");
    place.run("consumer run DROP --drain -- cat");
    waiter.ends_with(0);
}
