//! The state of a server as its supervisor reports it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::Exit;

/// What the supervisor has reported so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Status {
    /// The main process, once it runs.
    pub(super) main: Option<MainProcess>,
    /// How the main process ended.
    pub(super) exit: Option<Exit>,
    /// No process of the server is left, so no new one can appear.
    pub(super) empty: bool,
    /// The errno with which the program could not be run.
    pub(super) refused: Option<i32>,
    /// What failed on the side of tcprove.
    pub(super) trouble: Option<Arc<io::Error>>,
    /// The supervisor is gone.
    pub(super) over: bool,
}

/// The main process of a server. The pidfd keeps its number from naming another process.
#[derive(Debug, Clone)]
pub(super) struct MainProcess {
    pub(super) pid: u32,
    pub(super) pidfd: Arc<OwnedFd>,
}
