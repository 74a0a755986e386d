//! A file system that does as it is told, call by call: what a disk, a quota or another user may answer.

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use filedrop::actors::consumer::{self, ConsumerOptions, Setup};
use filedrop::actors::handler::{Closure, Handler};
use filedrop::adapters::fs::OsFs;
use filedrop::adapters::host::OsHost;
use filedrop::adapters::store::local::LocalStore;
use filedrop::ports::{Chosen, Fs, Listed, Meta};
use filedrop::words::Writer;
use filedrop::{DropFolder, Job, Observer, Result, Stopper, Summary, WatchMode};

use crate::faulty::Deaf;

/// Is told of a call and its path before it is done: an error is its answer.
pub(crate) type Fault<'a> = Box<dyn Fn(&str, &Path) -> io::Result<()> + Send + Sync + 'a>;

pub(crate) struct Stubborn<'a> {
    os: OsFs,
    fault: Fault<'a>,
}

impl<'a> Stubborn<'a> {
    pub(crate) fn new(os: OsFs, fault: impl Fn(&str, &Path) -> io::Result<()> + Send + Sync + 'a) -> Self {
        Self { os, fault: Box::new(fault) }
    }
}

pub(crate) type Store<'a> = LocalStore<Stubborn<'a>, OsHost>;

pub(crate) fn stubborn<'a>(
    drop: &DropFolder,
    os: OsFs,
    fault: impl Fn(&str, &Path) -> io::Result<()> + Send + Sync + 'a,
) -> Store<'a> {
    LocalStore::open(Stubborn::new(os, fault), OsHost, drop.path()).unwrap()
}

/// A consumer that looks every 10 ms, and keeps what the files that it is given have in them.
pub(crate) fn consume(
    store: &Store<'_>,
    options: &ConsumerOptions,
    observer: &dyn Observer,
) -> Result<Summary> {
    let handler = Closure(async |_: Job| Ok::<_, String>(()));
    consume_with(store, options, &handler, observer, &Stopper::default())
}

/// The same with another handler, until it is stopped.
pub(crate) fn consume_with(
    store: &Store<'_>,
    options: &ConsumerOptions,
    handler: &dyn Handler,
    observer: &dyn Observer,
    stopper: &Stopper,
) -> Result<Summary> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let options = ConsumerOptions { poll_interval: Duration::from_millis(10), ..options.clone() };
    consumer::run(Setup {
        store,
        host: &OsHost,
        watch: Box::new(Deaf),
        chosen: Chosen { mode: WatchMode::Poll, why: "for the test".to_owned() },
        options: &options,
        handler,
        runtime: runtime.handle().clone(),
        observer,
        stopper,
    })
}

macro_rules! asks {
    ($($name:ident($path:ident: &Path $(, $more:ident: $type:ty)*) -> $out:ty;)*) => {$(
        fn $name(&self, $path: &Path $(, $more: $type)*) -> $out {
            (self.fault)(stringify!($name), $path)?;
            self.os.$name($path $(, $more)*)
        }
    )*};
}

macro_rules! does {
    ($($name:ident($($arg:ident: $type:ty),*) -> $out:ty;)*) => {$(
        fn $name(&self, $($arg: $type),*) -> $out {
            self.os.$name($($arg),*)
        }
    )*};
}

impl Fs for Stubborn<'_> {
    type File = File;

    asks! {
        create(path: &Path) -> io::Result<File>;
        create_unnamed(dir: &Path) -> io::Result<File>;
        open(path: &Path) -> io::Result<File>;
        flush_dir(dir: &Path) -> io::Result<()>;
        writer(path: &Path) -> io::Result<Writer>;
        stat(path: &Path) -> io::Result<Meta>;
        link(from: &Path, to: &Path) -> io::Result<()>;
        rename(from: &Path, to: &Path) -> io::Result<()>;
        rename_new(from: &Path, to: &Path) -> io::Result<()>;
        unlink(path: &Path) -> io::Result<()>;
        make_dir(path: &Path) -> io::Result<()>;
        remove_dir(path: &Path) -> io::Result<()>;
        remove_tree(path: &Path) -> io::Result<()>;
        list_until(dir: &Path, each: &mut dyn FnMut(Listed) -> ControlFlow<()>) -> io::Result<ControlFlow<()>>;
        admit(path: &Path) -> io::Result<()>;
    }

    does! {
        is_local() -> bool;
        write(file: &File, bytes: &[u8]) -> io::Result<()>;
        copy(from: &Path, to: &File, progress: &mut dyn FnMut(u64)) -> io::Result<u64>;
        read(file: &File, limit: usize) -> io::Result<Vec<u8>>;
        flush(file: &File) -> io::Result<()>;
        sha256(file: &File) -> io::Result<[u8; 32]>;
        stat_open(file: &File) -> io::Result<Meta>;
        link_unnamed(file: &File, to: &Path) -> io::Result<()>;
        try_lock(file: &File) -> io::Result<bool>;
    }
}
