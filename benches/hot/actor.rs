//! A process that plays a part: it says `ready`, waits for a line, does its work, and says what came of it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::Outcome;

/// It ends with whoever has it: nobody is left when a case fails.
pub(crate) struct Actor {
    child: Child,
    /// Open until it is to end.
    stdin: Option<ChildStdin>,
    out: BufReader<ChildStdout>,
}

impl Actor {
    /// Starts this program with these words, and waits until it is ready.
    pub(crate) fn start<Word: Into<String>>(words: impl IntoIterator<Item = Word>) -> Outcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(words.into_iter().map(Into::into));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (stdin, out) = (child.stdin.take(), BufReader::new(child.stdout.take().ok_or("a pipe")?));
        let mut actor = Self { child, stdin, out };
        actor.line()?;
        Ok(actor)
    }

    pub(crate) fn begin(&mut self) -> Outcome<()> {
        self.stdin.as_mut().ok_or("it has ended")?.write_all(b"\n")?;
        Ok(())
    }

    /// Waits until it has done its work: what it says of that.
    pub(crate) fn said(&mut self) -> Outcome<String> {
        drop(self.stdin.take());
        self.line()
    }

    /// The same, and waits until it has ended.
    pub(crate) fn end(mut self) -> Outcome<String> {
        let said = self.said()?;
        if self.child.wait()?.success() { Ok(said) } else { Err("an actor failed".into()) }
    }

    /// The same of one that says how long it took.
    pub(crate) fn took(self) -> Outcome<Duration> {
        Ok(Duration::from_nanos(self.end()?.parse()?))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        if self.out.read_line(&mut line)? == 0 {
            return Err("an actor died".into());
        }
        Ok(line.trim().to_owned())
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        // One that has ended and was waited for is not signalled.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
