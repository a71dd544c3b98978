//! What a gate came to. Plain data.

use serde::Serialize;

use super::metric::{Metric, Tier};
use super::rule::{Cell, Control, Verdict, Void};

/// What a gate came to.
#[derive(Debug, Clone, Default, Serialize)]
pub struct GateResult {
    /// What was compared, each with its verdict.
    pub cells: Vec<GateCell>,
    /// Whether the duet would have seen a change; `None` if there was no duet.
    pub control: Option<ControlReport>,
    /// How the duet was held; `None` if there was none.
    pub duet: Option<Held>,
    /// How the loads were held; `None` if there were none.
    pub matrix: Option<Loaded>,
    /// A server that could not be gated.
    pub broken: Option<Broken>,
    /// What was left out, and why.
    pub skipped: Vec<Skipped>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// One metric.
#[derive(Debug, Clone, Serialize)]
pub struct GateCell {
    /// Which.
    pub metric: Metric,
    /// Where it comes from.
    pub tier: Tier,
    /// The load, where there are several: `payload 64 B, 50 connections`.
    pub at: Option<String>,
    /// Its unit; empty for a count.
    pub unit: &'static str,
    /// Whether the verdict of the gate depends on it.
    pub decides: bool,
    /// The base's figure: the median of sessions, or a count.
    pub base: Option<f64>,
    /// The candidate's figure.
    pub candidate: Option<f64>,
    /// The comparison.
    #[serde(flatten)]
    pub cell: Cell,
    /// The standard deviation of sessions, in percent, estimated by their interval.
    pub spread_pct: Option<f64>,
    /// If inconclusive: about how many seconds would settle it.
    pub settles_in_s: Option<f64>,
    /// Why it is inconclusive, where that is not a matter of numbers.
    pub reason: Option<String>,
}

/// The control, as it is reported.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ControlReport {
    /// What was planted, in percent.
    pub planted_pct: f64,
    /// What was seen of it, in percent.
    pub seen_pct: Option<f64>,
    /// Whether the duet says nothing.
    pub void: bool,
    /// Why, in words.
    pub reason: Option<String>,
    /// Control sessions.
    pub sessions: usize,
}

/// How the duet was held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Held {
    /// Sessions of base and candidate.
    pub real: usize,
    /// Control sessions.
    pub control: usize,
    /// Fresh sessions.
    pub fresh: usize,
    /// Sessions that came to nothing and were held again.
    pub repeated: usize,
    /// Exchanges of each side that were counted, in all real sessions.
    pub exchanges: u64,
    /// Seconds that a session took, start and end of both servers included.
    pub session_s: f64,
    /// The core of both servers, and that of both clients; `None` where there was only one.
    pub cores: Option<(usize, usize)>,
    /// Whether the servers lay at the same addresses in all sessions; the system may not allow it.
    pub fixed_addresses: bool,
    /// The share of all CPU time that a hypervisor gave to others, in percent.
    pub steal_pct: f64,
    /// Times that our control group was held back.
    pub throttled: u64,
}

/// How the loads of the matrix were held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Loaded {
    /// Loads that were compared.
    pub cells: usize,
    /// Rounds of the first stage: in each, every load was put on both servers twice.
    pub rounds: usize,
    /// Fresh rounds, of all suspects together.
    pub fresh: usize,
    /// Seconds that were measured in each visit.
    pub visit_s: f64,
    /// Visits that came to nothing and were made again.
    pub repeated: usize,
    /// Visits in which the machine got in our way: others had the client's core, or a hypervisor.
    pub disturbed: usize,
}

/// A server that could not be gated.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Broken {
    /// `base` or `candidate`.
    pub side: &'static str,
    /// What it did.
    pub what: String,
}

/// Something that was left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Skipped {
    /// What.
    pub tier: Tier,
    /// Why.
    pub reason: String,
}

impl ControlReport {
    /// With the reason in words.
    pub fn of(control: &Control) -> Self {
        let reason = control.void.map(|void| match void {
            Void::TooFew => format!("only {} control sessions were held", control.sessions),
            Void::NoNumber => "a control session gave no figure".to_owned(),
            Void::TooLittle => {
                "less was seen of the planted work than there was: a change of the candidate would not be seen either".to_owned()
            }
            Void::TooMuch => {
                "more was seen than was planted: the machine disturbs one side more than the other".to_owned()
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
    /// Whether this stands in the way of a pass.
    pub fn is_open(&self) -> bool {
        self.decides && self.cell.verdict == Verdict::Inconclusive
    }

    /// Whether the gate fails by it.
    pub fn fails(&self) -> bool {
        self.decides && self.cell.verdict == Verdict::Fail
    }
}

impl GateResult {
    /// Whether the control voids what the duet says.
    pub fn is_void(&self) -> bool {
        self.control.as_ref().is_some_and(|control| control.void)
    }

    /// Whether what a cell says can be relied on. What a void control saw wrong may be wrong in every cell of
    /// the duet: a loss stands only if it is over its budget by more than twice that, and nothing else does.
    pub fn stands(&self, cell: &GateCell) -> bool {
        let Some(control) = self.control.as_ref().filter(|control| control.void) else {
            return true;
        };
        if cell.tier != Tier::Duet {
            return true;
        }
        let wrong = control
            .seen_pct
            .map(|seen| (seen - control.planted_pct).abs());
        let least = cell.cell.low_pct.zip(wrong);
        cell.cell.verdict == Verdict::Fail
            && least.is_some_and(|(low, wrong)| low > cell.cell.budget_pct + 2.0 * wrong)
    }

    /// The verdict: a candidate that broke fails, and so does a metric over its budget. A pass needs a pass of
    /// everything that decides, and a control that saw what was planted.
    pub fn verdict(&self) -> Verdict {
        let broken = self.broken.as_ref();
        let fails = |cell: &GateCell| cell.fails() && self.stands(cell);
        if broken.is_some_and(|broken| broken.side == CANDIDATE) || self.cells.iter().any(fails) {
            return Verdict::Fail;
        }
        let decided = self.cells.iter().any(|cell| cell.decides);
        let open = self.cells.iter().any(GateCell::is_open);
        if broken.is_some() || open || self.is_void() || !decided {
            return Verdict::Inconclusive;
        }
        Verdict::Pass
    }
}

/// The name of the server as it was.
pub const BASE: &str = "base";
/// The name of the server as it is to be.
pub const CANDIDATE: &str = "candidate";

#[cfg(test)]
mod tests {
    use super::super::rule::Rule;
    use super::*;

    /// A metric that was seen to be worse by about so many percent, in both stages.
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
            unit: "us",
            decides: true,
            base: Some(1.0),
            candidate: Some(1.0),
            cell: Rule { budget: 0.02 }.cell(&ratios(20), &ratios(12)),
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
            (0.0, 2.1, Verdict::Pass),
            (4.0, 2.1, Verdict::Fail),
            (1.98, 2.1, Verdict::Inconclusive),
            (0.0, 0.1, Verdict::Inconclusive),
            // 1.9 were not seen: that much may be wrong either way.
            (4.0, 0.1, Verdict::Inconclusive),
            (8.0, 0.1, Verdict::Fail),
        ] {
            assert_eq!(gate(percent, seen).verdict(), verdict, "{percent} {seen}");
        }
    }

    #[test]
    fn what_does_not_decide_neither_fails_nor_passes() {
        let mut result = gate(9.0, 2.0);
        result.cells[0].decides = false;
        assert_eq!(result.verdict(), Verdict::Inconclusive);
        result.cells.push(cell(0.0));
        assert_eq!(result.verdict(), Verdict::Pass);
        result.broken = Some(Broken {
            side: CANDIDATE,
            what: "died".into(),
        });
        assert_eq!(result.verdict(), Verdict::Fail);
    }
}
