//! A process a job, beside the same start of a process in a bare loop: a child that borrows our memory until it executes, leads a
//! group, dies with us, and has three pipes, all of which are read to their ends before it is reaped.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
use std::{io, ptr};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::{Outcome, payload};

/// Runs the program so often, with so many threads.
pub(crate) fn bare(program: &str, jobs: usize, threads: usize) -> Outcome<()> {
    let path = CString::new(program)?;
    let left = std::sync::atomic::AtomicIsize::new(jobs as isize);
    std::thread::scope(|scope| {
        let work = || -> Outcome<()> {
            while left.fetch_sub(1, std::sync::atomic::Ordering::AcqRel) > 0 {
                one(&path)?;
            }
            Ok(())
        };
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread panicked")?)
    })
}

struct Plan {
    path: *const c_char,
    args: [*const c_char; 2],
    environment: *const *const c_char,
    standard: [RawFd; 3],
}

unsafe extern "C" {
    static environ: *const *const c_char;
}

fn one(path: &CStr) -> Outcome<()> {
    let [(stdin, feed), (stdout, output), (stderr, words)] =
        [pipe_with(PipeFlags::CLOEXEC)?, pipe_with(PipeFlags::CLOEXEC)?, pipe_with(PipeFlags::CLOEXEC)?];
    rustix::io::write(&feed, &payload())?;
    drop(feed);
    let standard = [stdin.as_raw_fd(), output.as_raw_fd(), words.as_raw_fd()];
    let mut stack = Vec::<u8>::with_capacity(64 << 10);
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    let mut exit: c_int = -1;
    // SAFETY: this thread waits until the child has executed the program, which only makes system calls before.
    let (pid, exit) = unsafe {
        let args = [path.as_ptr(), ptr::null()];
        let mut plan = Plan { path: path.as_ptr(), args, environment: environ, standard };
        let top = stack.as_mut_ptr().add(64 << 10);
        let top = top.wrapping_sub(top as usize % 16).cast();
        let pid = libc::clone(child, top, flags, ptr::from_mut(&mut plan).cast(), &raw mut exit);
        if pid < 0 {
            return Err(io::Error::last_os_error().into());
        }
        (pid, OwnedFd::from_raw_fd(exit))
    };
    drop((stdin, output, words));
    let mut open = [Some(stdout), Some(stderr)];
    let mut buffer = [0; 4096];
    loop {
        let mut fds = vec![PollFd::new(&exit, PollFlags::IN)];
        fds.extend(open.iter().flatten().map(|fd| PollFd::new(fd, PollFlags::IN)));
        poll(&mut fds, None)?;
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        let mut of = ready[1..].iter();
        for end in &mut open {
            if let Some(fd) = end
                && of.next() == Some(&true)
                && rustix::io::read(fd, &mut buffer)? == 0
            {
                *end = None;
            }
        }
        if ready[0] {
            break;
        }
    }
    for end in open.iter().flatten() {
        while rustix::io::read(end, &mut buffer)? > 0 {}
    }
    let mut status = 0;
    // SAFETY: it is our child, not reaped yet; the pointer is to a value on this stack.
    let reaped = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    if reaped == pid && status == 0 { Ok(()) } else { Err(format!("status {status}").into()) }
}

extern "C" fn child(plan: *mut c_void) -> c_int {
    // SAFETY: it is the plan of `one`, who waits.
    unsafe {
        let plan = &*plan.cast::<Plan>();
        libc::setpgid(0, 0);
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        for (to, from) in (0..).zip(plan.standard) {
            libc::dup2(from, to);
        }
        libc::execve(plan.path, plan.args.as_ptr(), plan.environment);
        libc::_exit(127)
    }
}
