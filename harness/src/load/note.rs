//! Limits on what the figures of a load show. Pure.

use std::fmt;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::remark::Remark;

/// A limit on what the figures of a load show. It does not make them invalid.
#[derive(Debug, Clone, Copy, PartialEq, JsonSchema)]
#[schemars(with = "String")]
pub enum Note {
    /// An engine thread was busy all the time, while the server was not or its use of CPU is unknown.
    ClientSaturated {
        /// Share of the time in which the thread ran.
        busy: f64,
        /// Number of cores that the server used.
        server_cores: Option<f64>,
    },
    /// Replies take as long as a delayed ACK, while the server has little to do: Nagle's algorithm holds back a part of each.
    DelayedAcks {
        /// Median of the service time, in milliseconds.
        p50_ms: f64,
        /// Number of cores that the server used.
        server_cores: Option<f64>,
    },
    /// Open loop: requests waited because each connection carries one at a time.
    OneAtATime {
        /// Mean of the time that a request waited for a connection, in milliseconds.
        waited_ms: f64,
        /// Number of connections.
        connections: usize,
    },
}

impl Note {
    /// The stable id.
    pub fn word(&self) -> &'static str {
        match self {
            Self::ClientSaturated { .. } => "client-saturated",
            Self::DelayedAcks { .. } => "delayed-acks",
            Self::OneAtATime { .. } => "one-at-a-time",
        }
    }

    fn sentence(&self) -> String {
        match self {
            Self::ClientSaturated { busy, server_cores } => {
                let used = match server_cores {
                    Some(cores) => format!(" while the server used {cores:.2} cores"),
                    None => ", and the server's CPU use is unknown (pass --pid)".to_owned(),
                };
                let busy = busy * 100.0;
                format!(
                    "an engine thread was busy {busy:.0} % of the time{used}: the server may be capable of a higher rate"
                )
            }
            Self::DelayedAcks {
                p50_ms,
                server_cores,
            } => {
                let used = match server_cores {
                    Some(cores) => format!("the server used {cores:.2} cores"),
                    None => "the server's CPU use is unknown".to_owned(),
                };
                format!(
                    "half of the replies took {p50_ms:.1} ms or more, and {used}: about 40 ms are typical of a reply written in parts, the last of which Nagle's algorithm holds back until the client's delayed ACK. Set TCP_NODELAY on the server's connections, or write each reply with one call; `tcprove check --only nagle-40ms`, or strace(1) with several writes for each reply, confirms it"
                )
            }
            Self::OneAtATime {
                waited_ms,
                connections,
            } => format!(
                "each of the {connections} connections carries one request at a time (`pipelining = false` in [promise], or --pipeline 1), so a request waited {waited_ms:.2} ms on average until one was free, which is part of its response time: use more --connections, or pipelining if the server can do that"
            ),
        }
    }
}

impl From<&Note> for Remark {
    fn from(note: &Note) -> Self {
        Self {
            word: note.word().into(),
            sentence: note.sentence(),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Remark::from(self).fmt(f)
    }
}

impl Serialize for Note {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_contain_the_figures() {
        let limited = |server_cores| Note::ClientSaturated {
            busy: 0.98,
            server_cores,
        };
        assert!(limited(Some(0.74)).to_string().contains("used 0.74 cores"));
        assert!(limited(None).to_string().contains("--pid"));
        let held = Note::DelayedAcks {
            p50_ms: 41.3,
            server_cores: Some(0.01),
        };
        let held = held.to_string();
        assert!(
            held.starts_with("delayed-acks: half of the replies took 41.3 ms"),
            "{held}"
        );
        assert!(
            held.contains("TCP_NODELAY") && held.contains("nagle-40ms"),
            "{held}"
        );
        let waited = Note::OneAtATime {
            waited_ms: 3.25,
            connections: 2,
        };
        assert!(waited.to_string().contains("waited 3.25 ms"), "{waited}");
    }
}
