//! A connection to a server: what is written is collected and sent at once, what comes is read in large pieces.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use crate::Outcome;

trait Duplex: Read + Write {}
impl<T: Read + Write> Duplex for T {}

pub(crate) struct Wire {
    stream: Box<dyn Duplex>,
    /// What has come; the part before `read` was taken already.
    come: Vec<u8>,
    read: usize,
    /// What is to be sent.
    pub(crate) out: Vec<u8>,
}

impl Wire {
    /// To a socket's path, or to `127.0.0.1:<port>`.
    pub(crate) fn to(address: &str) -> Outcome<Self> {
        let stream: Box<dyn Duplex> = if address.starts_with('/') {
            Box::new(UnixStream::connect(address)?)
        } else {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            Box::new(stream)
        };
        Ok(Self { stream, come: Vec::new(), read: 0, out: Vec::new() })
    }

    pub(crate) fn send(&mut self) -> Outcome<()> {
        self.stream.write_all(&self.out)?;
        self.out.clear();
        Ok(())
    }

    /// Whether something has come that nobody has taken.
    pub(crate) fn pending(&self) -> bool {
        self.read < self.come.len()
    }

    /// So many bytes.
    pub(crate) fn take(&mut self, count: usize) -> Outcome<Vec<u8>> {
        while self.come.len() - self.read < count {
            self.more()?;
        }
        let taken = self.come[self.read..self.read + count].to_vec();
        self.read += count;
        Ok(taken)
    }

    /// A line, without its end (CR and LF).
    pub(crate) fn line(&mut self) -> Outcome<String> {
        let mut seen = 0;
        loop {
            let rest = &self.come[self.read + seen..];
            if let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
                let line = self.take(seen + at + 1)?;
                return Ok(String::from_utf8(line)?.trim_end().to_owned());
            }
            seen += rest.len();
            self.more()?;
        }
    }

    /// So many bytes, and the line's end behind them.
    pub(crate) fn block(&mut self, count: usize) -> Outcome<Vec<u8>> {
        let mut bytes = self.take(count + 2)?;
        bytes.truncate(count);
        Ok(bytes)
    }

    fn more(&mut self) -> Outcome<()> {
        const PIECE: usize = 64 << 10;
        self.come.drain(..self.read);
        self.read = 0;
        let before = self.come.len();
        self.come.resize(before + PIECE, 0);
        let count = self.stream.read(&mut self.come[before..])?;
        self.come.truncate(before + count);
        if count == 0 { Err("the server has closed the connection".into()) } else { Ok(()) }
    }
}
