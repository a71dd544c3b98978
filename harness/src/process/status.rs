//! The state of a server as its supervisor reports it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::Exit;

/// What the supervisor has reported so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Status {
    /// The main process, once it has started.
    pub(super) main: Option<MainProcess>,
    /// How the main process ended.
    pub(super) exit: Option<Exit>,
    /// The last process of the server has ended, so no new one can start.
    pub(super) tree_ended: bool,
    /// The errno of a failed start of the program.
    pub(super) spawn_errno: Option<i32>,
    /// The errno of a failed attempt to open the socket that the program inherits.
    pub(super) bind_errno: Option<i32>,
    /// A failure of tcprove itself, not of the server.
    pub(super) harness_error: Option<Arc<io::Error>>,
    /// The supervisor has ended.
    pub(super) supervisor_ended: bool,
}

/// The main process of a server. Unlike the pid, the pidfd never refers to another process.
#[derive(Debug, Clone)]
pub(super) struct MainProcess {
    pub(super) pid: u32,
    pub(super) pidfd: Arc<OwnedFd>,
}
