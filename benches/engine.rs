//! The seam to tcprove's load engine.

use std::net::SocketAddr;
use std::time::Duration;

use tcprove_benches::load::Measured;

/// Puts the load engine to the limit client's task: on each of `connections` one message of
/// `payload` bytes in flight, for `measured` after a warm-up. `cpu` is that of the engine's threads
/// in the measured period. `None`: the harness has no load engine yet.
///
/// # Errors
/// What the engine says.
pub fn engine(
    _server: SocketAddr,
    _connections: usize,
    _payload: usize,
    _measured: Duration,
) -> std::io::Result<Option<Measured>> {
    Ok(None)
}
