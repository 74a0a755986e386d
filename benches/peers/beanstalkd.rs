//! beanstalkd: a tube of jobs, one of outcomes.

use std::io::Write as _;

use crate::wire::Wire;
use crate::{Outcome, Peer, Role, Taken};

pub(crate) struct Beanstalkd {
    wire: Wire,
}

impl Beanstalkd {
    pub(crate) fn open(address: &str, name: &str, role: Role) -> Outcome<Self> {
        let (jobs, outcomes) = (format!("{name}-jobs"), format!("{name}-outcomes"));
        let (puts, takes) = if role.handles() { (outcomes, jobs) } else { (jobs, outcomes) };
        let mut wire = Wire::to(address)?;
        write!(wire.out, "use {puts}\r\nwatch {takes}\r\nignore default\r\n")?;
        wire.send()?;
        let mut peer = Self { wire };
        for expected in ["USING", "WATCHING", "WATCHING"] {
            peer.expect(expected)?;
        }
        Ok(peer)
    }

    fn expect(&mut self, expected: &str) -> Outcome<()> {
        let line = self.wire.line()?;
        if line.starts_with(expected) { Ok(()) } else { Err(line.into()) }
    }

    fn put(&mut self, data: &[u8]) -> Outcome<()> {
        write!(self.wire.out, "put 0 0 60 {}\r\n", data.len())?;
        self.wire.out.extend_from_slice(data);
        self.wire.out.extend_from_slice(b"\r\n");
        Ok(())
    }

    fn reserved(&mut self) -> Outcome<Option<Taken>> {
        let line = self.wire.line()?;
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["RESERVED", id, bytes] => {
                let data = self.wire.block(bytes.parse()?)?;
                Ok(Some(Taken { receipt: id.into(), data }))
            }
            ["TIMED_OUT"] => Ok(None),
            _ => Err(line.into()),
        }
    }

    fn delete(&mut self, jobs: &[Taken]) {
        for job in jobs {
            self.wire.out.extend_from_slice(b"delete ");
            self.wire.out.extend_from_slice(&job.receipt);
            self.wire.out.extend_from_slice(b"\r\n");
        }
    }

    fn reserve(&mut self, most: usize, first: &str) -> Outcome<Vec<Taken>> {
        write!(self.wire.out, "{first}\r\n")?;
        for _ in 1..most {
            self.wire.out.extend_from_slice(b"reserve-with-timeout 0\r\n");
        }
        self.wire.send()?;
        let mut taken = Vec::with_capacity(most);
        for _ in 0..most {
            taken.extend(self.reserved()?);
        }
        Ok(taken)
    }
}

impl Peer for Beanstalkd {
    fn prepare(&mut self) -> Outcome<()> {
        Ok(())
    }

    fn submit(&mut self, jobs: &[Vec<u8>]) -> Outcome<()> {
        jobs.iter().try_for_each(|job| self.put(job))?;
        self.wire.send()?;
        jobs.iter().try_for_each(|_| self.expect("INSERTED"))
    }

    fn take(&mut self, most: usize) -> Outcome<Vec<Taken>> {
        self.reserve(most, "reserve")
    }

    fn settle(&mut self, jobs: Vec<Taken>) -> Outcome<()> {
        jobs.iter().try_for_each(|job| self.put(&job.data))?;
        self.delete(&jobs);
        self.wire.send()?;
        jobs.iter().try_for_each(|_| self.expect("INSERTED"))?;
        jobs.iter().try_for_each(|_| self.expect("DELETED"))
    }

    fn answer(&mut self) -> Outcome<Vec<u8>> {
        let mut taken = self.reserve(1, "reserve")?;
        self.delete(&taken);
        self.wire.send()?;
        self.expect("DELETED")?;
        taken.pop().map(|outcome| outcome.data).ok_or_else(|| "nothing came".into())
    }

    /// Who forgets has the role of a caller: what is left are outcomes.
    fn forget(&mut self) -> Outcome<()> {
        loop {
            let taken = self.reserve(100, "reserve-with-timeout 0")?;
            if taken.is_empty() {
                return Ok(());
            }
            self.delete(&taken);
            self.wire.send()?;
            taken.iter().try_for_each(|_| self.expect("DELETED"))?;
        }
    }
}
