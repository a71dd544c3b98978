//! Hang: the server keeps running but serves no client any more.
//!
//! A missing reply alone is never a hang: half a message earns none. Two canaries on new connections must
//! fail, each after at least 2 s or twenty times the slowest successful canary, while an echo server of
//! tcprove's own on the same machine answers in time.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::alarm::alarm;
use crate::fuzz::epoch::Epoch;
use crate::fuzz::symptom::{FindingKind, Symptom};
use crate::session::PeerError;

/// Maximum time of an echo between two threads of tcprove; a longer one means that the machine is overloaded.
const HEALTHY_ECHO: Duration = Duration::from_millis(200);

/// Decides whether the server hangs, after a canary has failed with `first`.
pub(super) fn seen(epoch: &mut Epoch<'_>, first: &PeerError) -> Option<Symptom> {
    let limit = epoch.target.silence.max(epoch.worst_canary() * 20);
    let again = match epoch.canary(limit) {
        Ok(_) | Err(PeerError::Harness(_) | PeerError::Render(_)) => return None,
        Err(error) => error,
    };
    if let Some(died) = alarm(epoch) {
        return Some(died);
    }
    if !machine_is_healthy() {
        return None;
    }
    if matches!(again, PeerError::Refused { .. }) && epoch.server().is_attached() {
        let title = "the server is gone: nobody listens any more";
        return Some(Symptom::new(FindingKind::Crash, "gone", title));
    }
    Some(
        match (first, &again) {
            (PeerError::Wrong { .. }, PeerError::Wrong { .. }) => Symptom::new(
                FindingKind::Conformance,
                "canary",
                "from then on well-behaved clients get wrong replies",
            ),
            (_, PeerError::Refused { .. }) => Symptom::new(
                FindingKind::Hang,
                "refuses",
                "the server still runs but accepts no connection any more",
            ),
            _ => suspected(),
        }
        .with("other clients", vec![first.to_string(), again.to_string()])
        .with("limit_ms", u64::try_from(limit.as_millis()).unwrap_or(0)),
    )
}

/// The symptom of a server that seems to compute without an end; whether it serves clients is for fresh servers to show.
pub(super) fn suspected() -> Symptom {
    Symptom::new(
        FindingKind::Hang,
        "silent",
        "the server still runs but serves no client any more",
    )
}

/// Whether an echo server of tcprove's own answers in time.
fn machine_is_healthy() -> bool {
    echo_time().is_ok_and(|took| took < HEALTHY_ECHO)
}

fn echo_time() -> std::io::Result<Duration> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let addr = listener.local_addr()?;
    let server = std::thread::spawn(move || -> std::io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        stream.write_all(&byte)
    });
    let begun = Instant::now();
    let mut client = TcpStream::connect(addr)?;
    client.set_read_timeout(Some(Duration::from_secs(2)))?;
    client.write_all(b"x")?;
    let mut byte = [0];
    client.read_exact(&mut byte)?;
    let took = begun.elapsed();
    let _ = server.join();
    Ok(took)
}
