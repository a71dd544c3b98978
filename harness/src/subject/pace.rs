//! How fast a server responds on this machine.

use std::time::Duration;

/// Response times of a healthy server. Time limits scale with them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// The slowest of several exchanges, each with a new connection.
    pub exchange: Duration,
    /// From spawn to the listening socket.
    pub start: Duration,
}

/// Minimum time limit of a reply.
const REPLY_LIMIT_MIN: Duration = Duration::from_secs(4);

impl Pace {
    /// Time after which a missing reply counts as lost.
    pub(crate) fn reply_limit(&self) -> Duration {
        REPLY_LIMIT_MIN.max(self.exchange * 20)
    }
}
