//! Whether a signal is ignored: who starts a program decides that, and it is asked of none but the system.

use std::mem::MaybeUninit;
use std::ptr;

use libc::c_int;

/// What the system does not tell of is not.
#[allow(unsafe_code)]
pub(crate) fn is_ignored(signal: c_int) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: the pointer is to a value on this stack, that is read if it was written. Nothing is changed.
    unsafe {
        let known = libc::sigaction(signal, ptr::null(), action.as_mut_ptr()) == 0;
        known && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}
