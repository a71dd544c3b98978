//! How long a server takes to answer on this machine, and how much that varies.

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;

use super::client::RehearsalClient;
use crate::session::PeerError;

/// Number of connections that are timed.
const CONNECTIONS: usize = 5;
/// Number of further replies on the last of them.
const LATER: usize = 5;
/// A later reply may take this many times as long as the slowest exchange, within these bounds.
const SLOWER: u32 = 20;
const PATIENCE_MIN: Duration = Duration::from_millis(500);
const PATIENCE_MAX: Duration = Duration::from_secs(4);

/// Times of several samples, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, JsonSchema, Serialize)]
pub(crate) struct Spread {
    /// The shortest.
    pub min_ms: f64,
    /// The median.
    pub median_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

impl Spread {
    fn of(mut times: Vec<Duration>) -> Option<Self> {
        times.sort_unstable();
        let ms = |time: &Duration| time.as_secs_f64() * 1e3;
        Some(Self {
            min_ms: ms(times.first()?),
            median_ms: ms(times.get(times.len() / 2)?),
            max_ms: ms(times.last()?),
        })
    }

    fn phrase(&self) -> String {
        format!("{:.1} to {:.1} ms", self.min_ms, self.max_ms)
    }
}

/// How long the server takes, as far as it was timed.
#[derive(Clone, Debug, Default, PartialEq, JsonSchema, Serialize)]
pub(crate) struct Latency {
    /// From the connect to the end of the opening: a greeting, a login.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opening: Option<Spread>,
    /// The first reply on a connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_reply: Option<Spread>,
    /// Later replies on a connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub later_replies: Option<Spread>,
}

impl Latency {
    /// One phrase; `None` if nothing was timed.
    pub(crate) fn phrase(&self) -> Option<String> {
        let part =
            |what: &str, spread: Option<Spread>| Some(format!("{what} {}", spread?.phrase()));
        let parts: Vec<String> = [
            part("connect and opening", self.opening),
            part("first reply", self.first_reply),
            part("later replies", self.later_replies),
        ]
        .into_iter()
        .flatten()
        .collect();
        (!parts.is_empty()).then(|| format!("latency: {}", parts.join(", ")))
    }
}

/// Times several exchanges, each on a new connection, and some more on the last of them. Returns the slowest of the former too.
///
/// # Errors
/// An exchange on a new connection fails.
pub(super) async fn measure(client: &RehearsalClient) -> Result<(Latency, Duration), PeerError> {
    let (mut openings, mut first, mut later) = (Vec::new(), Vec::new(), Vec::new());
    let mut slowest = Duration::ZERO;
    for number in 1..=CONNECTIONS {
        let begun = Instant::now();
        let mut session = client.open().await?;
        openings.push(begun.elapsed());
        let turn = session.turn()?;
        let asked = Instant::now();
        session.exchange(&turn).await?;
        first.push(asked.elapsed());
        slowest = slowest.max(begun.elapsed());
        if number == CONNECTIONS && client.talk().carries_many_turns() {
            session.set_limit((slowest * SLOWER).clamp(PATIENCE_MIN, PATIENCE_MAX));
            for _ in 0..LATER {
                let turn = session.turn()?;
                let asked = Instant::now();
                // How many requests a connection carries is learned later.
                if session.exchange(&turn).await.is_err() {
                    break;
                }
                later.push(asked.elapsed());
            }
        }
        session.close();
    }
    let latency = Latency {
        opening: Spread::of(openings),
        first_reply: Spread::of(first),
        later_replies: Spread::of(later),
    };
    Ok((latency, slowest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_its_ends_and_its_middle() {
        let ms = |all: &[u64]| all.iter().copied().map(Duration::from_millis).collect();
        let spread = Spread::of(ms(&[3, 1, 2, 9, 2])).unwrap();
        assert_eq!(
            (spread.min_ms, spread.median_ms, spread.max_ms),
            (1.0, 2.0, 9.0)
        );
        assert_eq!(Spread::of(Vec::new()), None);
        let latency = Latency {
            first_reply: Some(spread),
            ..Latency::default()
        };
        assert_eq!(
            latency.phrase().as_deref(),
            Some("latency: first reply 1.0 to 9.0 ms")
        );
        assert_eq!(Latency::default().phrase(), None);
    }
}
