//! A consumer that is stopped for longer than its lease loses its claims, and does no harm when it goes on.

use std::fs;

use filedrop::Outcome;
use rustix::process::Signal;

use crate::audit;
use crate::consumers::{Place, until};

/// The first attempt does not end before it is told to.
const HANDLER: &str = r#"
printf '%-63s\n' "$FILEDROP_ID $FILEDROP_ATTEMPT" >> log
if [ "$FILEDROP_ATTEMPT" = 1 ]; then until [ -e go ]; do sleep 0.01; done; fi
printf %s "$FILEDROP_ATTEMPT"
"#;

#[test]
fn a_stopped_consumer_loses_its_claim_and_goes_on() {
    let place = Place::new();
    let id = place.submit(&["{}".to_owned()]).remove(0);
    let mut stopped = place.consume(&["--lease", "300ms"], HANDLER);
    until("the first attempt", || (!place.log().is_empty()).then_some(()));
    stopped.signal(Signal::STOP);
    until("the stop", || stopped.is_stopped().then_some(()));

    let mut other = place.consume(&["--lease", "300ms"], HANDLER);
    let slot = until("an outcome", || {
        let days = fs::read_dir(place.drop.join("outcomes")).expect("a room");
        let slots = days.map(|day| day.expect("a day").path().join(format!("{id}.outcome.json")));
        { slots }.find(|slot| slot.exists())
    });
    let decided = fs::read(&slot).expect("an outcome");
    let outcome = Outcome::decode(&decided).expect("an outcome");
    assert_eq!(outcome.data(), outcome.attempt().to_string().as_bytes());
    assert!(outcome.attempt() > 1, "the claim was not taken over");

    // Its handler ends well; and, as far as it knows, it has the claim.
    fs::write(place.beside("go"), "").expect("a file");
    stopped.signal(Signal::CONT);
    other.signal(Signal::TERM);
    assert!(other.end("the other consumer").success());

    // It goes on, with what nobody else takes now.
    let later = place.submit(&["{}".to_owned()]).remove(0);
    until("the later job", || place.log().iter().any(|line| line.starts_with(&later)).then_some(()));
    stopped.signal(Signal::TERM);
    assert!(stopped.end("the stopped consumer").success());
    assert_eq!(fs::read(&slot).expect("an outcome"), decided, "an outcome is for ever");
    let attempt = outcome.attempt().to_string();
    audit::at_rest(&place, &[(id, attempt), (later, "1".to_owned())].into());
    let complaints = place.complaints();
    let complaints: Vec<_> = complaints.lines().collect();
    assert!(
        matches!(complaints[..], [one] if one.contains("another attempt's outcome counts")),
        "{complaints:?}"
    );
}
