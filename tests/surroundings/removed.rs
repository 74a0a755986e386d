//! The drop folder is removed, and one of its name is made.

use std::fs;

use crate::place::{NOTE, NOTE_LATER, Place, Running, until};

/// Whoever stays waits for the folder: it is not for a consumer to decide that it is gone for good.
#[test]
fn a_folder_of_the_same_name_is_served_again() {
    let place = Place::new();
    let consumer = place.consumer("", &format!("{NOTE}; echo done"));
    let words = "producer -v collect DROP --as me --follow --poll-interval 200ms --lease 2s -- sh -c";
    let mut command = place.command(words);
    command.arg("cat >> \"$HERE/collected\"");
    let collector = Running::start(command);
    let waiter =
        Running::start(place.command("producer -v wait DROP order-2 --poll-interval 200ms --timeout 300s"));
    consumer.says(1, &["registered"]);
    collector.says(1, &["registered"]);
    waiter.says(1, &["waiting for outcomes"]);
    fs::remove_dir_all(&place.drop).unwrap();
    consumer.tries(20);
    consumer.says(1, &["room of this consumer is gone"]);
    waiter.says(1, &["cannot watch for outcomes"]);
    collector.tries(5);
    consumer.is_calm(4);
    collector.is_calm(4);
    waiter.is_calm(2);
    place.run("filedrop init DROP");
    place.run("producer submit DROP --type t --data 2 --id order-2 --reply-to me");
    waiter.ends_with(0);
    consumer.says(2, &["registered"]);
    consumer.says(1, &["INFO can ", " again, after"]);
    place.succeeds(&place.submit("3"));
    let collected = || fs::read(place.beside("collected")).is_ok_and(|what| !what.is_empty()).then_some(());
    until("the outcome is collected", collected);
    consumer.stop();
    collector.stop();
    assert_eq!(place.notes(), ["2 1", "3 1"]);
}

/// There, its outcome would be that of another job. It is handled again when its own folder is back.
#[test]
fn a_job_in_hand_is_not_settled_in_another_folder() {
    let place = Place::new();
    let submit = |data| place.run(&format!("producer submit DROP --type t --data {data} --id order-1"));
    let outcome = || place.run("producer wait DROP order-1 --timeout 120s");
    let handler = "data=$(cat); : > \"$HERE/begun-$data\"; until [ -e \"$HERE/go-$data\" ]; do sleep 0.02; done; echo \"outcome of $data\"; echo \"$data $FILEDROP_ATTEMPT\" >> \"$HERE/log\"";
    submit("1");
    let consumer = place.consumer("", handler);
    until("a handler", || place.beside("begun-1").exists().then_some(()));
    fs::rename(&place.drop, place.beside("first")).unwrap();
    place.run("filedrop init DROP");
    submit("2");
    consumer.says(2, &["registered"]);
    fs::write(place.beside("go-1"), "").unwrap();
    consumer.says(1, &["cannot settle a job", "order-1", "another drop folder"]);
    fs::write(place.beside("go-2"), "").unwrap();
    assert_eq!(outcome(), "outcome of 2");
    fs::rename(&place.drop, place.beside("second")).unwrap();
    fs::rename(place.beside("first"), &place.drop).unwrap();
    assert_eq!(outcome(), "outcome of 1");
    consumer.stop();
    assert_eq!(place.notes(), ["1 1", "1 2", "2 1"]);
}

/// A drain, which nobody watches, ends with what it could not do.
#[test]
fn a_drain_ends_if_the_folder_goes() {
    let place = Place::new();
    place.submit("1");
    let drain = place.consumer("--drain", NOTE_LATER);
    until("a handler", || place.beside("begun").exists().then_some(()));
    fs::remove_dir_all(&place.drop).unwrap();
    fs::write(place.beside("go"), "").unwrap();
    drain.ends_with(74);
}
