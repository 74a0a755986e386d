//! Starting a process: in a group of its own, that dies with the thread that starts it.
//!
//! On Linux the child borrows our memory until it executes the program, and its parent's thread stands still for so long. A `fork`
//! would copy the tables of all our pages for it first, and the standard library must fork to have a child ask for its death: that
//! made half again as many system's seconds a job.

use std::ffi::CString;
use std::io;
use std::os::fd::OwnedFd;

use super::child::Child;
use super::program::Program;

/// What a child's first descriptors are. `None`: ours.
pub(super) struct Standard {
    pub(super) stdin: OwnedFd,
    pub(super) stdout: Option<OwnedFd>,
    pub(super) stderr: OwnedFd,
}

/// Starts the program, with these variables besides its own.
pub(super) fn spawn(program: &Program, variables: &[CString], standard: Standard) -> io::Result<Child> {
    system::spawn(program, variables, standard)
}

#[cfg(target_os = "linux")]
mod system {
    use std::ffi::{CStr, CString, c_char, c_int, c_void};
    use std::mem::MaybeUninit;
    use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
    use std::{io, ptr};

    use rustix::process::Pid;

    use super::{Child, Program, Standard};

    /// Much more than a few system calls need.
    const STACK: usize = 64 << 10;

    /// What runs a script that does not say what runs it, as it does for `execvp`.
    const SHELL: &CStr = c"/bin/sh";

    /// What the child needs, made before it is there.
    struct Plan {
        path: *const c_char,
        args: *const *const c_char,
        /// The same for the shell.
        script: *const *const c_char,
        environment: *const *const c_char,
        standard: [RawFd; 3],
        parent: libc::pid_t,
        /// What the child says when it could not execute anything.
        error: c_int,
    }

    pub(super) fn spawn(program: &Program, variables: &[CString], standard: Standard) -> io::Result<Child> {
        let Program { path, args, environment } = program;
        let pointers = |texts: &mut dyn Iterator<Item = &CStr>| -> Vec<*const c_char> {
            texts.map(CStr::as_ptr).chain([ptr::null()]).collect()
        };
        let rest = args.iter().skip(1).map(CString::as_c_str);
        let script = pointers(&mut [SHELL, path].into_iter().chain(rest));
        let args = pointers(&mut args.iter().map(CString::as_c_str));
        let all = environment.iter().chain(variables);
        let environment = pointers(&mut all.map(CString::as_c_str));
        let Standard { stdin, stdout, stderr } = standard;
        // None of them lies where another belongs.
        let [stdin, stderr] = [above_the_first(stdin)?, above_the_first(stderr)?];
        let stdout = stdout.map(above_the_first).transpose()?;
        let mut plan = Plan {
            path: path.as_ptr(),
            args: args.as_ptr(),
            script: script.as_ptr(),
            environment: environment.as_ptr(),
            standard: [
                stdin.as_raw_fd(),
                stdout.as_ref().map_or(-1, |fd| fd.as_raw_fd()),
                stderr.as_raw_fd(),
            ],
            parent: std::process::id() as libc::pid_t,
            error: 0,
        };
        launch(&mut plan)
    }

    /// The child that does what is planned. Returns when it executes the program, or has died.
    #[allow(unsafe_code)]
    fn launch(plan: &mut Plan) -> io::Result<Child> {
        let mut stack: Vec<MaybeUninit<u8>> = Vec::with_capacity(STACK);
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
        let mut exit: c_int = -1;
        // SAFETY: the stack is as large as it says, grows downwards from an aligned end, and outlives its use, as do the plan and all
        // that it points to: with CLONE_VFORK this thread goes on when the child uses our memory no more. `child` only makes system
        // calls. No signal handler of ours runs in it: all signals are blocked until it has none any more. The calls get
        // pointers to values on this stack.
        let (pid, errno) = unsafe {
            let top = stack.as_mut_ptr().add(STACK);
            let top = top.wrapping_sub(top as usize % 16).cast();
            let (mut all, mut before) = (MaybeUninit::uninit(), MaybeUninit::uninit());
            libc::sigfillset(all.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
            let pid = libc::clone(child, top, flags, ptr::from_mut(plan).cast(), &raw mut exit);
            let errno = io::Error::last_os_error();
            libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut());
            (pid, errno)
        };
        // SAFETY: it is a new descriptor, and nobody else knows of it. Before Linux 5.2 there is none.
        let exit = (pid > 0 && exit >= 0).then(|| unsafe { OwnedFd::from_raw_fd(exit) });
        let mut child = Child::of(Pid::from_raw(pid).filter(|_| pid > 0).ok_or(errno)?, exit);
        // SAFETY: it is ours. Not a plain look: the compiler has not seen who wrote it.
        match unsafe { ptr::read_volatile(&raw const plan.error) } {
            0 => Ok(child),
            error => {
                child.wait()?;
                Err(io::Error::from_raw_os_error(error))
            }
        }
    }

    fn above_the_first(fd: OwnedFd) -> io::Result<OwnedFd> {
        if fd.as_raw_fd() > libc::STDERR_FILENO {
            return Ok(fd);
        }
        Ok(rustix::io::fcntl_dupfd_cloexec(fd, libc::STDERR_FILENO + 1)?)
    }

    /// What the child does. It may neither allocate, nor take a lock, nor panic: it is in the midst of our memory.
    #[allow(unsafe_code)]
    extern "C" fn child(plan: *mut c_void) -> c_int {
        // SAFETY: it is the plan of `launch`, who waits. The calls get pointers to it, or to values on this stack.
        unsafe {
            let plan = plan.cast::<Plan>();
            if prepare(&*plan) {
                libc::execve((*plan).path, (*plan).args, (*plan).environment);
                if *libc::__errno_location() == libc::ENOEXEC {
                    libc::execve(SHELL.as_ptr(), (*plan).script, (*plan).environment);
                }
            }
            (*plan).error = *libc::__errno_location();
            libc::_exit(127)
        }
    }

    /// # Safety
    /// As for `child`.
    #[allow(unsafe_code)]
    unsafe fn prepare(plan: &Plan) -> bool {
        // SAFETY: as for `child`.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            for signal in 1..=libc::SIGRTMAX() {
                // What is ignored stays so, but for what Rust itself ignores. Of some signals the system says nothing.
                let known = libc::sigaction(signal, ptr::null(), &raw mut action) == 0;
                let ignored = action.sa_sigaction == libc::SIG_IGN && signal != libc::SIGPIPE;
                if known && action.sa_sigaction != libc::SIG_DFL && !ignored {
                    action.sa_sigaction = libc::SIG_DFL;
                    libc::sigaction(signal, &raw const action, ptr::null_mut());
                }
            }
            if libc::setpgid(0, 0) != 0 || libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return false;
            }
            // It may have died before we asked, and then nobody tells us.
            if libc::getppid() != plan.parent {
                libc::kill(libc::getpid(), libc::SIGKILL);
            }
            for (to, from) in (0..).zip(plan.standard) {
                if from >= 0 && libc::dup2(from, to) < 0 {
                    return false;
                }
            }
            let mut none = MaybeUninit::uninit();
            libc::sigemptyset(none.as_mut_ptr());
            libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut()) == 0
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::ffi::{CString, OsStr};
    use std::io;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, Stdio};

    use rustix::process::Pid;

    use super::{Child, Program, Standard};

    pub(super) fn spawn(program: &Program, variables: &[CString], standard: Standard) -> io::Result<Child> {
        let mut command = Command::new(program.path());
        let text = |text: &CString| OsStr::from_bytes(text.as_bytes()).to_owned();
        if let [name, args @ ..] = &*program.args {
            command.arg0(text(name)).args(args.iter().map(text));
        }
        command.env_clear().process_group(0);
        for variable in program.environment.iter().chain(variables) {
            let text = variable.as_bytes();
            let end = text.iter().skip(1).position(|byte| *byte == b'=').map_or(text.len(), |at| at + 1);
            let value = text.get(end + 1..).unwrap_or_default();
            command.env(OsStr::from_bytes(&text[..end]), OsStr::from_bytes(value));
        }
        let Standard { stdin, stdout, stderr } = standard;
        command.stdin(stdin).stdout(stdout.map_or_else(Stdio::inherit, Stdio::from)).stderr(stderr);
        let pid = Pid::from_child(&command.spawn()?);
        Ok(Child::of(pid, None))
    }
}
