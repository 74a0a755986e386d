//! NATS JetStream: a stream of jobs as a work queue, with one consumer that several may share; a stream of outcomes.

use std::collections::VecDeque;
use std::io::Write as _;

use crate::wire::Wire;
use crate::{Outcome, Peer, Role, Taken};

/// What comes back to whoever asked: acknowledgements by `acks`, jobs by `jobs`, outcomes by `outcomes`.
const ACKS: &str = "1";
const JOBS: &str = "2";
const OUTCOMES: &str = "3";

pub(crate) struct Nats {
    wire: Wire,
    name: String,
    inbox: String,
    /// So many jobs were asked for and have not come.
    asked: usize,
    /// What came while something else was waited for.
    early: VecDeque<Message>,
}

struct Message {
    by: String,
    reply: Option<String>,
    data: Vec<u8>,
}

impl Nats {
    pub(crate) fn open(address: &str, name: &str, role: Role) -> Outcome<Self> {
        let mut wire = Wire::to(address)?;
        let info = wire.line()?;
        if !info.starts_with("INFO") {
            return Err(info.into());
        }
        let inbox = format!("_INBOX.{name}.{}", std::process::id());
        write!(
            wire.out,
            "CONNECT {{\"verbose\":false,\"pedantic\":false,\"lang\":\"rust\",\"version\":\"0\"}}\r\n"
        )?;
        for (kind, by) in [("acks", ACKS), ("jobs", JOBS), ("outcomes", OUTCOMES)] {
            write!(wire.out, "SUB {inbox}.{kind} {by}\r\n")?;
        }
        write!(wire.out, "PING\r\n")?;
        wire.send()?;
        let mut peer = Self { wire, name: name.to_owned(), inbox, asked: 0, early: VecDeque::new() };
        loop {
            let line = peer.wire.line()?;
            match &*line {
                "PONG" => break,
                "+OK" => {}
                _ => return Err(line.into()),
            }
        }
        if role == Role::Caller {
            let to = format!("{}.outcomes", peer.inbox);
            peer.ask(
                &format!("$JS.API.CONSUMER.CREATE.{name}-outcomes"),
                &format!(
                    r#"{{"stream_name":"{name}-outcomes","config":{{"deliver_subject":"{to}","ack_policy":"none","deliver_policy":"all"}}}}"#
                ),
            )?;
        }
        Ok(peer)
    }

    fn publish(&mut self, subject: &str, reply: &str, data: &[u8]) -> Outcome<()> {
        write!(self.wire.out, "PUB {subject} {reply} {}\r\n", data.len())?;
        self.wire.out.extend_from_slice(data);
        self.wire.out.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// The next one of a kind.
    fn next(&mut self, by: &str) -> Outcome<Message> {
        if let Some(at) = self.early.iter().position(|message| message.by == by) {
            return self.early.remove(at).ok_or_else(|| "it was there".into());
        }
        loop {
            let message = self.read()?;
            if message.by == by {
                return Ok(message);
            }
            self.early.push_back(message);
        }
    }

    fn read(&mut self) -> Outcome<Message> {
        loop {
            let line = self.wire.line()?;
            let words: Vec<&str> = line.split(' ').collect();
            let (by, reply, bytes) = match words[..] {
                ["MSG", _, by, bytes] => (by, None, bytes),
                ["MSG", _, by, reply, bytes] => (by, Some(reply), bytes),
                ["PING"] => {
                    self.wire.out.extend_from_slice(b"PONG\r\n");
                    self.wire.send()?;
                    continue;
                }
                _ => return Err(line.into()),
            };
            let (by, reply) = (by.to_owned(), reply.map(ToOwned::to_owned));
            return Ok(Message { by, reply, data: self.wire.block(bytes.parse()?)? });
        }
    }

    /// The server's answer, which must be no error.
    fn acknowledged(&mut self) -> Outcome<()> {
        let message = self.next(ACKS)?;
        let text = String::from_utf8_lossy(&message.data);
        if text.contains("\"error\"") { Err(text.into()) } else { Ok(()) }
    }

    fn ask(&mut self, subject: &str, data: &str) -> Outcome<()> {
        self.publish(subject, &format!("{}.acks", self.inbox), data.as_bytes())?;
        self.wire.send()?;
        self.acknowledged()
    }

    fn store<'a>(&mut self, stream: &str, all: impl Iterator<Item = &'a Vec<u8>>) -> Outcome<()> {
        let (subject, reply) = (format!("{}.{stream}", self.name), format!("{}.acks", self.inbox));
        let mut count = 0;
        for data in all {
            self.publish(&subject, &reply, data)?;
            count += 1;
        }
        self.wire.send()?;
        (0..count).try_for_each(|_| self.acknowledged())
    }
}

impl Peer for Nats {
    fn prepare(&mut self) -> Outcome<()> {
        let name = self.name.clone();
        for (stream, retention) in [("jobs", "workqueue"), ("outcomes", "limits")] {
            self.ask(
                &format!("$JS.API.STREAM.CREATE.{name}-{stream}"),
                &format!(
                    r#"{{"name":"{name}-{stream}","subjects":["{name}.{stream}"],"retention":"{retention}","storage":"file","num_replicas":1}}"#
                ),
            )?;
        }
        self.ask(
            &format!("$JS.API.CONSUMER.DURABLE.CREATE.{name}-jobs.all"),
            &format!(
                r#"{{"stream_name":"{name}-jobs","config":{{"durable_name":"all","ack_policy":"explicit","deliver_policy":"all","max_ack_pending":1000}}}}"#
            ),
        )
    }

    fn submit(&mut self, jobs: &[Vec<u8>]) -> Outcome<()> {
        self.store("jobs", jobs.iter())
    }

    fn take(&mut self, most: usize) -> Outcome<Vec<Taken>> {
        if self.asked == 0 {
            let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{}-jobs.all", self.name);
            let reply = format!("{}.jobs", self.inbox);
            self.publish(&subject, &reply, format!(r#"{{"batch":{most}}}"#).as_bytes())?;
            self.wire.send()?;
            self.asked = most;
        }
        let mut taken = Vec::new();
        // What has come, and no more: the rest comes when it is there.
        while taken.is_empty() || (self.asked > 0 && (self.wire.pending() || !self.early.is_empty())) {
            let message = self.next(JOBS)?;
            let receipt = message.reply.ok_or("a job without a way to acknowledge it")?;
            taken.push(Taken { receipt: receipt.into(), data: message.data });
            self.asked -= 1;
        }
        Ok(taken)
    }

    fn settle(&mut self, jobs: Vec<Taken>) -> Outcome<()> {
        self.store("outcomes", jobs.iter().map(|job| &job.data))?;
        for job in &jobs {
            let receipt = String::from_utf8_lossy(&job.receipt);
            write!(self.wire.out, "PUB {receipt} 4\r\n+ACK\r\n")?;
        }
        self.wire.send()
    }

    fn answer(&mut self) -> Outcome<Vec<u8>> {
        Ok(self.next(OUTCOMES)?.data)
    }

    fn forget(&mut self) -> Outcome<()> {
        ["jobs", "outcomes"].into_iter().try_for_each(|stream| {
            let subject = format!("$JS.API.STREAM.DELETE.{}-{stream}", self.name);
            self.ask(&subject, "")
        })
    }
}
