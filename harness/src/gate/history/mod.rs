//! The history of many gates: how each metric developed, and at which commits its level changed. Pure.
//!
//! A gate compares two builds; a history sees what no single gate does, such as a loss that is spread over many commits which
//! are each within their budget.

mod entry;
mod level;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::Serialize;

#[cfg(test)]
pub(crate) use self::entry::EntryCell;
pub(crate) use self::entry::{Entry, Machine, SCHEMA, parse};
pub(crate) use self::level::{Drift, GATES_MIN, Level, SHORTEST, Shift};
use super::metric::{self, Metric};
use crate::data::Unit;

/// Maximum gates per machine and server that are analysed; the newest ones. The time grows with their square.
const GATES_MAX: usize = 5_000;

/// All gates of a history.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(crate) struct History {
    /// For each machine and server, in the order of their first gates.
    pub machines: Vec<MachineHistory>,
}

/// The gates of one server on one machine.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(crate) struct MachineHistory {
    /// The hash of the machine.
    pub fingerprint: String,
    /// The machine.
    pub machine: Machine,
    /// The name of the server.
    pub target: Option<String>,
    /// The gates, from the oldest to the newest.
    pub gates: Vec<PastGate>,
    /// Older gates that were left out.
    pub left_out: usize,
    /// How each metric developed.
    pub trends: Vec<Trend>,
}

/// A gate of a history.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(crate) struct PastGate {
    /// Names the run.
    pub run_id: String,
    /// When it was.
    pub time: String,
    /// The commit of the candidate, if known.
    pub commit: Option<String>,
}

impl PastGate {
    /// The commit, or the time if it is not known.
    pub(crate) fn label(&self) -> &str {
        let commit = self.commit.as_deref();
        commit.map_or(&self.time, |commit| {
            // Twelve digits tell commits apart; a name is shown whole.
            let is_hash = commit.len() >= 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
            if is_hash { &commit[..12] } else { commit }
        })
    }
}

/// How a metric developed.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(crate) struct Trend {
    /// The metric.
    pub metric: Metric,
    /// The load, if there are several.
    pub at: Option<String>,
    /// What its values are.
    pub values: Values,
    /// The unit of the values.
    pub unit: Unit,
    /// The measured values, with the number of the gate of each one.
    pub points: Vec<(usize, f64)>,
    /// Standard deviation of a value, in percent of the median; `None` if there are too few values.
    pub noise_pct: Option<f64>,
    /// The levels between the changes, from the oldest to the newest.
    pub levels: Vec<Level>,
    /// The changes, from the oldest to the newest.
    pub shifts: Vec<Shift>,
    /// Changes that were seen but are too small to count for this metric, such as 1 MiB of memory.
    pub too_small: usize,
    /// Changes that may be one slow drift.
    pub drifts: Vec<Drift>,
    /// The newest level against the oldest one, in percent: more is worse.
    pub total_pct: Option<f64>,
}

/// What the values of a trend are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Values {
    /// The candidate's figures.
    Figures,
    /// The candidate in percent of the base, which was the same in all gates. What the machine does to both cancels out.
    PercentOfBase,
}

/// The development of all metrics.
pub(crate) fn history(entries: &[Entry]) -> History {
    let mut groups: Vec<Vec<&Entry>> = Vec::new();
    for entry in entries {
        let same = |group: &&mut Vec<&Entry>| {
            group[0].fingerprint == entry.fingerprint && group[0].target == entry.target
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(entry),
            None => groups.push(vec![entry]),
        }
    }
    History {
        machines: groups.into_iter().map(|group| machine(&group)).collect(),
    }
}

fn machine(all: &[&Entry]) -> MachineHistory {
    let left_out = all.len().saturating_sub(GATES_MAX);
    let entries = &all[left_out..];
    let gate = |entry: &&Entry| PastGate {
        run_id: entry.run_id.clone(),
        time: entry.time.clone(),
        commit: entry.commit.clone(),
    };
    MachineHistory {
        fingerprint: entries[0].fingerprint.clone(),
        machine: entries[0].machine.clone(),
        target: entries[0].target.clone(),
        gates: entries.iter().map(gate).collect(),
        left_out,
        trends: trends(entries),
    }
}

/// The trend of each metric and load that occurs, in the order of display.
fn trends(entries: &[&Entry]) -> Vec<Trend> {
    let base = entries[0].base_content.as_ref();
    let has_one_base = base.is_some()
        && entries
            .iter()
            .all(|entry| entry.base_content.as_ref() == base);
    let mut trends = Vec::new();
    for metric in metric::ALL {
        let mut loads: Vec<Option<&String>> = Vec::new();
        let cells = entries.iter().flat_map(|entry| &entry.cells);
        for cell in cells.filter(|cell| cell.metric == metric.name()) {
            if !loads.contains(&cell.at.as_ref()) {
                loads.push(cell.at.as_ref());
            }
        }
        let found = loads
            .into_iter()
            .map(|at| trend(entries, metric, at, has_one_base));
        trends.extend(found.filter(|trend| !trend.points.is_empty()));
    }
    trends
}

fn trend(entries: &[&Entry], metric: Metric, at: Option<&String>, has_one_base: bool) -> Trend {
    let cells: Vec<_> = entries
        .iter()
        .enumerate()
        .filter_map(|(gate, entry)| {
            let mut cells = entry.cells.iter();
            let is_it =
                |cell: &&entry::EntryCell| cell.metric == metric.name() && cell.at.as_ref() == at;
            Some((gate, cells.find(is_it)?))
        })
        .collect();
    let over_base = has_one_base && cells.iter().all(|(_, cell)| cell.estimate_pct.is_some());
    let value = |cell: &entry::EntryCell| {
        if over_base {
            cell.estimate_pct.map(|change| 100.0 + change)
        } else {
            cell.candidate
        }
    };
    let points: Vec<(usize, f64)> = cells
        .into_iter()
        .filter_map(|(gate, cell)| Some((gate, value(cell).filter(|value| value.is_finite())?)))
        .collect();
    // Ratios have been freed of differences that do not count.
    let least = if over_base { 0.0 } else { metric.least() };
    let found = level::levels(&points, least);
    Trend {
        metric,
        at: at.cloned(),
        values: if over_base {
            Values::PercentOfBase
        } else {
            Values::Figures
        },
        unit: if over_base {
            Unit::Count
        } else {
            metric.unit()
        },
        points,
        noise_pct: found.noise_pct,
        total_pct: found.total_pct,
        levels: found.levels,
        shifts: found.shifts,
        too_small: found.too_small,
        drifts: found.drifts,
    }
}
