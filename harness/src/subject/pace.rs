//! How fast a server answers on this machine now.

use std::time::Duration;

/// Times of a healthy server; every time limit scales with them.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The slowest of several healthy connect-request-reply exchanges.
    pub exchange: Duration,
    /// From spawn to the listening socket.
    pub start: Duration,
}

/// Shortest time limit of a reply.
const REPLY_LIMIT_MIN: Duration = Duration::from_secs(4);

impl Pace {
    /// How long a reply may take before it counts as lost.
    pub fn reply_limit(&self) -> Duration {
        REPLY_LIMIT_MIN.max(self.exchange * 20)
    }
}
