//! Made-up gates, for tests.

use std::collections::BTreeMap;
use std::time::Duration;

use super::counters::PerOp;
use super::duet::{DuetEnd, SessionSample, SideFigures};
use super::judged::{duet_cells, settle};
use super::matrix::sample::matrix_of;
use super::matrix::{MatrixRecords, matrix_cells};
use super::metric::Metric;
use super::plan::{GatePlan, GateRequest, MatrixCell};
use super::result::{ControlReport, DuetSummary, GateResult, SkippedTier};
use super::rule::Rule;
use super::samples::{Counted, DuetRecord, GateSamples, counted_cell};
use super::side::{Pair, Side};
use crate::load::Workload;

/// What a made-up gate measures.
#[derive(Clone, Debug, Default)]
pub(crate) struct MadeGate {
    /// Log ratios of the first stage, of the fresh sessions, and of the control.
    pub first: Vec<f64>,
    pub fresh: Vec<f64>,
    pub control: Vec<f64>,
    /// Whether its time was over before all sessions had run.
    pub is_cut: bool,
    /// Instructions per operation of the candidate; the base takes 1,000.
    pub instructions: Option<f64>,
    /// Log ratios of rounds of a load.
    pub rounds: Vec<f64>,
}

/// A plan with a duet and loads. A budget of throughput makes the loads decide.
pub(crate) fn plan() -> GatePlan {
    let request = GateRequest {
        budgets: BTreeMap::from([(Metric::Throughput, 0.1)]),
        workload: Workload::default(),
        cells: vec![cell()],
        max_time: Duration::from_secs(120),
        exchange: Duration::from_millis(1),
        counts: true,
        sessions: None,
    };
    GatePlan::new(request, Duration::from_millis(30)).unwrap()
}

fn cell() -> MatrixCell {
    MatrixCell::new(Some(64), vec![0], 10)
}

impl MadeGate {
    /// The result of a gate that measured this, as `Gate::run` makes it.
    pub(crate) fn result(&self, plan: &GatePlan) -> (GateResult, GateSamples) {
        let mut samples = GateSamples::default();
        let mut result = GateResult {
            skipped: vec![SkippedTier {
                tier: Metric::Allocations.tier(),
                reason: format!("a reason with {} sessions", self.first.len() % 2),
            }],
            notes: vec!["a note".into()],
            ..GateResult::default()
        };
        let record = self.duet();
        let summary = DuetSummary {
            real: self.first.len(),
            control: self.control.len(),
            fresh: self.fresh.len(),
            exchanges: 1000 * self.first.len() as u64,
            session_s: 1.125,
            ended: record.first_ended,
            steal_pct: 0.1,
            ..DuetSummary::default()
        };
        let session_s = Some(summary.session_s);
        result.cells.extend(duet_cells(&[&record], plan, session_s));
        let rule = Rule {
            budget: plan.budget(Metric::ServerCpu),
        };
        result.control = Some(ControlReport::of(&rule.control(&record.control)));
        result.duet = Some(summary);
        samples.duet = Some(record);
        if let Some(counted) = self.counted() {
            result.cells.extend(counted_cell(&[&counted], plan));
            samples.counted.push(counted);
        }
        if !self.rounds.is_empty() {
            let records = MatrixRecords {
                cells: vec![matrix_of(cell(), &self.rounds)],
                left_out: Vec::new(),
            };
            result.cells.extend(matrix_cells(&[&records], plan));
            samples.matrix = Some(records);
        }
        settle(&mut result, plan);
        (result, samples)
    }

    fn duet(&self) -> DuetRecord {
        let sessions = |ratios: &[f64]| ratios.iter().map(|ratio| session(*ratio)).collect();
        DuetRecord {
            first: sessions(&self.first),
            fresh: sessions(&self.fresh),
            control: self.control.clone(),
            first_ended: if self.is_cut {
                DuetEnd::OutOfTime
            } else {
                DuetEnd::Planned
            },
            fresh_ended: DuetEnd::Planned,
        }
    }

    fn counted(&self) -> Option<Counted> {
        let exactly = |count: f64| PerOp {
            estimate: count,
            low: count * 0.9999,
            high: count,
        };
        self.instructions.map(|candidate| Counted {
            metric: Metric::Instructions,
            per_op: Pair {
                base: exactly(1_000.0),
                candidate: exactly(candidate),
            },
            runs: 4,
            unconfirmed: None,
        })
    }
}

/// A session whose figures differ by this log ratio.
fn session(log_ratio: f64) -> SessionSample {
    let side = |side: Side| {
        let factor = match side {
            Side::Base => 1.0,
            Side::Candidate => log_ratio.exp(),
        };
        SideFigures {
            cpu_us: 12.3 * factor,
            p50_us: 40.1 * factor,
            // Where a session measured nothing, nothing is known.
            rss_bytes: if log_ratio.is_finite() { 4e6 } else { f64::NAN },
            start_us: 5_000.7,
            descriptors: 7.0,
            threads: 2.0,
            wire_bytes: 64.5,
            ..SideFigures::default()
        }
    };
    SessionSample {
        sides: Pair::of(side),
        cpu_log_ratio: log_ratio,
        planted_share: 0.02,
        exchanges: 1000,
        unsteady: None,
    }
}
