//! Four instances of one service that asks: each submits jobs, and takes any of the answers. All the while they are killed.
//!
//! As in the campaign with consumers no clock says when: the handlers of some jobs wait until an instance, picked by chance, was
//! killed and started anew, wherever it was. So there are as many kills on every machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use filedrop::{InboxName, Outcome};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::consumers::{LONG, Place, names, program, until};

const INSTANCES: usize = 4;

/// One process group, so that all of an instance dies at once. What `submit` prints is what it has to submit no more.
const INSTANCE: &str = r#"
"$1" collect -q drop --as billing --follow > "out.$2.$3" &
tail -n +$(($(wc -l < "submitted.$2") + 1)) "ids.$2" | while read -r id; do
    "$1" submit -q drop --type ask --reply-to billing --id "$id" --data "\"$id\"" >> "submitted.$2" || exit
done
wait
"#;

/// Some answers come only when somebody was killed.
const HANDLER: &str = r#"
case $FILEDROP_ID in *-trap) : > "trap.$FILEDROP_ID"; until [ -e "sprung.$FILEDROP_ID" ]; do sleep 0.01; done ;; esac
printf %s "$FILEDROP_ID"
"#;

/// How many jobs each submits: 50, or as `FILEDROP_REPLY_JOBS` says.
fn how_many() -> usize {
    match std::env::var("FILEDROP_REPLY_JOBS") {
        Ok(jobs) => jobs.parse().expect("FILEDROP_REPLY_JOBS is a number"),
        Err(_) => 50,
    }
}

#[test]
fn each_outcome_is_settled_once_however_often_instances_are_killed() {
    let (place, jobs, start) = (Place::new(), how_many(), Instant::now());
    let every = (jobs / 25).max(10);
    let trap = |job: usize| if job.is_multiple_of(every) { "-trap" } else { "" };
    let ids_of = |nth: usize| (0..jobs).map(move |job| format!("i{nth}-{job}{}", trap(job)));
    let ids: BTreeSet<String> = (0..INSTANCES).flat_map(ids_of).collect();
    let traps = ids.iter().filter(|id| id.ends_with("-trap")).count();
    let mut instances: Vec<_> = (0..INSTANCES).map(|nth| Instance::new(&place, nth, ids_of(nth))).collect();
    let mut consumer = place.consume(&["--concurrency", "6"], HANDLER);

    let (mut sprung, mut chance) = (BTreeSet::new(), 0x9e37_79b9_7f4a_7c15_u64);
    let mut seen = ((0, 0), Instant::now());
    while seen.0 != (traps, ids.len()) {
        let waiting = names(&place.beside("")).into_iter();
        let waiting = waiting.filter_map(|name| name.strip_prefix("trap.").map(str::to_owned));
        for id in waiting.filter(|id| !sprung.contains(id)).collect::<Vec<_>>() {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            instances[(chance >> 33) as usize % INSTANCES].die_and_begin_anew(&place);
            fs::write(place.beside(&format!("sprung.{id}")), "").expect("a file");
            sprung.insert(id);
        }
        let progress = (sprung.len(), settled(&place).len());
        if progress != seen.0 {
            seen = (progress, Instant::now());
        }
        assert!(seen.1.elapsed() < LONG, "nothing goes on any more: {}", place.status());
        // To look takes time that is theirs.
        thread::sleep(Duration::from_millis(if ids.len() > 1000 { 50 } else { 5 }));
    }
    let kills: usize = instances.iter().map(|instance| instance.life).sum();
    assert_eq!(kills, traps);
    instances.iter().for_each(|instance| instance.signal(Signal::TERM));
    consumer.signal(Signal::TERM);
    assert!(consumer.end("the consumer").success());

    is_at_rest(&place, &ids);
    let seen: Vec<(String, String)> =
        instances.iter().flat_map(|instance| instance.printed(&place)).collect();
    assert!(seen.iter().all(|(id, data)| id == data), "each has its own answer");
    let once: BTreeSet<&String> = seen.iter().map(|(id, _)| id).collect();
    assert!(once.iter().copied().eq(&ids), "each was seen");
    let again = seen.len() - ids.len();
    assert!(again <= kills, "{again} seen again: more than the killed can have had in hand, {kills}");
    assert_eq!(place.complaints(), "");
    let line = format!(
        "instances: {INSTANCES} × {jobs} jobs, {kills} kills; {again} outcomes seen again; {:.1} s",
        start.elapsed().as_secs_f64()
    );
    // Past the harness, which shows what `eprintln!` prints only if a test fails.
    writeln!(std::io::stderr(), "{line}").expect("stderr");
}

/// It asked, and is dead before there is an answer.
#[test]
fn outcomes_of_an_instance_that_is_dead_for_good() {
    let place = Place::new();
    let ids: BTreeSet<String> = (0..5).map(|job| format!("i0-{job}")).collect();
    let mut asker = Instance::new(&place, 0, ids.iter().cloned());
    let submitted = || fs::read_to_string(place.beside("submitted.0")).expect("a file").lines().count();
    until("its jobs are submitted", || (submitted() == 5).then_some(()));
    asker.kill();
    assert!(place.consume(&["--drain"], HANDLER).end("the drain").success());
    assert_eq!(settled(&place).len(), 0);

    let mut other = Instance::new(&place, 1, std::iter::empty());
    until("all are settled", || (settled(&place).len() == 5).then_some(()));
    other.signal(Signal::TERM);
    is_at_rest(&place, &ids);
    let printed: BTreeMap<String, String> = other.printed(&place).into_iter().collect();
    assert!(printed.keys().eq(&ids) && asker.printed(&place).is_empty());
    other.kill();
}

/// The archive of the address has each once, and nothing else is left there.
fn is_at_rest(place: &Place, ids: &BTreeSet<String>) {
    let address = place.drop.join("replies/billing");
    until("nobody has a room", || names(&address.join("claimed")).is_empty().then_some(()));
    for room in ["inbox", "delayed"] {
        assert_eq!(names(&address.join(room)), [""; 0], "{room}");
    }
    let settled = settled(place);
    let once: BTreeSet<String> = settled.iter().cloned().collect();
    assert_eq!(settled.len(), once.len(), "each is settled once");
    assert!(once == *ids, "all are settled");
}

fn settled(place: &Place) -> Vec<String> {
    let done = place.drop.join("replies/billing/done");
    let archived = names(&done).into_iter().flat_map(|day| names(&done.join(day)));
    archived.map(|name| InboxName::parse_archived(&name).expect("an archived name").id.to_string()).collect()
}

/// An instance of the service. It is killed, whatever becomes of the test.
struct Instance {
    nth: usize,
    life: usize,
    /// `None` if it is dead: its number may be another's by now.
    leader: Option<Child>,
}

impl Instance {
    fn new(place: &Place, nth: usize, ids: impl Iterator<Item = String>) -> Self {
        let ids: String = ids.map(|id| id + "\n").collect();
        fs::write(place.beside(&format!("ids.{nth}")), ids).expect("a file");
        fs::write(place.beside(&format!("submitted.{nth}")), "").expect("a file");
        Self { nth, life: 0, leader: Some(Self::start(place, nth, 0)) }
    }

    fn start(place: &Place, nth: usize, life: usize) -> Child {
        let complaints = fs::File::options().create(true).append(true).open(place.beside("stderr"));
        let mut command = Command::new("sh");
        command.args(["-c", INSTANCE, "instance"]).arg(program("producer").get_program());
        command.args([nth.to_string(), life.to_string()]).current_dir(place.beside(""));
        command.env_remove("RUST_LOG").env("NO_COLOR", "1").stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(complaints.expect("a file")).process_group(0).spawn().expect("it starts")
    }

    fn die_and_begin_anew(&mut self, place: &Place) {
        self.kill();
        self.life += 1;
        self.leader = Some(Self::start(place, self.nth, self.life));
    }

    fn signal(&self, signal: Signal) {
        let leader = self.leader.as_ref().expect("it lives");
        kill_process_group(Pid::from_child(leader), signal).expect("it runs");
    }

    fn kill(&mut self) {
        if let Some(mut leader) = self.leader.take() {
            // There may be nobody left.
            let _ = kill_process_group(Pid::from_child(&leader), Signal::KILL);
            let _ = leader.wait();
        }
    }

    /// What it printed in all its lives, without what it was killed in the middle of: the ids of jobs, and their data.
    fn printed(&self, place: &Place) -> Vec<(String, String)> {
        let life = |life: usize| fs::read_to_string(place.beside(&format!("out.{}.{life}", self.nth)));
        // One that was killed at once has not made it.
        let lives = (0..=self.life).filter_map(|nth| life(nth).ok()).collect::<Vec<_>>();
        let whole =
            lives.iter().flat_map(|text| text.split_inclusive('\n').filter(|line| line.ends_with('\n')));
        whole
            .map(|line| {
                let outcome = Outcome::decode(line.as_bytes()).expect("an outcome on a line");
                (outcome.job_id().to_string(), String::from_utf8_lossy(outcome.data()).into_owned())
            })
            .collect()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.kill();
    }
}
