//! A child in a session of its own.
#![expect(
    unsafe_code,
    reason = "std runs code between fork and exec only if it is unsafe"
)]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Has the command start in a session of its own, out of reach of signals to our group.
pub(crate) fn detach(command: &mut Command) -> &mut Command {
    // SAFETY: the closure runs in the forked child and makes one system call; it takes no lock
    // and allocates nothing.
    unsafe { command.pre_exec(|| rustix::process::setsid().map(drop).map_err(io::Error::from)) }
}
