//! The parts that `benches/peers/run` has others play beside us: clients of servers that do as little as they can, each in a process
//! of its own.
//!
//! ```text
//! peers play <peer> <role> <address> <queue> <durable|os> <jobs> <at a time>
//! ```

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod beanstalkd;
mod nats;
mod postgres;
mod redis;
#[path = "../hot/stamp.rs"]
mod stamp;
#[path = "../hot/timed.rs"]
mod timed;
mod wire;

use std::time::{Duration, Instant};

use stamp::{age, now_and_then, stamped};
use timed::{median, timed};

/// What goes wrong is told, and ends the player.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A job that somebody has in hand.
struct Taken {
    /// What the server wants to see when it is done.
    receipt: Vec<u8>,
    data: Vec<u8>,
}

/// A connection to a queue.
trait Peer {
    /// Makes what all players of a queue need.
    fn prepare(&mut self) -> Outcome<()>;
    /// Submits jobs. They are acknowledged when it returns.
    fn submit(&mut self, jobs: &[Vec<u8>]) -> Outcome<()>;
    /// One job or more, as many as there are, at most so many.
    fn take(&mut self, most: usize) -> Outcome<Vec<Taken>>;
    /// Answers each with its own data, and has it done with.
    fn settle(&mut self, jobs: Vec<Taken>) -> Outcome<()>;
    /// The answer to what was submitted last.
    fn answer(&mut self) -> Outcome<Vec<u8>>;
    /// Removes what is left of the queue.
    fn forget(&mut self) -> Outcome<()>;
}

/// Who does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Prepare,
    /// Submits; nobody waits for it.
    Producer,
    /// Submits what a consumer waits for.
    Feeder,
    Consumer,
    /// Submits a job and waits for its answer, again and again. It says the median.
    Caller,
    Responder,
    /// Submits a job every 20 ms, which says when.
    Poker,
    /// Says the median of how long they took to come.
    Picker,
    Forget,
}

impl Role {
    fn parse(word: &str) -> Outcome<Self> {
        Ok(match word {
            "prepare" => Role::Prepare,
            "producer" => Role::Producer,
            "feeder" => Role::Feeder,
            "consumer" => Role::Consumer,
            "caller" => Role::Caller,
            "responder" => Role::Responder,
            "poker" => Role::Poker,
            "picker" => Role::Picker,
            "forget" => Role::Forget,
            _ => return Err(format!("there is no role {word}").into()),
        })
    }

    /// Whether it takes jobs, rather than submit them.
    fn handles(self) -> bool {
        matches!(self, Role::Consumer | Role::Responder | Role::Picker)
    }
}

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let words: Vec<&str> = args.iter().map(|arg| &**arg).collect();
    match words[..] {
        ["play", peer, role, address, queue, durability, jobs, at_a_time] => {
            let role = Role::parse(role)?;
            let mut peer: Box<dyn Peer> = match peer {
                "redis" => Box::new(redis::Redis::open(address, queue)?),
                "beanstalkd" => Box::new(beanstalkd::Beanstalkd::open(address, queue, role)?),
                "nats" => Box::new(nats::Nats::open(address, queue, role)?),
                "postgres" => {
                    Box::new(postgres::Postgres::open(address, queue, durability == "durable", role)?)
                }
                _ => return Err(format!("there is no peer {peer}").into()),
            };
            let (jobs, at_a_time) = (jobs.parse()?, at_a_time.parse()?);
            timed(|| play(&mut *peer, role, jobs, at_a_time))
        }
        _ => {
            println!("benches/peers/run runs this");
            Ok(())
        }
    }
}

fn play(peer: &mut dyn Peer, role: Role, jobs: usize, at_a_time: usize) -> Outcome<Option<Duration>> {
    let mut times = Vec::with_capacity(jobs);
    match role {
        Role::Prepare => peer.prepare()?,
        Role::Forget => peer.forget()?,
        Role::Producer | Role::Feeder => {
            let group = vec![stamped(); at_a_time];
            let mut left = jobs;
            while left > 0 {
                let count = left.min(at_a_time);
                peer.submit(&group[..count])?;
                left -= count;
            }
        }
        Role::Consumer | Role::Responder | Role::Picker => {
            let mut left = jobs;
            while left > 0 {
                let taken = peer.take(left.min(at_a_time))?;
                left -= taken.len();
                if role == Role::Picker {
                    times.extend(taken.iter().map(|job| age(&job.data)));
                }
                peer.settle(taken)?;
            }
        }
        Role::Caller => {
            let job = [stamped()];
            for _ in 0..jobs {
                let begin = Instant::now();
                peer.submit(&job)?;
                if peer.answer()? != job[0] {
                    return Err("an answer to something else".into());
                }
                times.push(begin.elapsed());
            }
        }
        Role::Poker => now_and_then(jobs, |_, data| peer.submit(&[data]))?,
    }
    Ok(median(times))
}
