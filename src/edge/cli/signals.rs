//! SIGINT and SIGTERM, heard on a thread of their own, as the commands themselves block.

use std::future::pending;
use std::thread;

use tokio::runtime::Builder;
use tokio::signal::unix::{self, SignalKind, signal};

use super::exit::{Exit, Failure};
use crate::actors::handler::ignored::is_ignored;

/// Somebody asked us to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Interrupt,
    Terminate,
}

impl Signal {
    /// The code of a program that ends because of it.
    pub(super) fn exit(self) -> Exit {
        match self {
            Signal::Interrupt => Exit::Interrupted,
            Signal::Terminate => Exit::Terminated,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Signal::Interrupt => "SIGINT",
            Signal::Terminate => "SIGTERM",
        }
    }
}

/// From when this returns, each signal is told to `heard`, and no longer ends the program by itself. One that the program was
/// started to ignore stays ignored: a script starts what ends with `&` so, that ^C at the terminal leaves it alone.
pub(super) fn listen(mut heard: impl FnMut(Signal) + Send + 'static) -> Result<(), Failure> {
    let cannot = |e| Failure::new(Exit::Io, format_args!("cannot listen for signals: {e}"));
    let runtime = Builder::new_current_thread().enable_io().build().map_err(cannot)?;
    let (mut interrupt, mut terminate) = {
        let _context = runtime.enter();
        let listen_for = |kind: SignalKind| {
            (!is_ignored(kind.as_raw_value())).then(|| signal(kind)).transpose().map_err(cannot)
        };
        (listen_for(SignalKind::interrupt())?, listen_for(SignalKind::terminate())?)
    };
    let listener = move || {
        runtime.block_on(async {
            loop {
                let signal = tokio::select! {
                    Some(()) = next(&mut interrupt) => Signal::Interrupt,
                    Some(()) = next(&mut terminate) => Signal::Terminate,
                    else => return,
                };
                heard(signal);
            }
        });
    };
    thread::Builder::new().name("signals".to_owned()).spawn(listener).map(drop).map_err(cannot)
}

async fn next(signals: &mut Option<unix::Signal>) -> Option<()> {
    match signals {
        Some(signals) => signals.recv().await,
        None => pending().await,
    }
}
