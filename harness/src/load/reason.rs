//! Why the figures of a load are not to be trusted, whose fault that is, and how it is put in words. Pure.

use std::fmt;

use serde::{Serialize, Serializer};

use super::remark::Remark;

/// Why the figures of a load are not to be trusted.
#[derive(Debug, Clone, PartialEq)]
pub enum Reason {
    /// The server ended.
    ServerDied {
        /// Seconds of the measured period before that.
        after_s: f64,
        /// How it ended.
        end: String,
        /// The first trouble, if there was any.
        first: Option<String>,
    },
    /// Replies differed from what the talk expects.
    WrongReplies {
        /// How many.
        wrong: u64,
        /// Of so many replies.
        replies: u64,
        /// The first trouble.
        first: Option<String>,
    },
    /// Connections ended unexpectedly.
    ConnectionsLost {
        /// How many.
        lost: u64,
        /// The first trouble.
        first: Option<String>,
    },
    /// Connections could not be opened before the load began.
    ConnectionsMissing {
        /// How many.
        missing: u64,
        /// The client had no descriptor or port left for them.
        ours: bool,
        /// The first trouble.
        first: Option<String>,
    },
    /// Connects failed, though all connections were there when the load began.
    ConnectFailed {
        /// How many.
        failed: u64,
        /// The client had no descriptor or port left for them.
        ours: bool,
        /// The first trouble.
        first: Option<String>,
    },
    /// Requests got no reply.
    Unanswered {
        /// How many.
        requests: u64,
        /// The first trouble.
        first: Option<String>,
    },
    /// No reply came in the measured period.
    NoReplies {
        /// The first trouble.
        first: Option<String>,
    },
    /// An open loop got fewer replies than requests were due.
    RateNotReached {
        /// Replies a second.
        replies_per_s: f64,
        /// Requests a second that were due.
        due_per_s: f64,
        /// Replies over requests.
        ratio: f64,
    },
    /// An open loop sent its requests late.
    SendLag {
        /// 99th percentile of the lateness, in milliseconds.
        p99_ms: f64,
    },
    /// Something else ran on the client's core.
    ClientStarved {
        /// Share of the time in which an engine thread was ready and did not run.
        share: f64,
    },
    /// The hypervisor gave time to other machines.
    Steal {
        /// Percent of the time.
        percent: f64,
    },
    /// The control group had used up its share of CPU time.
    Throttled {
        /// How many times.
        times: u64,
    },
    /// A closed loop became faster or slower.
    NotStationary {
        /// Replies a second in the first third of the period.
        before_per_s: f64,
        /// And in the last.
        after_per_s: f64,
    },
}

/// Whose fault it is that figures are not to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The server broke the conversation: it ended, refused, closed, or gave a wrong reply or none.
    Server,
    /// The load asks for what this server does not do, or not yet: a rate beyond its reach, a warm-up that is too short.
    Load,
    /// The client lacks something that it needs.
    Client,
    /// The machine gave the client less time than it needed.
    Machine,
}

impl Reason {
    /// Whose fault it is. The only place that says so.
    pub fn fault(&self) -> Fault {
        match self {
            Self::ConnectionsMissing { ours: true, .. }
            | Self::ConnectFailed { ours: true, .. } => Fault::Client,
            Self::ServerDied { .. }
            | Self::WrongReplies { .. }
            | Self::ConnectionsLost { .. }
            | Self::ConnectionsMissing { .. }
            | Self::ConnectFailed { .. }
            | Self::Unanswered { .. } => Fault::Server,
            Self::NoReplies { .. } | Self::RateNotReached { .. } | Self::NotStationary { .. } => {
                Fault::Load
            }
            // A core of its own, and yet too late: what took it away was not seen.
            Self::SendLag { .. }
            | Self::ClientStarved { .. }
            | Self::Steal { .. }
            | Self::Throttled { .. } => Fault::Machine,
        }
    }

    /// Whether the measurement was disturbed from outside the server: the figures say nothing against it.
    pub fn is_disturbance(&self) -> bool {
        matches!(self.fault(), Fault::Client | Fault::Machine)
    }

    /// Whether the same measurement may come out well when it is repeated.
    pub fn may_pass(&self) -> bool {
        self.fault() == Fault::Machine || matches!(self, Self::NotStationary { .. })
    }

    /// The stable word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::ServerDied { .. } => "server-died",
            Self::WrongReplies { .. } => "wrong-replies",
            Self::ConnectionsLost { .. } => "connections-lost",
            Self::ConnectionsMissing { .. } => "connections-missing",
            Self::ConnectFailed { .. } => "connect-failed",
            Self::Unanswered { .. } => "unanswered",
            Self::NoReplies { .. } => "no-replies",
            Self::RateNotReached { .. } => "rate-not-reached",
            Self::SendLag { .. } => "send-lag",
            Self::ClientStarved { .. } => "client-starved",
            Self::Steal { .. } => "steal",
            Self::Throttled { .. } => "throttled",
            Self::NotStationary { .. } => "not-stationary",
        }
    }

    fn sentence(&self) -> String {
        match self {
            Self::ServerDied {
                after_s,
                end,
                first,
            } => format!(
                "after {after_s:.1} s of the measured period the server {end}{}",
                beginning(first)
            ),
            Self::WrongReplies {
                wrong,
                replies,
                first,
            } => format!(
                "{wrong} of {replies} replies were not what they had to be{}",
                beginning(first)
            ),
            Self::ConnectionsLost { lost, first } => {
                format!("{lost} connections ended unexpectedly{}", beginning(first))
            }
            Self::ConnectionsMissing { missing, first, .. } => {
                format!(
                    "{missing} connections could not be opened{}",
                    beginning(first)
                )
            }
            Self::ConnectFailed { failed, first, .. } => {
                format!("{failed} connects failed{}", beginning(first))
            }
            Self::Unanswered { requests, first } => format!(
                "{requests} requests never got a reply, or were never sent; they count as having waited at least until the end{}",
                beginning(first)
            ),
            Self::NoReplies { first } => {
                format!("no reply came in the measured period{}", beginning(first))
            }
            Self::RateNotReached {
                replies_per_s,
                due_per_s,
                ratio,
            } => format!(
                "{replies_per_s:.0} replies a second came, where {due_per_s:.0} were due ({:.0} %)",
                ratio * 100.0
            ),
            Self::SendLag { p99_ms } => format!(
                "1 % of the requests left {p99_ms:.1} ms late or more, because of the client"
            ),
            Self::ClientStarved { share } => format!(
                "an engine thread was ready to run for {:.1} % of the time and another had its core",
                share * 100.0
            ),
            Self::Steal { percent } => {
                format!("the hypervisor gave {percent:.1} % of the time to others")
            }
            Self::Throttled { times } => format!("the control group was held back {times} times"),
            Self::NotStationary {
                before_per_s,
                after_per_s,
            } => format!(
                "{before_per_s:.0} replies a second in the first third of the period, {after_per_s:.0} in the last: give a longer --warmup"
            ),
        }
    }
}

fn beginning(first: &Option<String>) -> String {
    first
        .as_ref()
        .map_or(String::new(), |first| format!("; first: {first}"))
}

/// What limits what the figures of a load say, without making them wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Note {
    /// An engine thread was busy all the time, and the server was not, as far as that can be seen.
    ClientSaturated {
        /// Share of the time in which the thread ran.
        busy: f64,
        /// Cores that the server used.
        server_cores: Option<f64>,
    },
}

impl Note {
    /// The stable word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::ClientSaturated { .. } => "client-saturated",
        }
    }

    fn sentence(&self) -> String {
        let Self::ClientSaturated { busy, server_cores } = self;
        let busy = busy * 100.0;
        match server_cores {
            Some(cores) => format!(
                "an engine thread was busy {busy:.0} % of the time while the server used {cores:.2} cores: the server may be able to do more than this"
            ),
            None => format!(
                "an engine thread was busy {busy:.0} % of the time, and the server's use of CPU cannot be seen (give --pid): it may be able to do more than this"
            ),
        }
    }
}

impl From<&Reason> for Remark {
    fn from(reason: &Reason) -> Self {
        Self {
            word: reason.word(),
            sentence: reason.sentence(),
        }
    }
}

impl From<&Note> for Remark {
    fn from(note: &Note) -> Self {
        Self {
            word: note.word(),
            sentence: note.sentence(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Remark::from(self).fmt(f)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Remark::from(self).fmt(f)
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
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

    /// One of each.
    fn all() -> Vec<Reason> {
        let first = || Some("connection 3: reset by peer".to_owned());
        vec![
            Reason::ServerDied {
                after_s: 1.25,
                end: "exited with 1".into(),
                first: None,
            },
            Reason::WrongReplies {
                wrong: 3,
                replies: 900,
                first: first(),
            },
            Reason::ConnectionsLost {
                lost: 2,
                first: first(),
            },
            Reason::ConnectionsMissing {
                missing: 7,
                ours: false,
                first: None,
            },
            Reason::ConnectFailed {
                failed: 4,
                ours: true,
                first: None,
            },
            Reason::Unanswered {
                requests: 17,
                first: None,
            },
            Reason::NoReplies { first: None },
            Reason::RateNotReached {
                replies_per_s: 880.4,
                due_per_s: 1000.0,
                ratio: 0.88,
            },
            Reason::SendLag { p99_ms: 2.5 },
            Reason::ClientStarved { share: 0.093 },
            Reason::Steal { percent: 6.1 },
            Reason::Throttled { times: 3 },
            Reason::NotStationary {
                before_per_s: 100.0,
                after_per_s: 150.0,
            },
        ]
    }

    #[test]
    fn each_reason_has_a_word_of_its_own_in_front_of_its_sentence() {
        let mut words = Vec::new();
        for reason in all() {
            let word = reason.word();
            let text = reason.to_string();
            assert!(text.starts_with(&format!("{word}: ")), "{text}");
            assert_eq!(serde_json::to_value(&reason).unwrap(), text);
            assert!(!words.contains(&word), "{word} twice");
            words.push(word);
        }
    }

    #[test]
    fn sentences() {
        let lost = &all()[2];
        assert_eq!(
            lost.to_string(),
            "connections-lost: 2 connections ended unexpectedly; first: connection 3: reset by peer"
        );
        let limited = |server_cores| Note::ClientSaturated {
            busy: 0.98,
            server_cores,
        };
        assert!(limited(Some(0.74)).to_string().contains("used 0.74 cores"));
        assert!(limited(None).to_string().contains("--pid"));
    }

    #[test]
    fn whose_fault_it_is_depends_on_what_was_missing() {
        let missing = |ours| Reason::ConnectionsMissing {
            missing: 1,
            ours,
            first: None,
        };
        assert_eq!(missing(false).fault(), Fault::Server);
        assert_eq!(missing(true).fault(), Fault::Client);
        assert!(missing(true).is_disturbance() && !missing(false).is_disturbance());
        // More descriptors do not appear by trying again.
        assert!(!missing(true).may_pass());
    }

    #[test]
    fn what_the_machine_does_may_pass_and_what_the_server_does_counts() {
        for reason in all() {
            match reason.fault() {
                Fault::Machine => assert!(reason.may_pass() && reason.is_disturbance()),
                Fault::Server => assert!(!reason.may_pass() && !reason.is_disturbance()),
                Fault::Client | Fault::Load => {}
            }
        }
    }
}
