//! tcprove's end of the host of logins.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::host::LOG_IN;
use super::{LoginCommand, request};
use crate::sys::initial_nofile;

/// The executable that is a host when its first argument says so, and the host that is running.
static STATE: Mutex<State> = Mutex::new(State {
    executable: None,
    host: None,
});

struct State {
    executable: Option<PathBuf>,
    host: Option<Host>,
}

/// A running host. It ends when `control` is closed, at the latest with this process.
struct Host {
    control: OwnedFd,
    child: Child,
}

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Names the executable that can be a host: the one that supervises servers, or this one.
pub(in crate::process) fn host_is(executable: &Path) {
    let mut state = state();
    if state.executable.is_none() {
        state.executable = std::path::absolute(executable).ok();
    }
}

/// Ends the host and every login that is still running.
pub(crate) fn end_host() {
    if let Some(Host { control, mut child }) = state().host.take() {
        drop(control);
        let _ = child.wait();
    }
}

/// Both ends of the socket on which the host reports the end of a program: ours does not block.
pub(super) fn end_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = pair(SocketType::STREAM)?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    Ok((ours, theirs))
}

fn pair(kind: SocketType) -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(
        AddressFamily::UNIX,
        kind,
        SocketFlags::CLOEXEC,
        None,
    )?)
}

/// Asks the host to start a program.
pub(super) fn send(command: &LoginCommand, descriptors: [BorrowedFd<'_>; 3]) -> io::Result<()> {
    let mut state = state();
    if let Some(host) = &state.host {
        match request::send(&host.control, command, descriptors) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            sent => return sent,
        }
        // It was killed.
        if let Some(mut ended) = state.host.take() {
            let _ = ended.child.wait();
        }
    }
    let own = std::env::current_exe().ok();
    let known = state.executable.clone().or(own); // Every program that contains this code can be one.
    let executable = known.as_deref().ok_or_else(|| {
        io::Error::other("no executable of tcprove is known, which starts the program")
    })?;
    let host = Host::start(executable)?;
    let sent = request::send(&host.control, command, descriptors);
    state.host = Some(host);
    sent
}

impl Host {
    fn start(executable: &Path) -> io::Result<Host> {
        let (control, theirs) = pair(SocketType::SEQPACKET)?;
        let (soft, hard) = initial_nofile();
        let child = Command::new(executable)
            .arg(LOG_IN)
            .arg(format!("{soft}:{hard}"))
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Host { control, child })
    }
}
