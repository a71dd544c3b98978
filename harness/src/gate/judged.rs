//! What the sessions of a duet say about each metric, of one gate or of several. Pure.

use std::time::Duration;

use super::duet::{DuetEnd, SessionSample};
use super::metric::{ALL, Metric, Tier};
use super::plan::GatePlan;
use super::result::{GateCell, GateResult};
use super::rule::{CellVerdict, Comparison, Rule};
use super::samples::DuetRecord;
use super::side::Side;
use super::weigh::weigh;
use crate::stats::median;

/// The metrics that a duet measures.
pub(super) fn duet_metrics() -> impl Iterator<Item = Metric> {
    ALL.into_iter().filter(|metric| metric.tier() == Tier::Duet)
}

/// Whether a metric is CPU time, which processes that come and go take with them.
pub(super) fn is_cpu(metric: Metric) -> bool {
    matches!(metric, Metric::ServerCpu | Metric::ServerCpuAll)
}

/// Decides which failures count, and sorts the cells, once all are there.
pub(super) fn settle(result: &mut GateResult, plan: &GatePlan) {
    weigh(&mut result.cells, result.control.as_ref(), plan);
    result.cells.sort_by_key(|cell| {
        let place = ALL.iter().position(|metric| *metric == cell.metric);
        place.unwrap_or(ALL.len())
    });
}

/// The cells of the duets of these gates. `session_s` is the duration of a session, from which follows how long a gate would
/// take that gives a verdict.
pub(super) fn duet_cells(
    gates: &[&DuetRecord],
    plan: &GatePlan,
    session_s: Option<f64>,
) -> Vec<GateCell> {
    let cell = |metric| cell(metric, gates, plan, session_s);
    duet_metrics().map(cell).collect()
}

fn cell(
    metric: Metric,
    gates: &[&DuetRecord],
    plan: &GatePlan,
    session_s: Option<f64>,
) -> GateCell {
    let rule = Rule {
        budget: plan.budget(metric),
    };
    let mut comparison = match gates {
        [only] => compared(rule, metric, only),
        several => {
            let sessions = several.iter().map(|gate| log_ratios(metric, gate.real()));
            rule.compare_gates(&sessions.collect::<Vec<_>>())
        }
    };
    let real = || gates.iter().flat_map(|gate| gate.real());
    let figure = |side: Side| {
        let values: Vec<f64> = real()
            .map(|sample| metric.figure(&sample.sides[side]))
            .collect();
        median(&values)
    };
    let unsteady = real().find_map(|sample| sample.unsteady);
    let reason = unsteady.filter(|_| is_cpu(metric)).map(|side| {
        comparison.verdict = CellVerdict::Inconclusive;
        format!(
            "processes of the {side} start and exit during sessions: the CPU time of those that exit is not in the figure"
        )
    });
    let settles = comparison.sessions_to_settle.filter(|_| reason.is_none());
    GateCell {
        metric,
        tier: metric.tier(),
        at: None,
        unit: metric.unit(),
        decides: plan.decides(metric),
        base: figure(Side::Base),
        candidate: figure(Side::Candidate),
        spread_pct: comparison.spread_pct(),
        settles_in_s: settles.zip(session_s).map(|(first, session_s)| {
            let session = Duration::from_secs_f64(session_s.max(0.0));
            plan.seconds_for(first, session)
        }),
        reason,
        comparison,
    }
}

/// A gate by itself.
fn compared(rule: Rule, metric: Metric, gate: &DuetRecord) -> Comparison {
    let ratios = log_ratios(metric, gate.first.iter());
    let again = log_ratios(metric, gate.fresh.iter());
    match (gate.first_ended, gate.fresh_ended) {
        (DuetEnd::Planned, DuetEnd::Planned | DuetEnd::Clear) => rule.compare(&ratios, &again),
        (DuetEnd::Planned, DuetEnd::OutOfTime) => rule.compare_cut(&ratios, &again),
        (DuetEnd::Clear | DuetEnd::OutOfTime, _) => rule.compare_early(&ratios),
    }
}

fn log_ratios<'a>(metric: Metric, samples: impl Iterator<Item = &'a SessionSample>) -> Vec<f64> {
    samples.map(|sample| sample.log_ratio(metric)).collect()
}
