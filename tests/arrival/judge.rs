//! A file is looked at again and again, and anything happens to it meanwhile: it is never taken on less than the evidence.

use std::time::Duration;

use filedrop::words::{Evidence, Marked, Patience, Pending, Sighting, Version, Writer, judge};
use proptest::prelude::*;

/// What happens to a file between two looks.
#[derive(Debug, Clone, Copy)]
enum Happens {
    Nothing,
    /// It is written to, and grows.
    Grows,
    /// It is written to in place; nothing but the time of its last change tells.
    Rewritten,
    /// Whoever writes it sets its time back, as programs that copy files do.
    Dated,
    /// Another file takes its name.
    Replaced,
}

/// A look at the file, as long after the one before.
#[derive(Debug, Clone)]
struct Look {
    after: Duration,
    happens: Happens,
    /// A notification says that it was renamed into place.
    renamed: bool,
    links: u64,
    marked: Marked,
    writer: Writer,
}

fn marked() -> impl Strategy<Value = Marked> {
    let suffix = || "\\.[a-z0-9]{1,6}";
    prop_oneof![
        4 => Just(Marked::No),
        1 => (suffix(), any::<bool>()).prop_map(|(suffix, checksum)| Marked::Yes { suffix, checksum }),
        1 => suffix().prop_map(Marked::Stale),
        1 => suffix().prop_map(Marked::Differs),
        1 => suffix().prop_map(Marked::Unchecked),
    ]
}

fn look() -> impl Strategy<Value = Look> {
    let happens = prop_oneof![
        4 => Just(Happens::Nothing),
        1 => Just(Happens::Grows),
        1 => Just(Happens::Rewritten),
        1 => Just(Happens::Dated),
        1 => Just(Happens::Replaced),
    ];
    let writer = prop_oneof![Just(Writer::None), Just(Writer::Some), Just(Writer::Unknown)];
    let renamed = prop::bool::weighted(0.15);
    let links = prop_oneof![4 => Just(1_u64), 1 => 2_u64..4];
    (0_u64..3000, happens, renamed, links, marked(), writer).prop_map(
        |(after, happens, renamed, links, marked, writer)| Look {
            after: Duration::from_millis(after),
            happens,
            renamed,
            links,
            marked,
            writer,
        },
    )
}

fn patience() -> impl Strategy<Value = Patience> {
    let quiet = prop_oneof![
        8 => (0_u64..5000).prop_map(Duration::from_millis),
        1 => Just(Duration::MAX),
    ];
    (quiet, any::<bool>()).prop_map(|(quiet, marker_required)| Patience { quiet, marker_required })
}

/// The file, and what an observer with a perfect memory knows of it.
struct File {
    version: Version,
    now: Duration,
    changed: Duration,
    /// Since it last changed.
    renamed: bool,
}

impl File {
    fn new() -> Self {
        let version = Version { ino: 1, size: 0, modified_ns: 0, changed_ns: 0, born_ns: Some(0) };
        let now = Duration::from_secs(3600);
        Self { version, now, changed: now, renamed: false }
    }

    fn goes_on(&mut self, look: &Look) {
        self.now += look.after;
        let version = &mut self.version;
        match look.happens {
            Happens::Nothing => {
                self.renamed |= look.renamed;
                return;
            }
            Happens::Grows => {
                (version.size, version.modified_ns) = (version.size + 1, version.changed_ns + 1)
            }
            Happens::Rewritten => {}
            Happens::Dated => version.modified_ns = version.modified_ns.saturating_sub(86_400_000_000_000),
            Happens::Replaced => (version.ino, version.size) = (version.ino + 1, 0),
        }
        version.changed_ns += 1;
        (self.changed, self.renamed) = (self.now, look.renamed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nothing_is_ready_on_less_than_the_evidence(patience in patience(), looks in prop::collection::vec(look(), 1..12)) {
        let mut file = File::new();
        let mut sighting = Sighting::new(file.version, file.now, false);
        for look in looks {
            file.goes_on(&look);
            sighting.look(file.version, file.now, look.renamed);
            let verdict = judge(patience, &sighting, look.links, look.marked.clone(), || look.writer, file.now);
            let quiet = file.now - file.changed >= patience.quiet;
            let in_place = file.renamed || look.links > 1;

            if verdict.is_ok() {
                let differs = matches!(look.marked, Marked::Differs(_) | Marked::Unchecked(_));
                prop_assert!(!differs, "its checksum is another, or not known: {:?}", verdict);
                let marked = matches!(look.marked, Marked::Yes { .. });
                prop_assert!(marked || !patience.marker_required, "there is no marker: {:?}", verdict);
                prop_assert!(marked || look.writer != Writer::Some, "it is being written: {:?}", verdict);
                prop_assert!(marked || in_place || quiet, "it changed a moment ago: {:?}", verdict);
            }
            match verdict {
                Ok(Evidence::Renamed) => prop_assert!(file.renamed),
                Ok(Evidence::Linked) => prop_assert!(look.links > 1),
                Ok(Evidence::Marker(suffix)) => {
                    prop_assert_eq!(look.marked, Marked::Yes { suffix, checksum: false });
                }
                Ok(Evidence::Checksum(suffix)) => {
                    prop_assert_eq!(look.marked, Marked::Yes { suffix, checksum: true });
                }
                Ok(Evidence::Quiet(writer)) => prop_assert_eq!(writer, look.writer),
                Err(Pending::Quiet(left)) => {
                    let unchecked = matches!(look.marked, Marked::Unchecked(_));
                    prop_assert!(unchecked || !left.is_zero(), "it would be looked at again at once, for ever");
                    prop_assert_eq!(left, (file.changed.saturating_add(patience.quiet)).saturating_sub(file.now));
                }
                Err(Pending::Written) => prop_assert_eq!(look.writer, Writer::Some),
                Err(Pending::NoMarker) => {
                    prop_assert!(patience.marker_required);
                    prop_assert_eq!(look.marked, Marked::No);
                }
                Err(Pending::StaleMarker(suffix)) => {
                    prop_assert!(patience.marker_required);
                    prop_assert_eq!(look.marked, Marked::Stale(suffix));
                }
                Err(Pending::WrongChecksum(suffix)) => prop_assert_eq!(look.marked, Marked::Differs(suffix)),
                Err(Pending::Unreadable(why)) => prop_assert!(false, "words read nothing: {}", why),
            }
        }
    }

    /// What keeps every file waiting for ever would pass the above.
    #[test]
    fn what_is_left_alone_is_ready(
        quiet in (0_u64..5000).prop_map(Duration::from_millis),
        looks in prop::collection::vec(look(), 0..6),
        writer in prop_oneof![Just(Writer::None), Just(Writer::Unknown)],
        stale in any::<bool>(),
    ) {
        let mut file = File::new();
        let mut sighting = Sighting::new(file.version, file.now, false);
        for look in looks {
            file.goes_on(&look);
            sighting.look(file.version, file.now, look.renamed);
        }
        let now = file.changed + quiet;
        sighting.look(file.version, now, false);
        let patience = Patience { quiet, marker_required: false };
        let marked = if stale { Marked::Stale(".done".to_owned()) } else { Marked::No };
        let verdict = judge(patience, &sighting, 1, marked, || writer, now);
        let expected = if file.renamed { Evidence::Renamed } else { Evidence::Quiet(writer) };
        prop_assert_eq!(verdict, Ok(expected));
    }

    /// To ask for the writer costs system calls, and a lease for a moment: so only when it decides.
    #[test]
    fn the_writer_is_asked_for_only_when_it_decides(patience in patience(), look in look()) {
        let mut file = File::new();
        let mut sighting = Sighting::new(file.version, file.now, false);
        file.goes_on(&look);
        sighting.look(file.version, file.now, look.renamed);
        let judged = |writer| {
            let mut asked = false;
            let ask = || { asked = true; writer };
            let verdict = judge(patience, &sighting, look.links, look.marked.clone(), ask, file.now);
            (verdict, asked)
        };
        let ((free, asked), (written, _)) = (judged(Writer::None), judged(Writer::Some));
        prop_assert_eq!(asked, free != written);
        prop_assert!(!asked || free.is_ok() && written == Err(Pending::Written));
    }
}

/// A file that is seen for the first time: what was renamed or linked into place need not be left alone for a while.
#[test]
fn one_look_is_enough_for_what_was_put_into_place() {
    let quiet = Duration::from_secs(2);
    let patience = Patience { quiet, marker_required: false };
    let judged = |renamed, links| {
        let file = File::new();
        let sighting = Sighting::new(file.version, file.now, renamed);
        judge(patience, &sighting, links, Marked::No, || Writer::None, file.now)
    };
    assert_eq!(judged(false, 2), Ok(Evidence::Linked));
    assert_eq!(judged(true, 1), Ok(Evidence::Renamed));
    assert_eq!(
        judged(true, 2),
        Ok(Evidence::Renamed),
        "a rename says more: it is not a copy that is being made"
    );
    assert_eq!(judged(false, 1), Err(Pending::Quiet(quiet)));
}

/// Programs read the word, and people the sentence.
#[test]
fn evidence_and_what_is_missing_are_told_apart() {
    let suffix = || ".done".to_owned();
    let evidence = [
        (Evidence::Renamed, "renamed"),
        (Evidence::Linked, "linked"),
        (Evidence::Marker(suffix()), "marker"),
        (Evidence::Checksum(suffix()), "checksum"),
        (Evidence::Quiet(Writer::None), "quiet"),
    ];
    assert!(evidence.iter().all(|(evidence, word)| evidence.as_str() == *word));
    let missing = [
        Pending::Quiet(Duration::from_secs(2)),
        Pending::Written,
        Pending::NoMarker,
        Pending::StaleMarker(suffix()),
        Pending::WrongChecksum(suffix()),
        Pending::Unreadable("no".to_owned()),
    ];
    let unknown = Evidence::Quiet(Writer::Unknown).to_string();
    let sentences = evidence.iter().map(|(evidence, _)| evidence.to_string());
    let sentences = sentences.chain(missing.iter().map(ToString::to_string)).chain([unknown]);
    let sentences: std::collections::BTreeSet<String> = sentences.collect();
    assert_eq!(sentences.len(), evidence.len() + missing.len() + 1);
    assert!(sentences.iter().all(|sentence| sentence.len() > 10), "{sentences:?}");
}
