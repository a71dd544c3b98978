//! What the duet does: sessions of each kind, and how long a session takes.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::Workload;

/// Minimum measured time per session, however little time is left.
pub(super) const MEASURED_MIN: Duration = Duration::from_millis(60);

/// The sessions of a duet.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct DuetPlan {
    /// Sessions of base and candidate in the first stage.
    pub real: usize,
    /// Sessions of base against base, one of them given extra work.
    pub control: usize,
    /// Fresh sessions that decide about a suspect metric.
    pub fresh: usize,
    /// Extra work of one side in a control session, as a share: the budget of
    /// [`Metric::ServerCpu`](crate::gate::Metric::ServerCpu).
    pub planted: f64,
    /// Unmeasured exchanges at the start of each session.
    #[serde(rename = "warmup_s", with = "crate::data::seconds")]
    #[schemars(with = "f64")]
    pub warmup: Duration,
    /// The measured part of each session.
    #[serde(rename = "measured_s", with = "crate::data::seconds")]
    #[schemars(with = "f64")]
    pub measured: Duration,
    /// A whole session as planned, including start and stop of both servers.
    #[serde(rename = "session_s", with = "crate::data::seconds")]
    #[schemars(with = "f64")]
    pub session: Duration,
    /// Longest wait for a connection or a reply.
    #[serde(rename = "patience_s", with = "crate::data::seconds")]
    #[schemars(with = "f64")]
    pub patience: Duration,
    /// What each connection says. The duet uses one connection in lockstep, whatever the workload says.
    #[serde(skip)]
    pub workload: Workload,
}

/// Limits of [`DuetPlan::patience`].
const PATIENCE_MIN: Duration = Duration::from_secs(2);
const PATIENCE_MAX: Duration = Duration::from_secs(10);
/// A gate may wait for this many replies in vain.
const WAITS: u32 = 30;
/// A reply may take this many times as long as the slowest exchange of the base.
const SLOWER: u32 = 20;

/// The longest wait for a reply in a gate with this time limit: so short that several servers that hang fit into it,
/// and so long that no sound server is given up because the machine is busy. `exchange` is the slowest exchange of the
/// base in its rehearsal.
pub(super) fn patience(max_time: Duration, exchange: Duration) -> Duration {
    (max_time / WAITS)
        .max(exchange * SLOWER)
        .clamp(PATIENCE_MIN, PATIENCE_MAX)
}

impl DuetPlan {
    /// Sessions of all kinds together.
    pub(crate) fn sessions(&self) -> usize {
        self.real + self.control + self.fresh
    }

    /// The plan with sessions shortened so that `sessions` of them fit into the time left; they are never
    /// lengthened.
    #[must_use]
    pub(crate) fn within(&self, left: Duration, sessions: usize) -> Self {
        let each = left / u32::try_from(sessions.max(1)).unwrap_or(u32::MAX);
        let late = self.session.saturating_sub(each);
        Self {
            measured: self.measured.saturating_sub(late).max(MEASURED_MIN),
            session: self.session.saturating_sub(late),
            ..self.clone()
        }
    }
}
