//! Redis: a list of jobs, one of claims (`LMOVE`, so that a job whose consumer dies is somewhere), one of outcomes.

use std::io::Write as _;

use crate::wire::Wire;
use crate::{Outcome, Peer, Taken};

pub(crate) struct Redis {
    wire: Wire,
    jobs: String,
    claims: String,
    outcomes: String,
}

impl Redis {
    pub(crate) fn open(address: &str, name: &str) -> Outcome<Self> {
        let key = |what: &str| format!("{name}:{what}");
        let (jobs, claims, outcomes) = (key("jobs"), key("claims"), key("outcomes"));
        Ok(Self { wire: Wire::to(address)?, jobs, claims, outcomes })
    }

    /// One value; of a list the last one. None: there is none.
    fn reply(&mut self) -> Outcome<Option<Vec<u8>>> {
        let line = self.wire.line()?;
        let (kind, rest) = line.split_at(1);
        match kind {
            "+" | ":" => Ok(Some(rest.into())),
            "$" | "*" if rest.starts_with('-') => Ok(None),
            "$" => self.wire.block(rest.parse()?).map(Some),
            "*" => (0..rest.parse::<usize>()?).try_fold(None, |_, _| self.reply()),
            _ => Err(line.into()),
        }
    }

    fn some(&mut self) -> Outcome<Vec<u8>> {
        self.reply()?.ok_or_else(|| "nothing came".into())
    }
}

fn command(out: &mut Vec<u8>, words: &[&[u8]]) -> Outcome<()> {
    write!(out, "*{}\r\n", words.len())?;
    for word in words {
        write!(out, "${}\r\n", word.len())?;
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
    Ok(())
}

impl Peer for Redis {
    fn prepare(&mut self) -> Outcome<()> {
        Ok(())
    }

    fn submit(&mut self, jobs: &[Vec<u8>]) -> Outcome<()> {
        for job in jobs {
            command(&mut self.wire.out, &[b"RPUSH", self.jobs.as_bytes(), job])?;
        }
        self.wire.send()?;
        jobs.iter().try_for_each(|_| self.some().map(|_| ()))
    }

    fn take(&mut self, most: usize) -> Outcome<Vec<Taken>> {
        let (from, to) = (self.jobs.as_bytes(), self.claims.as_bytes());
        command(&mut self.wire.out, &[b"BLMOVE", from, to, b"LEFT", b"RIGHT", b"0"])?;
        for _ in 1..most {
            command(&mut self.wire.out, &[b"LMOVE", from, to, b"LEFT", b"RIGHT"])?;
        }
        self.wire.send()?;
        let mut taken = Vec::with_capacity(most);
        for _ in 0..most {
            taken.extend(self.reply()?.map(|data| Taken { receipt: Vec::new(), data }));
        }
        Ok(taken)
    }

    fn settle(&mut self, jobs: Vec<Taken>) -> Outcome<()> {
        for job in &jobs {
            command(&mut self.wire.out, &[b"RPUSH", self.outcomes.as_bytes(), &job.data])?;
            command(&mut self.wire.out, &[b"LREM", self.claims.as_bytes(), b"1", &job.data])?;
        }
        self.wire.send()?;
        (0..2 * jobs.len()).try_for_each(|_| self.some().map(|_| ()))
    }

    fn answer(&mut self) -> Outcome<Vec<u8>> {
        command(&mut self.wire.out, &[b"BLPOP", self.outcomes.as_bytes(), b"0"])?;
        self.wire.send()?;
        self.some()
    }

    fn forget(&mut self) -> Outcome<()> {
        let keys = [&self.jobs, &self.claims, &self.outcomes].map(|key| key.as_bytes());
        command(&mut self.wire.out, &[b"DEL", keys[0], keys[1], keys[2]])?;
        // Its log keeps what was forgotten until it is written anew, which it was told not to do while somebody measures.
        command(&mut self.wire.out, &[b"BGREWRITEAOF"])?;
        self.wire.send()?;
        (0..2).try_for_each(|_| self.some().map(|_| ()))
    }
}
