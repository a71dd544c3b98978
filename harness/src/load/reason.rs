//! Why the figures of a load cannot be trusted, and who caused that. Pure.

use std::fmt;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::parts_reason::{PartsReason, part_name};
use super::remark::Remark;

/// Why the figures of a load cannot be trusted. `first` describes the first failure that was recorded, if any.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(with = "String")]
pub enum Reason {
    /// The server ended.
    ServerDied {
        /// Seconds from the start of the measured period to the end of the server.
        after_s: f64,
        /// How it ended, such as `exited with 1`.
        end: String,
        /// The first such event.
        first: Option<String>,
    },
    /// Replies differed from what the talk expects.
    WrongReplies {
        /// Number of wrong replies.
        wrong: u64,
        /// Number of all replies.
        replies: u64,
        /// The first such event.
        first: Option<String>,
    },
    /// Connections ended unexpectedly.
    ConnectionsLost {
        /// Number of lost connections.
        lost: u64,
        /// The first such event.
        first: Option<String>,
    },
    /// Connections could not be opened before the load began.
    ConnectionsMissing {
        /// Number of missing connections.
        missing: u64,
        /// Whether the client had no descriptor or port left for them.
        ours: bool,
        /// The first such event.
        first: Option<String>,
    },
    /// Connects failed after all connections had been opened once.
    ConnectFailed {
        /// Number of failed connects.
        failed: u64,
        /// Whether the client had no descriptor or port left for them.
        ours: bool,
        /// The first such event.
        first: Option<String>,
    },
    /// Requests got no reply.
    Unanswered {
        /// Number of requests without a reply.
        requests: u64,
        /// The first such event.
        first: Option<String>,
    },
    /// No reply arrived in the measured period.
    NoReplies {
        /// The first error.
        first: Option<String>,
    },
    /// An open loop received fewer replies than requests were due.
    RateNotReached {
        /// Replies per second.
        replies_per_s: f64,
        /// Requests per second that were due.
        due_per_s: f64,
        /// Replies divided by due requests.
        ratio: f64,
    },
    /// An open loop sent its requests late.
    SendLag {
        /// 99th percentile of the delay from the intended to the actual send, in milliseconds.
        p99_ms: f64,
    },
    /// Another thread occupied the core of an engine thread.
    ClientStarved {
        /// Share of the time in which an engine thread was runnable but not running.
        share: f64,
    },
    /// The hypervisor gave CPU time to other machines.
    Steal {
        /// Stolen time, in percent of all time.
        percent: f64,
    },
    /// The control group was throttled because its CPU quota was used up.
    Throttled {
        /// How many times.
        times: u64,
    },
    /// The rate of a closed loop changed over the measured period.
    NotStationary {
        /// Replies per second in the first third of the period.
        before_per_s: f64,
        /// Replies per second in the last third.
        after_per_s: f64,
    },
    /// The parts of the load were not one load.
    Parts(PartsReason),
    /// A part of the load is invalid, and so is the whole.
    InPart {
        /// Number of the part, starting at 1.
        part: usize,
        /// Number of other parts that are invalid for a reason of this kind.
        others: usize,
        /// Why the part is invalid.
        reason: Box<Reason>,
    },
}

/// Who caused a [`Reason`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The server broke the conversation: it ended, refused or closed a connection, or sent a wrong reply or none.
    Server,
    /// The load does not suit the server: its rate is too high, or its warm-up too short.
    Load,
    /// The client has no descriptors or ports left.
    Client,
    /// The machine gave the client less CPU time than it needed.
    Machine,
    /// The parts of a load that several processes generate did not run as one.
    Parts,
}

impl Reason {
    /// Who caused it. No other code decides this.
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
            // A send lag without another reason: whatever delayed the thread was not visible to the counters.
            Self::SendLag { .. }
            | Self::ClientStarved { .. }
            | Self::Steal { .. }
            | Self::Throttled { .. } => Fault::Machine,
            Self::Parts(_) => Fault::Parts,
            Self::InPart { reason, .. } => reason.fault(),
        }
    }

    /// Whether something other than the server disturbed the measurement, so that the figures are no evidence
    /// against the server.
    pub fn is_disturbance(&self) -> bool {
        matches!(self.fault(), Fault::Client | Fault::Machine | Fault::Parts)
    }

    /// Whether a repetition of the measurement may be valid.
    pub fn may_pass(&self) -> bool {
        self.fault() == Fault::Machine || matches!(self, Self::NotStationary { .. })
    }

    /// The stable id.
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
            Self::Parts(reason) => reason.word(),
            Self::InPart { reason, .. } => reason.word(),
        }
    }

    fn sentence(&self) -> String {
        match self {
            Self::ServerDied {
                after_s,
                end,
                first,
            } => format!(
                "the server {end} after {after_s:.1} s of the measured period{}",
                and_first(first)
            ),
            Self::WrongReplies {
                wrong,
                replies,
                first,
            } => format!(
                "{wrong} of {replies} replies differed from what the talk expects{}",
                and_first(first)
            ),
            Self::ConnectionsLost { lost, first } => {
                format!("{lost} connections ended unexpectedly{}", and_first(first))
            }
            Self::ConnectionsMissing { missing, first, .. } => {
                format!(
                    "{missing} connections could not be opened{}",
                    and_first(first)
                )
            }
            Self::ConnectFailed { failed, first, .. } => {
                format!("{failed} connects failed{}", and_first(first))
            }
            Self::Unanswered { requests, first } => format!(
                "{requests} requests got no reply or were never sent; they count with the time they had waited until the end{}",
                and_first(first)
            ),
            Self::NoReplies { first } => {
                "no reply arrived in the measured period".to_owned() + &and_first(first)
            }
            Self::RateNotReached {
                replies_per_s,
                due_per_s,
                ratio,
            } => format!(
                "{replies_per_s:.0} replies per second arrived, but {due_per_s:.0} requests per second were due ({:.0} %)",
                ratio * 100.0
            ),
            Self::SendLag { p99_ms } => {
                format!(
                    "the client sent 1 % of the requests at least {p99_ms:.1} ms late; measure again when the machine does little else, or at a lower rate"
                )
            }
            Self::ClientStarved { share } => format!(
                "an engine thread waited {:.1} % of the time for its core, which ran another thread; measure again when the machine does little else",
                share * 100.0
            ),
            Self::Steal { percent } => {
                format!("the hypervisor gave {percent:.1} % of the CPU time to other machines")
            }
            Self::Throttled { times } => {
                format!("the control group used up its CPU quota and was throttled {times} times")
            }
            Self::NotStationary {
                before_per_s,
                after_per_s,
            } => format!(
                "{before_per_s:.0} replies per second in the first third of the measured period, {after_per_s:.0} in the last: set a longer --warmup"
            ),
            Self::Parts(reason) => reason.to_string(),
            Self::InPart {
                part,
                others,
                reason,
            } => of_part(*part, *others, reason),
        }
    }
}

/// The sentence of a part, and of how many others the same is true.
fn of_part(part: usize, others: usize, reason: &Reason) -> String {
    let others = match others {
        0 => String::new(),
        others => format!(" (and {others} more)"),
    };
    format!("{}{others}: {}", part_name(part), reason.sentence())
}

fn and_first(first: &Option<String>) -> String {
    first
        .as_ref()
        .map_or(String::new(), |first| format!("; first: {first}"))
}

impl From<&Reason> for Remark {
    fn from(reason: &Reason) -> Self {
        Self {
            word: reason.word().into(),
            sentence: reason.sentence(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Remark::from(self).fmt(f)
    }
}

impl From<PartsReason> for Reason {
    fn from(reason: PartsReason) -> Self {
        Self::Parts(reason)
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One reason of each kind.
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
            PartsReason::Interrupted { after_s: 1.5 }.into(),
        ]
    }

    #[test]
    fn each_reason_is_displayed_with_a_unique_id_and_a_sentence() {
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
    fn sentences_contain_the_figures() {
        let lost = &all()[2];
        assert_eq!(
            lost.to_string(),
            "connections-lost: 2 connections ended unexpectedly; first: connection 3: reset by peer"
        );
    }

    #[test]
    fn a_reason_of_a_part_names_the_part() {
        let told = |others| {
            let reason = Reason::InPart {
                part: 3,
                others,
                reason: Box::new(Reason::SendLag { p99_ms: 2.5 }),
            };
            assert!(reason.is_disturbance());
            reason.to_string()
        };
        assert!(told(0).starts_with("send-lag: part 3: the client sent 1 %"));
        assert!(told(2).starts_with("send-lag: part 3 (and 2 more): "));
    }

    #[test]
    fn missing_connections_are_the_fault_of_whoever_ran_out() {
        let missing = |ours| Reason::ConnectionsMissing {
            missing: 1,
            ours,
            first: None,
        };
        assert_eq!(missing(false).fault(), Fault::Server);
        assert_eq!(missing(true).fault(), Fault::Client);
        assert!(missing(true).is_disturbance() && !missing(false).is_disturbance());
        // A retry does not raise the descriptor limit.
        assert!(!missing(true).may_pass());
    }

    #[test]
    fn disturbances_by_the_machine_may_pass_and_faults_of_the_server_count() {
        for reason in all() {
            match reason.fault() {
                Fault::Machine => assert!(reason.may_pass() && reason.is_disturbance()),
                Fault::Server => assert!(!reason.may_pass() && !reason.is_disturbance()),
                Fault::Client | Fault::Load | Fault::Parts => {}
            }
        }
    }
}
