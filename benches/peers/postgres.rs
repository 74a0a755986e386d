//! PostgreSQL: a table of jobs, claimed by `FOR UPDATE SKIP LOCKED`, and one of outcomes; `LISTEN` and `NOTIFY` where somebody waits.
//! A claim, its outcome and the end of the job are one transaction.

use crate::wire::Wire;
use crate::{Outcome, Peer, Role, Taken};

pub(crate) struct Postgres {
    wire: Wire,
    name: String,
    role: Role,
    /// The job that was submitted last.
    last: Vec<u8>,
    /// Somebody has rung, and nobody has looked since.
    rung: bool,
}

/// The columns of a row.
type Row = Vec<Vec<u8>>;

impl Postgres {
    pub(crate) fn open(address: &str, name: &str, durable: bool, role: Role) -> Outcome<Self> {
        let mut peer =
            Self { wire: Wire::to(address)?, name: name.to_owned(), role, last: Vec::new(), rung: false };
        let mut hello = 196_608_u32.to_be_bytes().to_vec();
        hello.extend_from_slice(b"user\0postgres\0database\0postgres\0\0");
        peer.wire.out.extend(u32::try_from(hello.len() + 4)?.to_be_bytes());
        peer.wire.out.extend(hello);
        peer.wire.send()?;
        peer.until_ready()?;
        peer.simple(&format!("SET synchronous_commit = {}", if durable { "on" } else { "off" }))?;
        if role == Role::Prepare || role == Role::Forget {
            return Ok(peer);
        }
        let waits = if role.handles() { "jobs" } else { "outcomes" };
        if role != Role::Producer {
            peer.simple(&format!("LISTEN {name}_{waits}"))?;
        }
        for (statement, text) in [
            ("begin", "BEGIN".to_owned()),
            ("commit", "COMMIT".to_owned()),
            ("submit", format!("INSERT INTO {name}_jobs (data) VALUES ($1) RETURNING id")),
            (
                "take",
                format!(
                    "DELETE FROM {name}_jobs WHERE id = ANY (ARRAY(SELECT id FROM {name}_jobs ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)) RETURNING id, data"
                ),
            ),
            ("settle", format!("INSERT INTO {name}_outcomes (id, data) VALUES ($1, $2)")),
            ("answer", format!("SELECT data FROM {name}_outcomes WHERE id = $1")),
            ("ring-jobs", format!("NOTIFY {name}_jobs")),
            ("ring-outcomes", format!("NOTIFY {name}_outcomes")),
        ] {
            let mut body = format!("{statement}\0{text}\0").into_bytes();
            body.extend([0, 0]);
            peer.put(b'P', &body)?;
        }
        peer.sync()?;
        peer.until_ready()?;
        Ok(peer)
    }

    fn put(&mut self, kind: u8, body: &[u8]) -> Outcome<()> {
        self.wire.out.push(kind);
        self.wire.out.extend(u32::try_from(body.len() + 4)?.to_be_bytes());
        self.wire.out.extend_from_slice(body);
        Ok(())
    }

    /// Runs a prepared statement, all values in binary, there and back.
    fn run(&mut self, statement: &str, values: &[&[u8]]) -> Outcome<()> {
        let mut bind = format!("\0{statement}\0").into_bytes();
        bind.extend([0, 1, 0, 1]);
        bind.extend(u16::try_from(values.len())?.to_be_bytes());
        for value in values {
            bind.extend(u32::try_from(value.len())?.to_be_bytes());
            bind.extend_from_slice(value);
        }
        bind.extend([0, 1, 0, 1]);
        self.put(b'B', &bind)?;
        // The unnamed portal, all rows.
        self.put(b'E', &[0, 0, 0, 0, 0])
    }

    /// The end of a transaction, unless one was begun by name. Sends all.
    fn sync(&mut self) -> Outcome<()> {
        self.put(b'S', &[])?;
        self.wire.send()
    }

    fn simple(&mut self, text: &str) -> Outcome<()> {
        self.put(b'Q', format!("{text}\0").as_bytes())?;
        self.wire.send()?;
        self.until_ready().map(|_| ())
    }

    fn message(&mut self) -> Outcome<(u8, Vec<u8>)> {
        let kind = self.wire.take(1)?[0];
        let size = number(&self.wire.take(4)?)?;
        let body = self.wire.take(size - 4)?;
        self.rung |= kind == b'A';
        if kind == b'E' { Err(String::from_utf8_lossy(&body).into()) } else { Ok((kind, body)) }
    }

    /// What came until the server is ready for more.
    fn until_ready(&mut self) -> Outcome<Vec<Row>> {
        let mut rows = Vec::new();
        loop {
            match self.message()? {
                (b'Z', _) => return Ok(rows),
                (b'D', body) => rows.push(row(&body)?),
                _ => {}
            }
        }
    }

    /// Until somebody rings, or has rung since it was asked last.
    fn wait(&mut self) -> Outcome<()> {
        while !self.rung {
            self.message()?;
        }
        self.rung = false;
        Ok(())
    }
}

fn number(bytes: &[u8]) -> Outcome<usize> {
    Ok(usize::try_from(u32::from_be_bytes(bytes.try_into()?))?)
}

fn row(body: &[u8]) -> Outcome<Row> {
    let mut rest = &body[2..];
    let mut columns = Row::new();
    while !rest.is_empty() {
        let size = number(&rest[..4])?;
        columns.push(rest[4..4 + size].to_vec());
        rest = &rest[4 + size..];
    }
    Ok(columns)
}

impl Peer for Postgres {
    fn prepare(&mut self) -> Outcome<()> {
        let name = self.name.clone();
        self.simple(&format!("CREATE TABLE {name}_jobs (id bigserial PRIMARY KEY, data bytea NOT NULL)"))?;
        self.simple(&format!("CREATE TABLE {name}_outcomes (id bigint PRIMARY KEY, data bytea NOT NULL)"))
    }

    fn submit(&mut self, jobs: &[Vec<u8>]) -> Outcome<()> {
        for job in jobs {
            self.run("submit", &[job])?;
        }
        // Whoever rings waits for whoever else rings, until the end of its transaction: so only where somebody listens.
        if self.role != Role::Producer {
            self.run("ring-jobs", &[])?;
        }
        self.sync()?;
        let rows = self.until_ready()?;
        self.last = rows.last().and_then(|row| row.first()).ok_or("no id")?.clone();
        Ok(())
    }

    fn take(&mut self, most: usize) -> Outcome<Vec<Taken>> {
        loop {
            self.run("begin", &[])?;
            self.run("take", &[&u64::try_from(most)?.to_be_bytes()])?;
            self.sync()?;
            let rows = self.until_ready()?;
            if !rows.is_empty() {
                let taken = rows.into_iter().map(|mut row| {
                    let data = row.pop().unwrap_or_default();
                    Taken { receipt: row.pop().unwrap_or_default(), data }
                });
                return Ok(taken.collect());
            }
            self.run("commit", &[])?;
            self.sync()?;
            self.until_ready()?;
            self.wait()?;
        }
    }

    fn settle(&mut self, jobs: Vec<Taken>) -> Outcome<()> {
        for job in &jobs {
            self.run("settle", &[&job.receipt, &job.data])?;
        }
        if self.role == Role::Responder {
            self.run("ring-outcomes", &[])?;
        }
        self.run("commit", &[])?;
        self.sync()?;
        self.until_ready().map(|_| ())
    }

    fn answer(&mut self) -> Outcome<Vec<u8>> {
        loop {
            let last = self.last.clone();
            self.wait()?;
            self.run("answer", &[&last])?;
            self.sync()?;
            if let Some(data) = self.until_ready()?.pop().and_then(|mut row| row.pop()) {
                return Ok(data);
            }
        }
    }

    fn forget(&mut self) -> Outcome<()> {
        let name = self.name.clone();
        self.simple(&format!("DROP TABLE {name}_jobs, {name}_outcomes"))
    }
}
