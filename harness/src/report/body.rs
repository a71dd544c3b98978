//! The result of a run, one variant for each kind of run. The verdict is a function of it.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::number::bytes;
use super::{
    CheckReport, FuzzReport, GateReport, HistoryReport, ReplayReport, Report, RunError, RunVerdict,
};
use crate::bench::{Measured, SweepResult};
use crate::check::run::sweep::{CallSweepResult, SweepOutcome, SweepRow};
use crate::load::{LoadResult, OverloadReport, PartRecord, Parts, SloReport, Workload};

/// The result of a run.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[serde(untagged)]
pub(crate) enum Body {
    /// None: the run could not begin, or was interrupted before anything was measured.
    #[schemars(extend("properties" = json!({ "verdict": { "enum": ["inconclusive", "error"] } })))]
    Nothing {},
    /// A battery.
    Check(CheckReport),
    /// A sweep of the results of system calls.
    Calls(Box<CallSweepReport>),
    /// Battery, campaign and sweep in one go.
    Run(Box<Whole>),
    /// A load.
    Load(Box<LoadReport>),
    /// What the server of a load used that other processes generated.
    Observed(Box<ObserverReport>),
    /// A sweep.
    Sweep(Box<SweepReport>),
    /// A campaign.
    Fuzz(Box<FuzzReport>),
    /// Findings that were replayed.
    Replay(ReplayReport),
    /// A gate.
    Gate(Box<GateReport>),
    /// The history of many gates.
    History(Box<HistoryReport>),
}

impl Body {
    /// What a run of `command` has before it has a result: a battery is a list of outcomes, empty at
    /// first, so that the JSON of a run that could not begin has the same shape.
    pub(crate) fn empty(command: &str) -> Self {
        match command {
            "check" | "run" => Self::Check(CheckReport::default()),
            _ => Self::Nothing {},
        }
    }

    /// The verdict of a run that came this far.
    pub(super) fn verdict(&self, interrupted: bool) -> RunVerdict {
        match self {
            Self::Nothing {} => RunVerdict::Inconclusive,
            Self::Check(checked) => checked.verdict(interrupted),
            Self::Calls(sweep) => sweep.verdict(interrupted),
            Self::Run(whole) => whole.verdict(interrupted),
            Self::Load(_) | Self::Sweep(_) | Self::Observed(_) if interrupted => {
                RunVerdict::Inconclusive
            }
            Self::Observed(observed) => observed.verdict(),
            Self::Load(load) => load.verdict(),
            Self::Sweep(sweep) => sweep.verdict(),
            Self::Fuzz(fuzz) => fuzz.verdict(interrupted),
            Self::Replay(replay) => replay.verdict(interrupted),
            Self::Gate(gate) => gate.verdict(interrupted),
            // It is for reading: the gates themselves have judged.
            Self::History(_) => RunVerdict::Pass,
        }
    }

    /// Whether nothing at all was examined.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Nothing {} => true,
            Self::Check(checked) => checked.counts.ran() == 0,
            Self::Calls(sweep) => sweep.result.rows.is_empty(),
            Self::Run(whole) => whole.checked.counts.ran() == 0,
            Self::Load(_) | Self::Sweep(_) | Self::Observed(_) | Self::History(_) => false,
            Self::Fuzz(fuzz) => fuzz.result.executions == 0,
            Self::Replay(replay) => replay.items.is_empty(),
            Self::Gate(gate) => gate.is_empty(),
        }
    }

    /// An error that the result itself shows: a base that broke in the middle of a gate.
    pub(super) fn error(&self) -> Option<RunError> {
        match self {
            Self::Gate(gate) => gate.error(),
            _ => None,
        }
    }
}

/// The result of a sweep of the results of system calls.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(crate) struct CallSweepReport {
    /// The table.
    #[serde(rename = "sweep")]
    pub result: CallSweepResult,
}

impl CallSweepReport {
    fn verdict(&self, interrupted: bool) -> RunVerdict {
        let rows = &self.result.rows;
        let is_flaky = |row: &SweepRow| row.outcome == SweepOutcome::Flaky;
        if self.result.failed > 0 {
            RunVerdict::Fail
        } else if interrupted
            || rows.is_empty()
            || self.result.left > 0
            || rows.iter().any(is_flaky)
        {
            RunVerdict::Inconclusive
        } else {
            RunVerdict::Pass
        }
    }

    /// The result in a few words.
    pub(super) fn answer(&self) -> String {
        let result = &self.result;
        if let Some(reason) = &result.skipped {
            return match self.untried() {
                Some(untried) if !result.unanswered.is_empty() => format!("{reason}; {untried}"),
                _ => reason.clone(),
            };
        }
        let count = |outcome| rows_with(result, outcome).count();
        let mut parts = vec![format!(
            "{} calls in an exchange, {} results: {} served, {} lost their connection only",
            result.calls.len(),
            result.rows.len(),
            count(SweepOutcome::Served),
            count(SweepOutcome::Lost),
        )];
        for (outcome, word) in [
            (SweepOutcome::Refused, "refused"),
            (SweepOutcome::Fail, "failed"),
            (SweepOutcome::Flaky, "flaky"),
            (SweepOutcome::NotReached, "not reached"),
        ] {
            if count(outcome) > 0 {
                parts.push(format!("{} {word}", count(outcome)));
            }
        }
        if result.left > 0 {
            parts.push(format!("{} not run", result.left));
        }
        parts.join(", ")
    }

    /// The calls that were seen, or cannot be seen, and were not tried.
    pub(super) fn untried(&self) -> Option<String> {
        let result = &self.result;
        let names: Vec<&str> = result.unanswered.iter().map(AsRef::as_ref).collect();
        let mut parts = Vec::new();
        if !names.is_empty() {
            parts.push(format!(
                "seen, but no other result can be given: {}",
                names.join(", ")
            ));
        }
        if result.has_rings {
            parts.push("calls through io_uring cannot be seen".to_owned());
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// The calls of the table in their order, each with its results and what became of them.
    pub(super) fn lines(&self) -> Vec<(String, Vec<&SweepRow>)> {
        let mut lines: Vec<(String, Vec<&SweepRow>)> = Vec::new();
        for row in &self.result.rows {
            let call = format!("{}:{}", row.case.call, row.case.occurrence);
            match lines.last_mut().filter(|(last, _)| *last == call) {
                Some((_, rows)) => rows.push(row),
                None => lines.push((call, vec![row])),
            }
        }
        lines
    }

    /// The rows that failed.
    pub(super) fn failures(&self) -> impl Iterator<Item = &SweepRow> {
        rows_with(&self.result, SweepOutcome::Fail)
    }
}

fn rows_with(result: &CallSweepResult, outcome: SweepOutcome) -> impl Iterator<Item = &SweepRow> {
    result.rows.iter().filter(move |row| row.outcome == outcome)
}

/// Battery, campaign and sweep in one go.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(crate) struct Whole {
    /// The battery.
    #[serde(flatten)]
    pub checked: CheckReport,
    /// A short campaign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuzz: Option<Report>,
    /// A quick sweep. It is for reading: no verdict depends on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bench: Option<Report>,
}

impl Whole {
    /// The reports of what followed the battery.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &Report> {
        self.fuzz.iter().chain(&self.bench)
    }

    /// The result of the campaign, if there was one.
    pub(crate) fn campaign(&self) -> Option<&FuzzReport> {
        match &self.fuzz.as_ref()?.body {
            Body::Fuzz(fuzz) => Some(fuzz),
            _ => None,
        }
    }

    /// A campaign that could not be held, because the server serves one client only, takes nothing
    /// away from the battery.
    fn verdict(&self, interrupted: bool) -> RunVerdict {
        let fuzzed = self.fuzz.as_ref().map(|fuzz| fuzz.verdict);
        match (self.checked.verdict(false), fuzzed) {
            (RunVerdict::Fail, _) | (_, Some(RunVerdict::Fail)) => RunVerdict::Fail,
            (RunVerdict::Pass, Some(RunVerdict::Inconclusive)) => RunVerdict::Inconclusive,
            (RunVerdict::Pass, _) if interrupted => RunVerdict::Inconclusive,
            (verdict, _) => verdict,
        }
    }
}

/// The result of a sweep.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(crate) struct SweepReport {
    /// The cells and the recommendation.
    #[serde(flatten)]
    pub result: SweepResult,
    /// Of a part of a sweep: what is needed to merge it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<Box<Measured>>,
}

impl SweepReport {
    /// A recommendation needs cells that can be trusted.
    fn verdict(&self) -> RunVerdict {
        if self.result.cells.iter().any(|cell| cell.valid) {
            RunVerdict::Pass
        } else {
            RunVerdict::Inconclusive
        }
    }
}

/// The result of a load.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(crate) struct LoadReport {
    /// What the server was asked; it is in the plan.
    #[serde(skip)]
    pub workload: Workload,
    /// What was measured.
    #[serde(flatten)]
    pub result: LoadResult,
    /// The highest rate that meets an objective, where that was asked for.
    pub slo: Option<SloReport>,
    /// What happens beyond the capacity, where that was asked for.
    pub overload: Option<OverloadReport>,
    /// Of a part of a load: what is needed to merge it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<Box<PartRecord>>,
    /// Of a merged load: its parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts: Option<Parts>,
}

/// What the server of a load used that other processes generated.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(crate) struct ObserverReport {
    /// What a merge needs.
    pub part: PartRecord,
}

impl ObserverReport {
    /// The server must run until the end.
    fn verdict(&self) -> RunVerdict {
        match self.part.measured.died {
            Some(_) => RunVerdict::Fail,
            None => RunVerdict::Pass,
        }
    }

    /// What was seen, in a sentence without an end.
    pub(crate) fn seen(&self) -> String {
        let measured = &self.part.measured;
        if let Some(how) = &measured.died {
            return format!("the server {how} after {:.1} s", measured.seconds);
        }
        let Some(server) = &measured.server else {
            return "what the server uses cannot be read".into();
        };
        format!(
            "in {:.1} s the server used {:.2} s of CPU time, {} of memory, {} threads",
            measured.seconds,
            server.cpu.as_secs_f64(),
            bytes(server.rss_bytes as f64),
            server.threads
        )
    }
}

impl LoadReport {
    /// An objective that no rate meets fails; figures that cannot be trusted are inconclusive.
    fn verdict(&self) -> RunVerdict {
        let slo = self.slo.as_ref();
        let open = slo.is_some_and(|slo| slo.inconclusive.is_some())
            || self
                .overload
                .as_ref()
                .is_some_and(|over| over.inconclusive.is_some());
        match slo {
            Some(slo) if !open && slo.highest_passing_per_s.is_none() => RunVerdict::Fail,
            _ if open || !self.result.validity.valid => RunVerdict::Inconclusive,
            _ => RunVerdict::Pass,
        }
    }
}
