//! The result of a gate. Plain data.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duet::DuetEnd;
use super::metric::{Metric, Tier};
use super::rule::{CellVerdict, Comparison, Control, Void};
use super::side::Side;
use crate::data::Unit;

/// The result of a gate.
#[derive(Debug, Clone, Default, JsonSchema, Serialize)]
pub struct GateResult {
    /// Every metric that was compared, with its verdict.
    pub cells: Vec<GateCell>,
    /// Whether the duet would have detected a change; `None` if there was no duet.
    pub control: Option<ControlReport>,
    /// How the duet was run; `None` if there was none.
    pub duet: Option<DuetSummary>,
    /// How the loads were run; `None` if there were none.
    pub matrix: Option<MatrixSummary>,
    /// A server that failed during the gate.
    pub broken: Option<BrokenServer>,
    /// The functions in which the counted metrics changed, if they were asked for or a metric got worse.
    pub explained: Vec<Explained>,
    /// What was skipped, and why.
    pub skipped: Vec<SkippedTier>,
    /// Remarks about the measurement.
    pub notes: Vec<String>,
}

/// One metric, compared.
#[derive(Debug, Clone, JsonSchema, Serialize)]
pub struct GateCell {
    /// The metric.
    pub metric: Metric,
    /// How it was measured.
    pub tier: Tier,
    /// The load, if there are several: `payload 64 B, 50 connections`.
    pub at: Option<String>,
    /// The unit of both figures.
    pub unit: Unit,
    /// Whether the verdict of the gate depends on it.
    pub decides: bool,
    /// The base's figure: the median of the sessions, or a count.
    pub base: Option<f64>,
    /// The candidate's figure.
    pub candidate: Option<f64>,
    /// Verdict, estimate and bounds.
    #[serde(flatten)]
    pub comparison: Comparison,
    /// The standard deviation of the sessions in percent, derived from their interval.
    pub spread_pct: Option<f64>,
    /// If inconclusive: the approximate duration in seconds of a gate that gives a verdict.
    pub settles_in_s: Option<f64>,
    /// Why it is inconclusive, if statistics are not the reason.
    pub reason: Option<String>,
}

/// The control as it is reported.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize)]
pub struct ControlReport {
    /// The planted extra work in percent.
    pub planted_pct: f64,
    /// The measured extra work in percent.
    pub seen_pct: Option<f64>,
    /// Whether the control failed, so that the duet cannot be trusted.
    pub void: bool,
    /// Why the control failed.
    pub reason: Option<String>,
    /// Control sessions.
    pub sessions: usize,
}

/// How the duet was run.
#[derive(Debug, Clone, Copy, Default, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct DuetSummary {
    /// Sessions of base and candidate in the first stage.
    pub real: usize,
    /// Control sessions.
    pub control: usize,
    /// Fresh sessions.
    pub fresh: usize,
    /// Sessions that gave no sample and were repeated.
    pub repeated: usize,
    /// Counted exchanges per side, in all real sessions.
    pub exchanges: u64,
    /// Mean duration of a session in seconds, including start and stop of both servers.
    pub session_s: f64,
    /// Why there were no more sessions.
    pub ended: DuetEnd,
    /// The core of both servers, and that of both clients; `None` if there was only one core.
    pub cores: Option<(usize, usize)>,
    /// Whether the servers were loaded at the same addresses in all sessions; the system may not allow it.
    pub fixed_addresses: bool,
    /// The share of all CPU time that the hypervisor gave to others (steal), in percent.
    pub steal_pct: f64,
    /// How often the control group of tcprove was throttled.
    pub throttled: u64,
}

/// How the loads of the matrix were run.
#[derive(Debug, Clone, Copy, Default, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct MatrixSummary {
    /// Loads that were compared.
    pub cells: usize,
    /// Rounds of the first stage: each puts every load on both servers twice.
    pub rounds: usize,
    /// Fresh rounds of all suspect cells together.
    pub fresh: usize,
    /// Measured time per visit in seconds.
    pub visit_s: f64,
    /// Visits that the server spoiled and that were repeated.
    pub repeated: usize,
    /// Visits that the machine disturbed: others used the client's core, or a hypervisor did.
    pub disturbed: usize,
}

/// Where the difference of a metric comes from.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Explained {
    /// The metric.
    pub metric: Metric,
    /// The functions with the largest parts of the difference, the largest one first.
    pub functions: Vec<FunctionShare>,
    /// How the costs were measured.
    #[serde(default, skip_serializing_if = "CostSource::is_counted")]
    pub by: CostSource,
    /// The system calls with the largest parts of the difference, if the metric counts them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub system_calls: Vec<FunctionShare>,
    /// The functions with the largest parts of the difference in the number of calls, if those were counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<FunctionShare>,
    /// The calls of both servers with their costs; `None` in reports of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stacks: Option<Frame>,
}

/// How the costs of functions were measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CostSource {
    /// Counted under valgrind.
    #[default]
    Counted,
    /// CPU time in microseconds, by a profiler that is called at each call and return in a script.
    Calls,
    /// CPU time in microseconds, divided by samples of what a script executes.
    Samples,
}

impl CostSource {
    fn is_counted(&self) -> bool {
        *self == Self::Counted
    }
}

/// A function in the place where it was called, with what it calls.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Frame {
    /// Its name, demangled.
    pub function: String,
    /// The cost of an operation in the base, with all that it calls, in the unit of the metric.
    pub base: f64,
    /// The cost of an operation in the candidate.
    pub candidate: f64,
    /// What it calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Frame>,
}

/// What an operation costs in a function, with what libraries do for it, or how often it makes a system call.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct FunctionShare<Name = String> {
    /// Its name, demangled, and of a script its file and line.
    pub function: Name,
    /// The cost of an operation in the base, in the unit of the metric.
    pub base: f64,
    /// The cost of an operation in the candidate.
    pub candidate: f64,
    /// Its part of the difference between candidate and base, in percent. The shares of all functions add up to 100; that of one
    /// that became cheaper while the whole became more expensive is negative.
    pub share_pct: f64,
}

/// A server that failed during the gate.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct BrokenServer {
    /// Which one.
    pub side: Side,
    /// What it did, as a clause without its subject: `died: signal 11`.
    pub what: String,
}

/// A tier, or a load of it, that was skipped.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct SkippedTier {
    /// The tier.
    pub tier: Tier,
    /// Why it was skipped.
    pub reason: String,
}

impl ControlReport {
    /// The control with the reason in words.
    pub(crate) fn of(control: &Control) -> Self {
        let reason = control.void.map(|void| match void {
            Void::TooFew => format!("only {} control sessions ran", control.sessions),
            Void::NoNumber => "a control session gave no figure".to_owned(),
            Void::TooLittle => {
                "less than the planted work was measured: a change of the candidate would be missed too".to_owned()
            }
            Void::TooMuch => {
                "more than three times the planted work was measured: the machine disturbs the servers too much".to_owned()
            }
        });
        Self {
            planted_pct: control.planted_pct,
            seen_pct: control.seen_pct,
            void: control.void.is_some(),
            reason,
            sessions: control.sessions,
        }
    }
}

impl GateCell {
    /// Whether it keeps the gate from passing.
    pub(crate) fn is_open(&self) -> bool {
        self.decides && self.comparison.verdict == CellVerdict::Inconclusive
    }

    /// Whether the gate fails because of it.
    pub(crate) fn fails(&self) -> bool {
        self.decides && self.comparison.verdict == CellVerdict::Fail
    }
}

impl GateResult {
    /// Whether the control failed, so that the duet cannot be trusted.
    pub(crate) fn is_void(&self) -> bool {
        self.control.as_ref().is_some_and(|control| control.void)
    }

    /// Where a metric changed. The functions in which the CPU time of operations changed explain its instructions too, and the
    /// other way round.
    pub(crate) fn explanation(&self, metric: Metric) -> Option<&Explained> {
        let explains = |explained: &&Explained| {
            let is_cpu = metric.is_cpu_of_operations() && explained.metric.is_cpu_of_operations();
            explained.metric == metric || is_cpu
        };
        let mut all: Vec<&Explained> = self.explained.iter().filter(explains).collect();
        all.sort_by_key(|explained| explained.metric != metric);
        all.first().copied()
    }

    /// Whether the verdict of a cell can be relied on. The error of a void control may be in every cell of the duet:
    /// then only a regression stands whose lower bound exceeds the budget by more than twice that error.
    pub(crate) fn stands(&self, cell: &GateCell) -> bool {
        let Some(control) = self.control.as_ref().filter(|control| control.void) else {
            return true;
        };
        if cell.tier != Tier::Duet {
            return true;
        }
        let error = control
            .seen_pct
            .map(|seen| (seen - control.planted_pct).abs());
        let comparison = &cell.comparison;
        let least = comparison.low_pct.zip(error);
        comparison.verdict == CellVerdict::Fail
            && least.is_some_and(|(low, error)| low > comparison.budget_pct + 2.0 * error)
    }

    /// The verdict of the gate: it fails if the candidate broke or a deciding metric exceeds its budget. It passes if
    /// every deciding metric passes and the control is valid.
    pub fn verdict(&self) -> CellVerdict {
        let broken = self.broken.as_ref();
        let fails = |cell: &GateCell| cell.fails() && self.stands(cell);
        let candidate_broke = broken.is_some_and(|broken| broken.side == Side::Candidate);
        if candidate_broke || self.cells.iter().any(fails) {
            return CellVerdict::Fail;
        }
        let decided = self.cells.iter().any(|cell| cell.decides);
        let open = self.cells.iter().any(GateCell::is_open);
        if broken.is_some() || open || self.is_void() || !decided {
            return CellVerdict::Inconclusive;
        }
        CellVerdict::Pass
    }
}

#[cfg(test)]
mod tests {
    use super::super::rule::Rule;
    use super::*;

    /// A metric that measured about this many percent worse in both stages.
    fn cell(percent: f64) -> GateCell {
        let ratios = |n: i32| -> Vec<f64> {
            let noise = |place| f64::from(place % 5 - 2) * 1e-3;
            (0..n)
                .map(|place| (percent / 100.0).ln_1p() + noise(place))
                .collect()
        };
        GateCell {
            metric: Metric::ServerCpu,
            tier: Tier::Duet,
            at: None,
            unit: Unit::Micros,
            decides: true,
            base: Some(1.0),
            candidate: Some(1.0),
            comparison: Rule { budget: 0.02 }.compare(&ratios(20), &ratios(12)),
            spread_pct: None,
            settles_in_s: None,
            reason: None,
        }
    }

    fn gate(percent: f64, seen: f64) -> GateResult {
        let control = Rule { budget: 0.02 }.control(&[(seen / 100.0).ln_1p(); 10]);
        GateResult {
            cells: vec![cell(percent)],
            control: Some(ControlReport::of(&control)),
            ..GateResult::default()
        }
    }

    #[test]
    fn a_void_control_takes_back_passes_and_all_but_great_losses() {
        for (percent, seen, verdict) in [
            (0.0, 2.1, CellVerdict::Pass),
            (4.0, 2.1, CellVerdict::Fail),
            (1.98, 2.1, CellVerdict::Inconclusive),
            (0.0, 0.1, CellVerdict::Inconclusive),
            // The control missed 1.9 %: the error may be that large in either direction.
            (4.0, 0.1, CellVerdict::Inconclusive),
            (8.0, 0.1, CellVerdict::Fail),
        ] {
            assert_eq!(gate(percent, seen).verdict(), verdict, "{percent} {seen}");
        }
    }

    #[test]
    fn what_does_not_decide_neither_fails_nor_passes() {
        let mut result = gate(9.0, 2.0);
        result.cells[0].decides = false;
        assert_eq!(result.verdict(), CellVerdict::Inconclusive);
        result.cells.push(cell(0.0));
        assert_eq!(result.verdict(), CellVerdict::Pass);
        result.broken = Some(BrokenServer {
            side: Side::Candidate,
            what: "died".into(),
        });
        assert_eq!(result.verdict(), CellVerdict::Fail);
    }
}
