//! What a gate came to, in words.

use std::fmt::Write as _;

use serde::Serialize;

use super::RunVerdict;
use super::number::{bytes, digits, micros};
use crate::gate::metric::Metric;
use crate::gate::result::{BASE, CANDIDATE};
use crate::gate::rule::Verdict;
use crate::gate::{GateCell, GateResult};

/// What a gate came to.
#[derive(Clone, Debug, Serialize)]
pub struct GateReport {
    /// The base's command, as a reader would write it; `None` if it is a stored baseline.
    pub base: Option<String>,
    /// The candidate's.
    pub candidate: String,
    /// What was counted and stored, where there was nothing to compare with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stored: Option<Stored>,
    /// What was measured.
    #[serde(flatten)]
    pub result: GateResult,
}

/// A baseline that was written.
#[derive(Clone, Debug, Serialize)]
pub struct Stored {
    /// Where it is.
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
        match self.result.verdict() {
            Verdict::Fail => RunVerdict::Fail,
            _ if interrupted => RunVerdict::Inconclusive,
            Verdict::Pass => RunVerdict::Pass,
            Verdict::Inconclusive => RunVerdict::Inconclusive,
        }
    }

    /// Whether nothing was compared.
    pub(super) fn is_empty(&self) -> bool {
        self.stored.is_none()
            && self.result.broken.is_none()
            && self.result.cells.iter().all(|cell| cell.base.is_none())
    }

    /// The answer, in one or two sentences.
    pub fn answer(&self) -> String {
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
                CANDIDATE => format!("the candidate {} while the base did not", broken.what),
                _ => format!(
                    "the {BASE} {}: there is nothing to compare with",
                    broken.what
                ),
            };
        }
        let of = |verdict: Verdict| {
            let cells = result.cells.iter().filter(move |cell| cell.decides);
            cells.filter(move |cell| cell.cell.verdict == verdict && result.stands(cell))
        };
        let list = |cells: Vec<String>| cells.join("; ");
        let failed: Vec<String> = of(Verdict::Fail).map(told).collect();
        if !failed.is_empty() {
            return format!("it got worse: {}", list(failed));
        }
        if let Some(control) = result.control.as_ref().filter(|control| control.void) {
            let seen = control.seen_pct.map_or_else(|| "nothing".into(), percent);
            return format!(
                "nothing can be said: of {} that were planted as a control {seen} were seen; {}",
                percent(control.planted_pct),
                control.reason.as_deref().unwrap_or_default()
            );
        }
        let open: Vec<&GateCell> = of(Verdict::Inconclusive).collect();
        if !open.is_empty() {
            let settles = open.iter().filter_map(|cell| cell.settles_in_s);
            let seconds = settles.fold(0.0, f64::max);
            let next = if seconds > 0.0 {
                format!(
                    "; about {seconds:.0} s would settle it (--max-time {}s)",
                    seconds.ceil()
                )
            } else {
                String::new()
            };
            let open = open.into_iter().map(|cell| told(cell) + &seen(cell));
            return format!("cannot tell: {}{next}", list(open.collect()));
        }
        let passed: Vec<&GateCell> = of(Verdict::Pass).collect();
        match passed
            .iter()
            .find(|cell| cell.metric == Metric::ServerCpu)
            .or(passed.first())
        {
            Some(cell) => format!(
                "nothing got worse than its budget: {}{}",
                told(cell),
                seen(cell)
            ),
            None => "nothing was compared".into(),
        }
    }
}

/// The smallest change that would have been found.
fn seen(cell: &GateCell) -> String {
    let mde = cell.cell.mde_pct;
    mde.map_or_else(String::new, |mde| {
        format!("; a loss of {} would have been found", percent(mde))
    })
}

/// A metric and how much it changed.
fn told(cell: &GateCell) -> String {
    let mut text = format!("{} {}", name(cell), change(cell));
    let _ = write!(text, " (budget {})", percent(cell.cell.budget_pct));
    if let Some(reason) = &cell.reason {
        let _ = write!(text, ": {reason}");
    }
    text
}

/// What was compared: the metric, and the load where there are several.
pub(super) fn name(cell: &GateCell) -> String {
    let about = cell.metric.about();
    match &cell.at {
        Some(at) => format!("{about} ({at})"),
        None => about.to_owned(),
    }
}

/// The estimate with its interval: `+3.1 % [+2.6, +3.6]`.
pub(super) fn change(cell: &GateCell) -> String {
    let Some(estimate) = cell.cell.estimate_pct else {
        return "not measured".into();
    };
    match (cell.cell.low_pct, cell.cell.high_pct) {
        (Some(low), Some(high)) => {
            format!("{} % [{}, {}]", signed(estimate), signed(low), signed(high))
        }
        _ => format!("{} %", signed(estimate)),
    }
}

/// A figure of a metric with its unit.
pub(super) fn figure(cell: &GateCell, value: Option<f64>) -> String {
    match (value, cell.unit) {
        (None, _) => "-".into(),
        (Some(value), "us") => micros(value),
        (Some(value), "bytes") => bytes(value.round()),
        (Some(value), _) if value < 1e4 => digits(value),
        (Some(value), _) => format!("{value:.0}"),
    }
}

/// `2 %`, `0.5 %`.
pub(super) fn percent(value: f64) -> String {
    let rounded = (value * 100.0).round() / 100.0;
    format!("{rounded} %")
}

/// With its sign, and as many digits as are worth reading.
fn signed(value: f64) -> String {
    match value.abs() {
        size if size < 0.095 => format!("{value:+.2}"),
        size if size < 99.5 => format!("{value:+.1}"),
        _ => format!("{value:+.0}"),
    }
}

/// What it may be worse by, of a metric that decides.
pub(super) fn budget(cell: &GateCell) -> String {
    match cell.decides {
        true => percent(cell.cell.budget_pct),
        false => "shown only".to_owned(),
    }
}

/// The verdict of a cell in a word; of one that does not decide, what it would be.
pub(super) fn word(cell: &GateCell) -> &'static str {
    match (cell.cell.verdict, cell.decides) {
        (Verdict::Pass, _) => "pass",
        (Verdict::Fail, true) => "FAIL",
        (Verdict::Fail, false) => "worse",
        (Verdict::Inconclusive, true) => "inconclusive",
        (Verdict::Inconclusive, false) => "open",
    }
}

/// How the duet was held, in one line.
pub(super) fn how(result: &GateResult) -> Option<String> {
    let held = result.duet.as_ref()?;
    let mut text = format!(
        "{} sessions of base and candidate at the same time",
        held.real
    );
    if held.fresh > 0 {
        let _ = write!(text, ", {} fresh ones to make sure", held.fresh);
    }
    if let Some(control) = &result.control {
        let seen = control.seen_pct.map_or_else(|| "none".into(), percent);
        let _ = write!(
            text,
            "; control: {seen} seen of {} planted in {} sessions",
            percent(control.planted_pct),
            control.sessions
        );
    }
    if let Some((servers, clients)) = held.cores {
        let _ = write!(
            text,
            "; servers on core {servers}, clients on core {clients}"
        );
    }
    Some(text)
}

/// How the loads were held, in one line.
pub(super) fn how_loaded(result: &GateResult) -> Option<String> {
    let loaded = result.matrix.as_ref().filter(|loaded| loaded.rounds > 0)?;
    let mut text = format!(
        "{} rounds of {} loads on base and candidate in turn, {:.0} ms each",
        loaded.rounds,
        loaded.cells,
        loaded.visit_s * 1e3
    );
    if loaded.fresh > 0 {
        let _ = write!(text, ", {} fresh ones to make sure", loaded.fresh);
    }
    if loaded.disturbed > 0 {
        let _ = write!(text, "; the machine disturbed {} of them", loaded.disturbed);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Broken;
    use crate::report::sample::gated;

    #[test]
    fn a_server_that_broke_is_named_before_all_else() {
        let mut report = gated(4.0, 1e-3, 2.0);
        for (side, says) in [
            (CANDIDATE, "the candidate died: signal 11 while the base"),
            (BASE, "there is nothing to compare with"),
        ] {
            let what = "died: signal 11".to_owned();
            report.result.broken = Some(Broken { side, what });
            assert!(report.answer().contains(says), "{}", report.answer());
        }
    }
}
