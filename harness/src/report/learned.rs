//! What was learned about a server before it was judged, as it is reported.

use schemars::JsonSchema;
use serde::Serialize;

use crate::subject::{AtRest, Latency, Limits, Place, Rehearsal, Tried, Unasked};

/// What was learned about a server before it was judged.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(crate) struct Learned {
    /// What the rehearsal cost.
    pub took_ms: u64,
    /// The slowest of several plain exchanges, each on a new connection.
    pub exchange_ms: f64,
    /// Limits that the server sets to its clients.
    pub limits: Limits,
    /// How much was tried, and accepted, of what may be limited.
    pub tried: Tried,
    /// How long connects and replies take.
    pub latency: Latency,
    /// Why a second instance does not run beside the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runs_once: Option<String>,
    /// Its processes, and what their threads do when there is nothing to do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub at_rest: Vec<AtRest>,
    /// Whether it keeps the connections of clients that have left for 5 s and longer, also after plain exchanges.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub keeps_connections: bool,
    /// What it sent on an idle connection without a request, if the file does not declare it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unasked: Option<Unasked>,
    /// Turns that only work after others, or once on a connection, where the file does not say so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<Place>,
}

/// Of a server that does not close the connections of clients that have left. A garbage collector may close them later.
const KEEPS: &str = "keeps the connections of clients that have left for 5 s and longer (see fin-mid-request, fd-leak); each check gets a server of its own, and only checks of that fail";

impl Learned {
    pub(crate) fn of(rehearsal: &Rehearsal) -> Self {
        Self {
            took_ms: rehearsal.took.as_millis().try_into().unwrap_or(u64::MAX),
            exchange_ms: rehearsal.pace.exchange.as_secs_f64() * 1e3,
            limits: rehearsal.limits.clone(),
            tried: rehearsal.tried.clone(),
            latency: rehearsal.latency.clone(),
            runs_once: rehearsal.runs_once.clone(),
            at_rest: rehearsal.at_rest.clone(),
            keeps_connections: rehearsal.keeps_connections,
            unasked: rehearsal.unasked.clone(),
            order: rehearsal.order.clone(),
        }
    }

    /// What was learned, a phrase each: limits that the server sets, the order of turns, how it sleeps, and how fast it is.
    pub(super) fn phrases(&self) -> Vec<String> {
        let places = self.order.iter().map(Place::phrase);
        let once = self.runs_once.iter().map(|how| {
            format!("runs only once at a time: a second instance does not run beside it ({how})")
        });
        let limits = self.limits.phrases().into_iter();
        limits
            .chain(places)
            .chain(once)
            .chain(self.unasked.as_ref().map(Unasked::phrase))
            .chain(resting(&self.at_rest))
            .chain(self.keeps_connections.then(|| KEEPS.to_owned()))
            .chain(self.latency.phrase())
            .collect()
    }
}

/// The processes that are shown; the JSON lists all.
const AT_REST_SHOWN: usize = 4;

/// How the server's threads sleep, as a phrase.
fn resting(processes: &[AtRest]) -> Option<String> {
    let part = |one: &AtRest| {
        let threads: Vec<String> = one
            .threads
            .iter()
            .map(|(call, number)| match number {
                1 => call.clone(),
                _ => format!("{number} in {call}"),
            })
            .collect();
        let times = match one.processes {
            1 => String::new(),
            many => format!("{many} x "),
        };
        format!("{times}{} ({})", one.name, threads.join(", "))
    };
    let mut parts: Vec<String> = processes.iter().take(AT_REST_SHOWN).map(part).collect();
    let more = processes.len().saturating_sub(AT_REST_SHOWN);
    if more > 0 {
        parts.push(format!("{more} more"));
    }
    (!parts.is_empty()).then(|| format!("sleeps as: {}", parts.join(", ")))
}
