//! What a gate has measured: its verdicts follow from this and from its plan, alone or together with other gates. Pure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::counters::PerOp;
use super::counters::judge::{self, spread};
use super::duet::{DuetEnd, DuetSamples, SessionSample};
use super::matrix::MatrixRecords;
use super::metric::Metric;
use super::plan::GatePlan;
use super::result::GateCell;
use super::rule::CellVerdict;
use super::side::Pair;
use crate::data::exact;

/// What a gate has measured.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct GateSamples {
    /// `None` if there was no duet.
    pub(super) duet: Option<DuetRecord>,
    /// The counted metrics.
    pub(super) counted: Vec<Counted>,
    /// `None` if there were no loads.
    pub(super) matrix: Option<MatrixRecords>,
}

/// The sessions of a duet.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema, Serialize, Deserialize)]
pub(super) struct DuetRecord {
    /// Sessions of the first stage.
    pub first: Vec<SessionSample>,
    /// Fresh sessions.
    pub fresh: Vec<SessionSample>,
    /// ln(side with extra work / other side) of CPU time per operation, one for each control session.
    #[serde(with = "exact::list")]
    #[schemars(with = "Vec<exact::Written>")]
    pub control: Vec<f64>,
    /// Why the first stage ended.
    pub first_ended: DuetEnd,
    /// Why there were no more fresh sessions.
    pub fresh_ended: DuetEnd,
}

/// A counted metric.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub(super) struct Counted {
    /// The metric.
    pub metric: Metric,
    /// The cost of an operation.
    pub per_op: Pair<PerOp>,
    /// Counted runs of the candidate.
    pub runs: usize,
    /// Why a suspected regression could not be counted again.
    pub unconfirmed: Option<String>,
}

impl GateSamples {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl DuetRecord {
    pub(super) fn of(first: DuetSamples, fresh: DuetSamples) -> Self {
        Self {
            control: first.control,
            first_ended: first.ended,
            fresh_ended: fresh.ended,
            first: first.real,
            fresh: fresh.real,
        }
    }

    /// All sessions of base and candidate.
    pub(super) fn real(&self) -> impl Iterator<Item = &SessionSample> {
        self.first.iter().chain(&self.fresh)
    }
}

/// The cell of a counted metric, of one gate or of several.
///
/// Counts have a range and no distribution. That of several gates is the range of the changes in each of them: other
/// processors may count otherwise, for base and candidate alike.
pub(super) fn counted_cell(gates: &[&Counted], plan: &GatePlan) -> Option<GateCell> {
    let metric = gates.first()?.metric;
    let budget = plan.budget(metric);
    let each = gates
        .iter()
        .map(|one| judge::judge(&one.per_op.base, &one.per_op.candidate, budget));
    let judged = judge::together(&each.collect::<Vec<_>>())?;
    let open = judged.verdict == CellVerdict::Inconclusive;
    let per_op = || gates.iter().map(|one| one.per_op);
    let mean = |figure: fn(&Pair<PerOp>) -> f64| {
        per_op().map(|both| figure(&both)).sum::<f64>() / gates.len() as f64
    };
    let spreads = per_op().map(|both| spread(&both.base).max(spread(&both.candidate)));
    let runs = gates.iter().map(|one| one.runs).sum();
    let mut cell = GateCell {
        metric,
        tier: metric.tier(),
        at: None,
        unit: metric.unit(),
        // Where the counts of a server vary by more than the budget they do not decide: the duet does, if there is one.
        decides: plan.decides(metric) && (!open || plan.duet.is_none()),
        base: Some(mean(|both| both.base.estimate)),
        candidate: Some(mean(|both| both.candidate.estimate)),
        spread_pct: spreads.reduce(f64::max),
        settles_in_s: None,
        reason: judged.reason.clone(),
        comparison: judged.comparison(runs),
    };
    let unconfirmed = gates.iter().find_map(|one| one.unconfirmed.as_ref());
    if let Some(why) = unconfirmed.filter(|_| cell.fails()) {
        cell.comparison.verdict = CellVerdict::Inconclusive;
        cell.reason = Some(format!(
            "a suspected regression, which could not be counted again to make sure: {why}"
        ));
    }
    Some(cell)
}
