//! The history of many gates in words.

use schemars::JsonSchema;
use serde::Serialize;

use super::gate::{percent, signed};
use super::number::{bytes, digits, micros};
use crate::data::Unit;
use crate::gate::history::{Drift, GATES_MIN, History, MachineHistory, Shift, Trend, Values};
use crate::text::escape_text;

/// Metrics that the answer names.
const NAMED_MAX: usize = 3;

/// The report of a history.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(crate) struct HistoryReport {
    /// What was read.
    #[serde(flatten)]
    pub history: History,
}

impl HistoryReport {
    /// The gates of all machines.
    pub(super) fn gates(&self) -> usize {
        self.history
            .machines
            .iter()
            .map(|machine| machine.gates.len())
            .sum()
    }

    /// The answer in one or two sentences.
    pub(crate) fn answer(&self) -> String {
        let machines = &self.history.machines;
        let trends = || {
            machines
                .iter()
                .flat_map(|machine| machine.trends.iter().map(move |trend| (machine, trend)))
        };
        if trends().all(|(_, trend)| trend.levels.is_empty()) {
            return format!(
                "too few gates to see a change: {}, and {GATES_MIN} of one server on one machine are needed",
                self.gates()
            );
        }
        let mut worse: Vec<(f64, String)> = trends()
            .filter_map(|(machine, trend)| {
                let total = trend.total_pct.filter(|total| *total > 0.0)?;
                let on = match machines.len() {
                    1 => String::new(),
                    _ => format!(" (on {})", machine.machine.model),
                };
                Some((total, worse(machine, trend)? + &on))
            })
            .collect();
        worse.sort_by(|one, other| other.0.total_cmp(&one.0));
        let left = worse.len().saturating_sub(NAMED_MAX);
        let mut named: Vec<String> = worse
            .into_iter()
            .take(NAMED_MAX)
            .map(|(_, text)| text)
            .collect();
        if left > 0 {
            named.push(format!("{left} more"));
        }
        if !named.is_empty() {
            return format!("it got worse: {}", named.join("; "));
        }
        match trends()
            .filter(|(_, trend)| !trend.shifts.is_empty())
            .count()
        {
            0 => format!("no metric changed its level in {} gates", self.gates()),
            count => format!(
                "{count} of the metrics changed, and none is worse than at first, in {} gates",
                self.gates()
            ),
        }
    }
}

/// The changes for the worse of a metric; `None` if there are none.
fn worse(machine: &MachineHistory, trend: &Trend) -> Option<String> {
    let shifts: Vec<&Shift> = trend
        .shifts
        .iter()
        .filter(|shift| shift.change_pct > 0.0)
        .collect();
    let last = shifts.last()?;
    let at = machine.gates[last.gate].label();
    let times = match shifts.len() {
        1 => format!("{} % with {at}", signed(last.change_pct)),
        count => format!(
            "{count} times, the last time {} % with {at}",
            signed(last.change_pct)
        ),
    };
    let all = match trend.shifts.len() {
        1 => String::new(),
        _ => format!(", {} % in all", signed(trend.total_pct?)),
    };
    Some(format!("{} {times}{all}", name(trend)))
}

/// The metric, and the load if there are several.
pub(super) fn name(trend: &Trend) -> String {
    match &trend.at {
        Some(at) => format!("{} ({})", trend.metric.about(), escape_text(at, 80)),
        None => trend.metric.about().to_owned(),
    }
}

/// A value of a trend with its unit.
pub(super) fn value(trend: &Trend, value: f64) -> String {
    match (trend.values, trend.unit) {
        (Values::PercentOfBase, _) => format!("{value:.1} % of the base"),
        (_, Unit::Micros) => micros(value),
        (_, Unit::Bytes) => bytes(value.round()),
        _ if value < 1e4 => digits(value),
        _ => format!("{value:.0}"),
    }
}

/// Column headings of [`row`].
pub(super) const HEADS: [&str; 5] = ["first level", "newest level", "in all", "noise", "changes"];

/// The figures of a trend: its first and its newest level, the difference, the noise, the number of changes.
pub(super) fn row(trend: &Trend) -> [String; 5] {
    let level = |level: Option<&crate::gate::history::Level>| {
        level.map_or_else(|| "-".to_owned(), |level| value(trend, level.mean))
    };
    let changed = !trend.shifts.is_empty();
    [
        level(trend.levels.first()),
        level(trend.levels.last()),
        match trend.total_pct.filter(|_| changed) {
            Some(total) => format!("{} %", signed(total)),
            None => "-".to_owned(),
        },
        trend.noise_pct.map_or_else(|| "-".to_owned(), percent),
        match (trend.levels.is_empty(), trend.too_small) {
            (true, _) => format!("{} gates are too few", trend.points.len()),
            (false, 0) => trend.shifts.len().to_string(),
            (false, small) => format!("{}, and {small} too small to count", trend.shifts.len()),
        },
    ]
}

/// Column headings of [`change`].
pub(super) const CHANGE_HEADS: [&str; 4] = ["change", "with", "between", "levels"];

/// A change: its size with the interval, the commit, the commits between which it may be, the levels.
pub(super) fn change(machine: &MachineHistory, trend: &Trend, place: usize) -> [String; 4] {
    let shift = &trend.shifts[place];
    let label = |gate: usize| machine.gates[gate].label();
    let between = match (shift.gate_first, shift.gate_last) {
        (first, last) if first == last => "certain".to_owned(),
        (first, last) => format!("{} and {}", label(first), label(last)),
    };
    [
        format!(
            "{} % [{}, {}]",
            signed(shift.change_pct),
            signed(shift.low_pct),
            signed(shift.high_pct)
        ),
        label(shift.gate).to_owned(),
        between,
        format!(
            "{} -> {}",
            value(trend, trend.levels[place].mean),
            value(trend, trend.levels[place + 1].mean)
        ),
    ]
}

/// A drift in a sentence.
pub(super) fn drift(machine: &MachineHistory, trend: &Trend, drift: &Drift) -> String {
    format!(
        "{}: {} may be a slow drift of {} % from {} to {}, which explains the figures as well",
        name(trend),
        match drift.shifts {
            1 => "the change".to_owned(),
            count => format!("{count} changes"),
        },
        signed(drift.change_pct),
        machine.gates[drift.from].label(),
        machine.gates[drift.to].label()
    )
}

/// The server and its machine, with the number of gates.
pub(super) fn title(machine: &MachineHistory) -> String {
    let target = machine
        .target
        .as_deref()
        .unwrap_or("a server without a name");
    format!(
        "{target}: {} gates on {}, {} cores, Linux {}",
        machine.gates.len(),
        machine.machine.model,
        machine.machine.cpus,
        machine.machine.kernel
    )
}

/// How the changes were found, a sentence each.
pub(super) fn hows(history: &History) -> Vec<String> {
    let mut hows = vec![format!(
        "change points by optimal partitioning with the Schwarz criterion; a change lasts for at least {} gates, and what fewer show counts as outliers",
        crate::gate::history::SHORTEST
    )];
    let trends = || history.machines.iter().flat_map(|machine| &machine.trends);
    if trends().any(|trend| trend.values == Values::Figures) {
        hows.push(
            "figures of the candidates: what the machine does to them shows as well. Gates that all have the same base give ratios, in which it cancels out".into(),
        );
    }
    for machine in history
        .machines
        .iter()
        .filter(|machine| machine.left_out > 0)
    {
        hows.push(format!(
            "{}: {} older gates were left out",
            title(machine),
            machine.left_out
        ));
    }
    hows
}
