//! The full look at a server: crash, panic, and whether it still serves clients.

use std::time::{Duration, Instant};

use super::alarm::alarm;
use super::hang;
use crate::fuzz::epoch::Epoch;
use crate::fuzz::symptom::Symptom;
use crate::fuzz::wire::{ConnectionEnd, Received};
use crate::session::PeerError;

/// How long to wait for the kernel to report the end of a process whose socket is already closed.
const END_VISIBLE: Duration = Duration::from_millis(200);

/// How long to wait for the end of a worker while its siblings still serve clients.
const WORKER_END_VISIBLE: Duration = Duration::from_millis(20);

/// Looks for crashes and panics, and lets a canary check that the server still serves.
pub(crate) fn examine(epoch: &mut Epoch<'_>) -> Option<Symptom> {
    let served = epoch.canary(epoch.target.silence);
    judge_canary(epoch, served)
}

/// What the outcome of a canary says about the server.
pub(crate) fn judge_canary(
    epoch: &mut Epoch<'_>,
    served: Result<Duration, PeerError>,
) -> Option<Symptom> {
    epoch.refresh();
    let symptom = alarm(epoch);
    match served {
        _ if symptom.is_some() => symptom,
        Ok(_) => None,
        Err(error) => {
            // A dying server closes its socket before its end becomes visible.
            epoch.until(END_VISIBLE, |epoch| epoch.process_ended());
            epoch.refresh();
            alarm(epoch).or_else(|| hang::seen(epoch, &error))
        }
    }
}

/// Whether a worker is ending. Its sockets close a moment before its end becomes visible, and meanwhile its
/// siblings serve the canary.
pub(crate) fn worker_ends(epoch: &mut Epoch<'_>) -> Option<Symptom> {
    if epoch.processes() < 2 || !epoch.until(WORKER_END_VISIBLE, |epoch| epoch.process_ended()) {
        return None;
    }
    epoch.refresh();
    alarm(epoch)
}

/// Whether the server closed a connection without a reply, as one does whose process dies.
pub(crate) fn is_cut_off(received: &Received) -> bool {
    let closed = matches!(received.end, ConnectionEnd::Eof | ConnectionEnd::Reset);
    closed && received.length == 0
}

/// Whether a child that served a single client is crashing. Its sockets close a moment before the kernel tells its end.
pub(crate) fn child_crashes(epoch: &mut Epoch<'_>) -> Option<Symptom> {
    let deadline = Instant::now() + epoch.target.deadline.left(WORKER_END_VISIBLE);
    while epoch.sees_children() && Instant::now() < deadline {
        if let Some(symptom) = alarm(epoch) {
            return Some(symptom);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    None
}
