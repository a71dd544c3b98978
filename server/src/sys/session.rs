//! A child process in its own session.
#![expect(unsafe_code, reason = "code between fork and exec is unsafe in std")]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Makes the command start in its own session, out of reach of signals to our process group.
pub(crate) fn detach(command: &mut Command) -> &mut Command {
    // SAFETY: the closure runs in the forked child and makes one system call; it neither locks nor
    // allocates.
    unsafe { command.pre_exec(|| rustix::process::setsid().map(drop).map_err(io::Error::from)) }
}
