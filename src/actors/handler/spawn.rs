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
    use std::ffi::{CStr, CString, c_char, c_int, c_long, c_ulong, c_void};
    use std::mem::MaybeUninit;
    use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};
    use std::sync::Once;
    use std::{io, ptr};

    use rustix::process::Pid;

    use super::super::ignored::is_ignored;
    use super::{Child, Program, Standard};

    /// Much more than a few system calls need.
    const STACK: usize = 64 << 10;

    /// What runs a script that does not say what runs it, as it does for `execvp`.
    const SHELL: &CStr = c"/bin/sh";

    /// The exit status of a child that executed nothing: a shell's. Nobody asks for it.
    const NOTHING_DONE: c_int = 127;

    /// What becomes of a signal, as the kernel has it. The C library is not asked: for some signals it waits for a lock, and another
    /// thread may have that in the midst of `abort`. Only the handler is looked at: the rest is not the same everywhere, nor as long as
    /// this. All zeros is the default.
    type Action = [usize; 8];
    const DEFAULT: Action = [0; 8];
    /// Where in it the handler is, and how many bytes a set of signals has.
    const HANDLER: usize = if ON_MIPS { 1 } else { 0 };
    const SIGNALS: usize = if ON_MIPS { 16 } else { 8 };
    const ON_MIPS: bool = cfg!(any(target_arch = "mips", target_arch = "mips64"));

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
        heed_children();
        let mut stack: Vec<MaybeUninit<u8>> = Vec::with_capacity(STACK);
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
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
            let plan = ptr::from_mut(plan).cast();
            let mut pid = libc::clone(child, top, flags | libc::CLONE_PIDFD, plan, &raw mut exit);
            let mut errno = io::Error::last_os_error();
            // Linux before 5.2 ignores that it is to give such a descriptor; a sandbox that has none may refuse to.
            if pid < 0 && errno.raw_os_error() == Some(libc::EINVAL) {
                // What is left of a failure is nobody's descriptor.
                exit = -1;
                pid = libc::clone(child, top, flags, plan);
                errno = io::Error::last_os_error();
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut());
            (pid, errno)
        };
        // SAFETY: it is a new descriptor, and nobody else knows of it.
        let exit = (pid > 0 && exit >= 0).then(|| unsafe { OwnedFd::from_raw_fd(exit) });
        // A negative one is not even to be asked about.
        let pid = if pid > 0 { Pid::from_raw(pid) } else { None };
        let mut child = Child::of(pid.ok_or(errno)?, exit);
        // SAFETY: it is ours. Not a plain look: the compiler has not seen who wrote it.
        match unsafe { ptr::read_volatile(&raw const plan.error) } {
            0 => Ok(child),
            error => {
                // It is gone either way, and how it ended says nothing more.
                let _ = child.wait();
                Err(io::Error::from_raw_os_error(error))
            }
        }
    }

    /// Of a child that ends while SIGCHLD is ignored nobody is told how, and we may have been started so.
    #[allow(unsafe_code)]
    fn heed_children() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            if is_ignored(libc::SIGCHLD) {
                // SAFETY: nobody's handler is replaced.
                unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
            }
        });
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
            libc::_exit(NOTHING_DONE)
        }
    }

    /// # Safety
    /// As for `child`.
    #[allow(unsafe_code)]
    unsafe fn prepare(plan: &Plan) -> bool {
        // SAFETY: as for `child`.
        unsafe {
            for signal in 1..=libc::SIGRTMAX() {
                let (mut action, default) = (DEFAULT, DEFAULT);
                let (call, nth) = (libc::SYS_rt_sigaction, c_long::from(signal));
                libc::syscall(call, nth, ptr::null::<Action>(), &raw mut action, SIGNALS);
                // What is ignored stays so, but for what Rust itself ignores.
                let ignored = action[HANDLER] == libc::SIG_IGN && signal != libc::SIGPIPE;
                if action[HANDLER] != libc::SIG_DFL && !ignored {
                    libc::syscall(call, nth, &raw const default, ptr::null_mut::<Action>(), SIGNALS);
                }
            }
            let deadly = libc::SIGKILL as c_ulong;
            if libc::setpgid(0, 0) != 0 || libc::prctl(libc::PR_SET_PDEATHSIG, deadly) != 0 {
                return false;
            }
            // It may have died before we asked, and then nobody tells us, or waits for us.
            if libc::getppid() != plan.parent {
                libc::_exit(NOTHING_DONE);
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
