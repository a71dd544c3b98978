//! What waits for a server waits no longer than the campaign lasts.

use std::io;

use crate::fuzz::deadline::Deadline;
use crate::fuzz::target::FuzzTarget;
use crate::process::{Server, StartFailure, StartOptions};
use crate::session::PeerError;

/// Starts the server, unless there is no time left.
pub(super) async fn server(
    target: &FuzzTarget,
    options: StartOptions,
) -> Result<Server, StartFailure> {
    let start = target.subject.server(options);
    tokio::select! {
        biased;
        () = target.deadline.passed() => Err(StartFailure::harness("start a server", late())),
        server = start => server,
    }
}

/// What the client of a canary saw; an error of tcprove's own once there is no time left, which says nothing about the
/// server.
pub(super) async fn in_time<T>(
    deadline: &Deadline,
    served: impl Future<Output = Result<T, PeerError>>,
) -> Result<T, PeerError> {
    tokio::select! {
        biased;
        () = deadline.passed() => Err(PeerError::Harness(late())),
        served = served => served,
    }
}

/// The error of what was not done because its time is over.
pub(super) fn late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the time of the campaign is over")
}
