//! The parts that are played, each by a process of its own, which says when it is ready, begins when it is told, and says how
//! long it took.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use filedrop::Durability;

use crate::floor::Rooms;
use crate::{Outcome, Side, ours, pickup};

/// Who does something.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    /// Submits, so many at a time.
    Producer(usize),
    /// Handles, so many at a time: with so many threads.
    Consumer(usize),
    /// Submits and waits, again and again. It says the median.
    Caller,
    /// Answers.
    Responder,
    /// Submits now and then.
    Poker,
    /// Handles what comes so. It says the median of how long it took to come.
    Picker,
}

impl Part {
    fn words(self) -> [String; 2] {
        let (name, at_a_time) = match self {
            Part::Producer(at_a_time) => ("producer", at_a_time),
            Part::Consumer(at_a_time) => ("consumer", at_a_time),
            Part::Caller => ("caller", 1),
            Part::Responder => ("responder", 1),
            Part::Poker => ("poker", 1),
            Part::Picker => ("picker", 1),
        };
        [name.to_owned(), at_a_time.to_string()]
    }
}

/// A process that plays a part.
pub(crate) struct Player {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
}

impl Player {
    /// Starts it, and waits until it is ready.
    pub(crate) fn start(
        part: Part,
        side: Side,
        root: &Path,
        durability: Durability,
        who: usize,
        jobs: usize,
    ) -> Outcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("play").args(part.words());
        command.arg(if side == Side::Floor { "floor" } else { "ours" }).arg(root);
        command.arg(if durability == Durability::Os { "os" } else { "flush" });
        command.args([who.to_string(), jobs.to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let out = BufReader::new(child.stdout.take().ok_or("a pipe")?);
        let mut player = Self { child, out };
        player.line()?;
        Ok(player)
    }

    pub(crate) fn begin(&mut self) -> Outcome<()> {
        self.child.stdin.take().ok_or("it has begun")?.write_all(b"\n")?;
        Ok(())
    }

    /// What it says in the end.
    pub(crate) fn end(mut self) -> Outcome<Duration> {
        let nanoseconds = self.line()?.parse()?;
        if !self.child.wait()?.success() {
            return Err("a player failed".into());
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        if self.out.read_line(&mut line)? == 0 {
            return Err("a player died".into());
        }
        Ok(line.trim().to_owned())
    }
}

/// Plays the part that the arguments say.
pub(crate) fn play(args: &[String]) -> Outcome<()> {
    let [part, at_a_time, side, root, durability, who, jobs] = args else { return Err("seven words".into()) };
    let (root, at_a_time, who, jobs): (&Path, usize, usize, usize) =
        (Path::new(root), at_a_time.parse()?, who.parse()?, jobs.parse()?);
    let durability = if durability == "os" { Durability::Os } else { Durability::Flush };
    let mut act: Box<dyn FnMut() -> Outcome<Option<Duration>>> = if side == "floor" {
        let rooms = Rooms::at(root, durability)?;
        match &**part {
            "producer" => Box::new(move || rooms.submit(who, jobs, at_a_time).map(|()| None)),
            "consumer" => Box::new(move || rooms.serve(jobs, at_a_time).map(|()| None)),
            "caller" => Box::new(move || rooms.ask(jobs).map(|times| Some(median(times)))),
            "responder" => Box::new(move || rooms.answer(jobs, |_| ()).map(|()| None)),
            "poker" => Box::new(move || {
                pickup::now_and_then(jobs, |nth, payload| rooms.submit_one(nth, &payload)).map(|()| None)
            }),
            "picker" => Box::new(move || {
                let mut ages = Vec::with_capacity(jobs);
                rooms.answer(jobs, |data| ages.push(pickup::age(data)))?;
                Ok(Some(median(ages)))
            }),
            _ => return Err("no such part".into()),
        }
    } else {
        let drop = ours::open(root, durability)?;
        match &**part {
            "producer" => Box::new(move || ours::submit(&drop, jobs, at_a_time).map(|()| None)),
            "consumer" => Box::new(move || ours::serve(&drop, jobs, at_a_time).map(|()| None)),
            "caller" => Box::new(move || ours::ask(&drop, jobs).map(|times| Some(median(times)))),
            "responder" => Box::new(move || ours::serve(&drop, jobs, 1).map(|()| None)),
            "poker" => Box::new(move || {
                pickup::now_and_then(jobs, |_, payload| ours::submit_one(&drop, payload)).map(|()| None)
            }),
            "picker" => Box::new(move || {
                let ages = std::sync::Arc::new(std::sync::Mutex::new(Vec::with_capacity(jobs)));
                let seen = ages.clone();
                let see = move |data: &[u8]| {
                    if let Ok(mut seen) = seen.lock() {
                        seen.push(pickup::age(data));
                    }
                };
                ours::serve_seen(&drop, jobs, 1, see)?;
                let ages = ages.lock().map_err(|_| "a thread panicked")?;
                Ok(Some(median(ages.clone())))
            }),
            _ => return Err("no such part".into()),
        }
    };
    println!("ready");
    std::io::stdin().lock().read_line(&mut String::new())?;
    let begin = Instant::now();
    let told = act()?;
    println!("{}", told.unwrap_or_else(|| begin.elapsed()).as_nanos());
    Ok(())
}

/// The middle one.
pub(crate) fn median<T: Ord + Copy + Default>(mut of: Vec<T>) -> T {
    of.sort_unstable();
    of.get(of.len() / 2).copied().unwrap_or_default()
}
