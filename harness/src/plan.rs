//! A validated description of a run. All defaults live here; the core never sees arguments.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::bench::SweepPlan;
use crate::check::run::{Origin, Subject};
use crate::file::Waiver;
use crate::fuzz::campaign::Orders;
use crate::gate::GatePlan;
use crate::load::Workload;

/// Lanes of a battery: most checks wait for the server rather than for a core.
pub const LANES: usize = 3;
/// A server that is not ready by then is late, where the file does not say otherwise.
pub const READY_TIMEOUT: Duration = Duration::from_secs(10);

/// What to do with a run that could not see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnInconclusive {
    /// Count it as passed.
    Pass,
    /// Count it as failed.
    Fail,
    /// Say so with exit code 5.
    #[default]
    Exit5,
}

/// One part of `count` of a battery, for machines beside each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Shard {
    /// From 1.
    pub index: usize,
    /// How many shards there are.
    pub count: usize,
}

/// Which checks are run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Selection {
    /// Only ids that match one of these globs; empty: all.
    pub only: Vec<String>,
    /// No ids that match one of these globs.
    pub skip: Vec<String>,
    /// Ids that must come to a verdict.
    pub require: Vec<String>,
    /// The part of the battery that this run takes.
    pub shard: Option<Shard>,
}

impl Selection {
    /// Whether the check with this id is selected; `position` is its place in the battery.
    pub fn takes(&self, id: &str, position: usize) -> bool {
        let any = |globs: &[String]| globs.iter().any(|glob| glob_match::glob_match(glob, id));
        (self.only.is_empty() || any(&self.only))
            && !any(&self.skip)
            && self
                .shard
                .is_none_or(|shard| position % shard.count == shard.index - 1)
    }

    /// Whether everything is looked at: only then can a waiver be called stale.
    pub fn is_whole(&self) -> bool {
        self.only.is_empty() && self.skip.is_empty() && self.shard.is_none()
    }
}

/// The plan of a `check` run, as it is written to the JSON.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// The server, and how it is reached.
    pub server: ServerPlan,
    /// The name of the talk.
    pub talk: String,
    /// Which checks.
    pub selection: Selection,
    /// Waivers: the globs and their reasons.
    pub waivers: Vec<(String, String)>,
    /// Lanes beside each other.
    pub lanes: usize,
    /// No check is begun after this many seconds.
    pub max_time_s: Option<f64>,
    /// What to do with a run that could not see.
    pub on_inconclusive: OnInconclusive,
}

/// How the server is reached, without anything secret.
#[derive(Clone, Debug, Serialize)]
pub struct ServerPlan {
    /// The name in the file, or of the talk.
    pub name: String,
    /// The command, its placeholders unfilled; empty for an attached server.
    pub cmd: Vec<String>,
    /// Names of the variables that are set for it; values are not shown.
    pub env: Vec<String>,
    /// Its working folder.
    pub cwd: Option<PathBuf>,
    /// Parameters.
    pub params: BTreeMap<String, String>,
    /// The address of an attached server.
    pub address: Option<String>,
}

impl ServerPlan {
    /// Describes `subject`.
    pub fn of(name: &str, subject: &Subject) -> Self {
        match &subject.origin {
            Origin::Spawn(launch) => Self {
                name: name.into(),
                cmd: launch.cmd.clone(),
                env: launch.env.keys().cloned().collect(),
                cwd: Some(launch.cwd.clone()),
                params: launch.params.clone(),
                address: None,
            },
            Origin::Attach { addr, .. } => Self {
                name: name.into(),
                cmd: Vec::new(),
                env: Vec::new(),
                cwd: None,
                params: BTreeMap::new(),
                address: Some(addr.to_string()),
            },
        }
    }
}

impl Plan {
    /// The same plan has the same hash on every machine, and in each of its shards: results of one
    /// plan can be merged.
    pub fn hash(&self) -> String {
        let mut whole = self.clone();
        whole.selection.shard = None;
        hash_of(&whole)
    }

    /// The waivers as they are shown.
    pub fn waivers_of(waivers: &[Waiver]) -> Vec<(String, String)> {
        waivers
            .iter()
            .map(|waiver| (waiver.check.clone(), waiver.reason.clone()))
            .collect()
    }
}

/// The plan of a `load` run, as it is written to the JSON.
#[derive(Clone, Debug, Serialize)]
pub struct LoadPlan {
    /// The server, and how it is reached.
    pub server: ServerPlan,
    /// The name of the talk.
    pub talk: String,
    /// What is put on it.
    #[serde(flatten)]
    pub workload: Workload,
    /// The objective whose highest rate is looked for.
    pub slo: Option<String>,
    /// Whether the server is loaded beyond what it can do.
    pub overload: bool,
    /// What to do with a run that could not see.
    pub on_inconclusive: OnInconclusive,
}

/// The plan of a `bench` run, as it is written to the JSON.
#[derive(Clone, Debug, Serialize)]
pub struct BenchPlan {
    /// The server, and how it is reached.
    pub server: ServerPlan,
    /// The name of the talk.
    pub talk: String,
    /// What is varied, and everything that is not.
    #[serde(flatten)]
    pub sweep: SweepPlan,
    /// What to do with a run that could not see.
    pub on_inconclusive: OnInconclusive,
}

/// The plan of a `fuzz` run, as it is written to the JSON.
#[derive(Clone, Debug, Serialize)]
pub struct FuzzPlan {
    /// The server, and how it is reached.
    pub server: ServerPlan,
    /// The name of the talk.
    pub talk: String,
    /// What is done.
    #[serde(flatten)]
    pub orders: Orders,
    /// What to do with a run that could not see.
    pub on_inconclusive: OnInconclusive,
}

/// The plan of a `gate` run, as it is written to the JSON.
#[derive(Clone, Debug, Serialize)]
pub struct GateRunPlan {
    /// The server as it was, and how it is started; none with a stored baseline.
    pub base: Option<ServerPlan>,
    /// The server as it is to be.
    pub candidate: ServerPlan,
    /// The name of the talk.
    pub talk: String,
    /// What is done.
    #[serde(flatten)]
    pub gate: GatePlan,
    /// What to do with a run that could not see.
    pub on_inconclusive: OnInconclusive,
}

/// A duration in a plan: seconds, with a fraction.
pub(crate) fn seconds<S: Serializer>(
    duration: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

/// The same of a duration that there may not be.
pub(crate) fn seconds_if_any<S: Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    duration
        .map(|duration| duration.as_secs_f64())
        .serialize(serializer)
}

/// A hash of plain data, the same on every machine.
pub fn hash_of(plan: &impl Serialize) -> String {
    let text = serde_json::to_string(plan).unwrap_or_default();
    format!("{:016x}", fnv1a(text.as_bytes()))
}

/// FNV-1a, 64 bits (Fowler, Noll, Vo): stable over versions of the standard library.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
