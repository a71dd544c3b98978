//! The result of a gate in words.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decided::decided;
use super::number::{bytes, digits, micros};
use super::{Behaviour, RunError, RunVerdict};
use crate::data::Unit;
use crate::gate::duet::DuetEnd;
use crate::gate::rule::{CLEAR_BUDGETS, CellVerdict};
use crate::gate::{Explained, GateCell, GateResult, GateSamples, MergedGate, Metric, Side};

/// The report of a gate.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(crate) struct GateReport {
    /// The base's command as a shell would take it; `None` if the base is a stored baseline.
    pub base: Option<String>,
    /// The candidate's command.
    pub candidate: String,
    /// What the files in both commands contain.
    pub contents: Contents,
    /// The baseline that was stored, if nothing was compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stored: Option<Stored>,
    /// The result of the gate.
    #[serde(flatten)]
    pub result: GateResult,
    /// What base and candidate do differently, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behaviour: Option<Behaviour>,
    /// What was measured, so that several gates can be merged.
    #[serde(skip_serializing_if = "GateSamples::is_empty")]
    pub samples: GateSamples,
    /// The gates that were merged; empty if this is a single one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<MergedGate>,
}

/// Hashes of the files that the commands of base and candidate name, which tell one build from another; `None` where there is
/// no such file.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub(crate) struct Contents {
    /// Those of the base.
    pub base: Option<String>,
    /// Those of the candidate.
    pub candidate: Option<String>,
}

/// A baseline that was written.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(crate) struct Stored {
    /// Path of its file.
    pub path: String,
    /// Instructions per operation.
    pub instructions: f64,
    /// System calls per operation.
    pub syscalls: f64,
}

impl GateReport {
    /// The verdict of the run.
    pub(super) fn verdict(&self, interrupted: bool) -> RunVerdict {
        if self.stored.is_some() {
            return RunVerdict::Pass;
        }
        let behaviour = self.behaviour.as_ref();
        let is_open = behaviour.is_some_and(|behaviour| !behaviour.unclear.is_empty());
        match self.result.verdict() {
            CellVerdict::Fail => RunVerdict::Fail,
            _ if behaviour.is_some_and(Behaviour::fails) => RunVerdict::Fail,
            _ if is_open => RunVerdict::Inconclusive,
            _ if interrupted => RunVerdict::Inconclusive,
            CellVerdict::Pass => RunVerdict::Pass,
            CellVerdict::Inconclusive => RunVerdict::Inconclusive,
        }
    }

    /// A base that breaks is an error, not a verdict about the candidate.
    pub(super) fn error(&self) -> Option<RunError> {
        let broken = self.result.broken.as_ref();
        let broken = broken.filter(|broken| broken.side == Side::Base)?;
        Some(RunError::target(format!(
            "the base {} during the gate: there is nothing to compare with\nnext: run `tcprove check` on the base",
            broken.what
        )))
    }

    /// Whether nothing was compared.
    pub(super) fn is_empty(&self) -> bool {
        self.stored.is_none()
            && self.result.broken.is_none()
            && self.result.cells.iter().all(|cell| cell.base.is_none())
    }

    /// The answer in one or two sentences.
    pub(crate) fn answer(&self) -> String {
        let of_metrics = self.answer_of_metrics();
        let differs = self.behaviour.as_ref().and_then(Behaviour::answer);
        match differs {
            None => of_metrics,
            Some(differs) if self.behaviour.as_ref().is_some_and(Behaviour::fails) => {
                format!("{differs}; {of_metrics}")
            }
            Some(differs) => format!("{of_metrics}; {differs}"),
        }
    }

    fn answer_of_metrics(&self) -> String {
        let result = &self.result;
        if let Some(stored) = &self.stored {
            return format!(
                "stored in {}: {:.0} instructions and {} system calls per operation",
                stored.path,
                stored.instructions,
                digits(stored.syscalls)
            );
        }
        if let Some(broken) = &result.broken {
            return match broken.side {
                Side::Candidate => format!(
                    "the candidate {}, while the base held its conversation",
                    broken.what
                ),
                Side::Base => {
                    format!("the base {}: there is nothing to compare with", broken.what)
                }
            };
        }
        let failed: Vec<&GateCell> = self.deciding(CellVerdict::Fail).collect();
        if !failed.is_empty() {
            let failed = failed.into_iter().map(described);
            return format!("it got worse: {}{}", list(failed), place(result));
        }
        if let Some(control) = result.control.as_ref().filter(|control| control.void) {
            let seen = control.seen_pct.map_or_else(|| "nothing".into(), percent);
            return format!(
                "no verdict: the control measured {seen} of {} planted extra work; {}; {AGAIN}",
                percent(control.planted_pct),
                control.reason.as_deref().unwrap_or_default()
            );
        }
        let open: Vec<&GateCell> = self.deciding(CellVerdict::Inconclusive).collect();
        if !open.is_empty() {
            let next = next(&open);
            let open = open
                .into_iter()
                .map(|cell| described(cell) + &detectable(cell));
            return format!("inconclusive: {}{next}", list(open));
        }
        let passed: Vec<&GateCell> = self.deciding(CellVerdict::Pass).collect();
        let cpu = passed.iter().find(|cell| cell.metric == Metric::ServerCpu);
        match cpu.or(passed.first()) {
            Some(cell) => format!(
                "no metric exceeds its budget: {}{}",
                described(cell),
                detectable(cell)
            ),
            None => "nothing was compared".into(),
        }
    }

    /// The reliable cells that decide with this verdict.
    fn deciding(&self, verdict: CellVerdict) -> impl Iterator<Item = &GateCell> {
        let cells = self.result.cells.iter().filter(|cell| cell.decides);
        cells.filter(move |cell| cell.comparison.verdict == verdict && self.result.stands(cell))
    }
}

/// What to do about figures that do not settle a question.
const AGAIN: &str =
    "repeat the gate when the machine does little else, or with twice the --max-time";

/// The function in which most of it happened, of a metric that fails if one of those is explained.
fn place(result: &GateResult) -> String {
    let fails = |metric| {
        let mut failing = result.cells.iter().filter(|cell| cell.fails());
        failing.any(|cell| cell.metric == metric)
    };
    let mut explained: Vec<&Explained> = result.explained.iter().collect();
    explained.sort_by_key(|explained| !fails(explained.metric));
    let first = explained.into_iter().find_map(|explained| {
        let first = explained.functions.first()?;
        Some((explained.metric, first))
    });
    first.map_or_else(String::new, |(metric, first)| {
        format!(
            "; {:.0} % of the change in {} is in `{}`",
            first.share_pct,
            metric.about(),
            first.function
        )
    })
}

fn list(cells: impl Iterator<Item = String>) -> String {
    cells.collect::<Vec<_>>().join("; ")
}

/// The duration that would settle all open cells, if known.
fn next(open: &[&GateCell]) -> String {
    let settles = open.iter().filter_map(|cell| cell.settles_in_s);
    let seconds = settles.fold(0.0, f64::max);
    if seconds > 0.0 {
        format!(
            "; about {seconds:.0} s would give a verdict (--max-time {}s)",
            seconds.ceil()
        )
    } else {
        format!("; {AGAIN}")
    }
}

/// The minimum detectable effect.
fn detectable(cell: &GateCell) -> String {
    let mde = cell.comparison.mde_pct;
    mde.map_or_else(String::new, |mde| {
        format!(
            "; a regression of {} would have been detected",
            percent(mde)
        )
    })
}

/// A metric and its change.
fn described(cell: &GateCell) -> String {
    let mut text = format!("{} {}", name(cell), change(cell));
    let budget = percent(cell.comparison.budget_pct);
    let _ = match decided(cell) {
        Some(decided) => write!(text, " (budget {budget}; {decided})"),
        None => write!(text, " (budget {budget})"),
    };
    if let Some(reason) = &cell.reason {
        let _ = write!(text, ": {reason}");
    }
    text
}

/// The metric, and the load if there are several.
pub(super) fn name(cell: &GateCell) -> String {
    let about = cell.metric.about();
    match &cell.at {
        Some(at) => format!("{about} ({at})"),
        None => about.to_owned(),
    }
}

/// The estimate with its interval: `+3.1 % [+2.6, +3.6]`.
pub(super) fn change(cell: &GateCell) -> String {
    let Some(estimate) = cell.comparison.estimate_pct else {
        return "not measured".into();
    };
    match (cell.comparison.low_pct, cell.comparison.high_pct) {
        (Some(low), Some(high)) => {
            format!("{} % [{}, {}]", signed(estimate), signed(low), signed(high))
        }
        _ => format!("{} %", signed(estimate)),
    }
}

/// A figure of a metric with its unit.
pub(super) fn figure(cell: &GateCell, value: Option<f64>) -> String {
    let Some(value) = value else {
        return "-".into();
    };
    match cell.unit {
        Unit::Micros => micros(value),
        Unit::Bytes => bytes(value.round()),
        _ if value < 1e4 => digits(value),
        _ => format!("{value:.0}"),
    }
}

/// `2 %`, `0.5 %`.
pub(super) fn percent(value: f64) -> String {
    let rounded = (value * 100.0).round() / 100.0;
    format!("{rounded} %")
}

/// A signed number with two or three significant digits.
pub(super) fn signed(value: f64) -> String {
    match value.abs() {
        size if size < 0.095 => format!("{value:+.2}"),
        size if size < 99.5 => format!("{value:+.1}"),
        _ => format!("{value:+.0}"),
    }
}

/// The budget of a metric that decides.
pub(super) fn budget(cell: &GateCell) -> String {
    if cell.decides {
        percent(cell.comparison.budget_pct)
    } else {
        "shown only".to_owned()
    }
}

/// The verdict of a cell in one word; cells that do not decide have other words.
pub(super) fn word(cell: &GateCell) -> &'static str {
    match (cell.comparison.verdict, cell.decides) {
        (CellVerdict::Pass, _) => "pass",
        (CellVerdict::Fail, true) => "FAIL",
        (CellVerdict::Fail, false) => "worse",
        (CellVerdict::Inconclusive, true) => "inconclusive",
        (CellVerdict::Inconclusive, false) => "open",
    }
}

/// Why metrics that got worse do not decide, a sentence each.
pub(super) fn shown_only(cells: &[GateCell]) -> impl Iterator<Item = String> {
    let worse = |cell: &&GateCell| !cell.decides && cell.comparison.verdict == CellVerdict::Fail;
    let reasons = cells.iter().filter(worse);
    reasons.filter_map(|cell| Some(format!("{}: {}", name(cell), cell.reason.as_ref()?)))
}

/// How it was measured, a line each.
pub(super) fn hows(gate: &GateReport) -> impl Iterator<Item = String> {
    let result = &gate.result;
    let behaviour = gate.behaviour.as_ref().map(Behaviour::how);
    let hows = [
        how_merged(&gate.gates),
        how(result),
        how_loaded(result),
        behaviour,
    ];
    hows.into_iter().flatten()
}

/// How the duet was run, in one line.
fn how(result: &GateResult) -> Option<String> {
    let summary = result.duet.as_ref()?;
    let mut text = format!(
        "{} sessions of base and candidate at the same time",
        summary.real
    );
    if summary.fresh > 0 {
        let _ = write!(text, ", {} fresh ones for confirmation", summary.fresh);
    }
    if let Some(control) = &result.control {
        let seen = control.seen_pct.map_or_else(|| "nothing".into(), percent);
        let _ = write!(
            text,
            "; control: {seen} measured of {} planted in {} sessions",
            percent(control.planted_pct),
            control.sessions
        );
    }
    match summary.ended {
        DuetEnd::Planned => {}
        DuetEnd::Clear => {
            let _ = write!(
                text,
                "; it ended early, since a metric was more than {CLEAR_BUDGETS} budgets worse in each session"
            );
        }
        DuetEnd::OutOfTime => {
            text += "; then the time was over: a longer --max-time lets all of them run";
        }
    }
    if let Some((servers, clients)) = summary.cores {
        let _ = write!(
            text,
            "; servers on core {servers}, clients on core {clients}"
        );
    }
    Some(text)
}

/// What was merged, in one line.
fn how_merged(gates: &[MergedGate]) -> Option<String> {
    if gates.is_empty() {
        return None;
    }
    let count = |verdict| gates.iter().filter(|gate| gate.verdict == verdict).count();
    let verdicts = [
        (CellVerdict::Pass, "passed"),
        (CellVerdict::Fail, "failed"),
        (CellVerdict::Inconclusive, "inconclusive"),
    ];
    let by_themselves: Vec<String> = verdicts
        .into_iter()
        .filter(|(verdict, _)| count(*verdict) > 0)
        .map(|(verdict, word)| format!("{} {word}", count(verdict)))
        .collect();
    let first = gates.len().div_ceil(2);
    let some = |count: usize| match count {
        1 => String::new(),
        count => format!(" {count}"),
    };
    Some(format!(
        "merged from {} gates, by themselves {}; the sessions of the first{} make a metric suspect, and those of the other{} have to confirm it",
        gates.len(),
        by_themselves.join(", "),
        some(first),
        some(gates.len() - first)
    ))
}

/// How the loads were run, in one line.
fn how_loaded(result: &GateResult) -> Option<String> {
    let matrix = result.matrix.as_ref().filter(|matrix| matrix.rounds > 0)?;
    let mut text = format!(
        "{} rounds of {} loads on base and candidate in turn, {:.0} ms each",
        matrix.rounds,
        matrix.cells,
        matrix.visit_s * 1e3
    );
    if matrix.fresh > 0 {
        let _ = write!(text, ", {} fresh ones for confirmation", matrix.fresh);
    }
    if matrix.disturbed > 0 {
        let _ = write!(text, "; the machine disturbed {} visits", matrix.disturbed);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::BrokenServer;
    use crate::report::sample::gated;

    #[test]
    fn a_server_that_broke_is_named_before_all_else() {
        let mut report = gated(4.0, 1e-3, 2.0);
        for (side, says) in [
            (
                Side::Candidate,
                "the candidate died: signal 11, while the base held",
            ),
            (Side::Base, "there is nothing to compare with"),
        ] {
            let what = "died: signal 11".to_owned();
            report.result.broken = Some(BrokenServer { side, what });
            assert!(report.answer().contains(says), "{}", report.answer());
        }
    }
}
