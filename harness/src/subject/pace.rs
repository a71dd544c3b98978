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

/// Minimum and maximum time limit of a reply.
const REPLY_LIMIT_MIN: Duration = Duration::from_secs(4);
const REPLY_LIMIT_MAX: Duration = Duration::from_secs(40);
/// The time limit of a reply, in exchanges.
const EXCHANGES: u32 = 20;

impl Pace {
    /// Time after which a missing reply counts as lost.
    pub(crate) fn reply_limit(&self) -> Duration {
        (self.exchange * EXCHANGES).clamp(REPLY_LIMIT_MIN, REPLY_LIMIT_MAX)
    }

    /// The pace of a server for which an exchange took this long, if that is so long that it might exceed the time limit of a
    /// reply at another time.
    pub(crate) fn slowed_to(self, exchange: Duration) -> Option<Self> {
        (exchange * 4 > self.reply_limit()).then_some(Self { exchange, ..self })
    }
}
