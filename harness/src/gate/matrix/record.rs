//! All rounds of one cell of the matrix, and how they are judged. Pure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::visit::{METRICS, Round, Visit};
use crate::gate::metric::Metric;
use crate::gate::plan::{GatePlan, MatrixCell};
use crate::gate::result::GateCell;
use crate::gate::rule::{CellVerdict, FirstStage, Rule};
use crate::gate::side::Side;
use crate::stats::{hodges_lehmann, median};

/// All cells, and those that were left out.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema, Serialize, Deserialize)]
pub(in crate::gate) struct MatrixRecords {
    /// The cells that were measured.
    pub cells: Vec<MatrixRecord>,
    /// Cells that the base cannot handle, and why.
    pub left_out: Vec<(MatrixCell, String)>,
}

/// One cell, round by round.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub(in crate::gate) struct MatrixRecord {
    /// The load of the cell.
    pub cell: MatrixCell,
    /// Rounds of the first stage.
    pub(super) first: Vec<Round>,
    /// Rounds on fresh servers.
    pub(super) fresh: Vec<Round>,
}

impl MatrixRecord {
    pub(crate) fn new(cell: MatrixCell) -> Self {
        Self {
            cell,
            first: Vec::new(),
            fresh: Vec::new(),
        }
    }

    /// How far the cell exceeds its budgets, if it is suspect. A metric that decides outranks any that does not.
    pub(crate) fn suspicion(&self, plan: &GatePlan) -> Option<f64> {
        let of = |(place, metric): (usize, Metric)| {
            let (rule, ratios) = (rule(plan, metric), log_ratios(&self.first, place));
            if rule.first(&ratios) != FirstStage::Suspect {
                return None;
            }
            let seen = hodges_lehmann(&ratios, 0.9)?.estimate;
            let decides = plan.decides(metric) && !self.is_limited();
            Some(seen / rule.budget.ln_1p() + if decides { 1e6 } else { 0.0 })
        };
        METRICS
            .into_iter()
            .enumerate()
            .filter_map(of)
            .max_by(f64::total_cmp)
    }

    /// Whether the client was the limit in most visits to one of the servers: then the figures are the client's
    /// speed.
    pub(crate) fn is_limited(&self) -> bool {
        is_limited(&[self])
    }

    /// Visits that the machine disturbed.
    pub(crate) fn disturbed(&self) -> usize {
        self.visits().filter(|visit| visit.disturbed).count()
    }

    /// A note where the client was the limit.
    pub(crate) fn note(&self) -> Option<String> {
        let (limited, visits) = limited(&[self]);
        (limited > 0).then(|| {
            format!(
                "{}: the client's core was the limit in {limited} of {visits} visits",
                self.cell.at
            )
        })
    }

    fn rounds(&self) -> impl Iterator<Item = &Round> {
        self.first.iter().chain(&self.fresh)
    }

    fn visits(&self) -> impl Iterator<Item = &Visit> {
        self.rounds()
            .flat_map(|round| round.visits.base.iter().chain(&round.visits.candidate))
    }
}

fn is_limited(gates: &[&MatrixRecord]) -> bool {
    let (limited, visits) = limited(gates);
    2 * limited > visits
}

/// Visits in which the client was the limit, and all visits, of the side where that was more frequent.
fn limited(gates: &[&MatrixRecord]) -> (usize, usize) {
    let of = |side: Side| {
        let rounds = || gates.iter().flat_map(|record| record.rounds());
        let visits = || rounds().flat_map(move |round| &round.visits[side]);
        let limited = visits().filter(|visit| visit.limited).count();
        (limited, visits().count())
    };
    of(Side::Base).max(of(Side::Candidate))
}

/// One metric of a cell, of one gate or of several. `only`: no other cell decides about it.
fn judged(gates: &[&MatrixRecord], plan: &GatePlan, place: usize, only: bool) -> Option<GateCell> {
    let (metric, at) = (METRICS[place], &gates.first()?.cell.at);
    let rounds = || gates.iter().flat_map(|record| record.rounds());
    let mut comparison = match gates {
        [record] => {
            let [first, fresh] = [&record.first, &record.fresh].map(|all| log_ratios(all, place));
            rule(plan, metric).compare(&first, &fresh)
        }
        several => {
            let all = several.iter().map(|record| {
                let rounds = record.rounds();
                rounds.map(|round| round.log_ratio(place)).collect()
            });
            rule(plan, metric).compare_gates(&all.collect::<Vec<Vec<f64>>>())
        }
    };
    let figure = |side: Side| {
        let figures = rounds().flat_map(|round| round.figures(side, place));
        median(&figures.collect::<Vec<f64>>()).filter(|value| value.is_finite())
    };
    let is_unconfirmed = |record: &MatrixRecord| {
        let first = rule(plan, metric).first(&log_ratios(&record.first, place));
        first == FirstStage::Suspect && record.fresh.is_empty()
    };
    let is_limited = is_limited(gates);
    let mut decides = plan.decides(metric);
    let reason = if is_limited {
        decides &= only;
        comparison.verdict = CellVerdict::Inconclusive;
        Some("the client was the limit in most visits: this is the speed of the client".into())
    } else if rounds().any(|round| !round.log_ratio(place).is_finite()) {
        Some("a visit got too few replies".into())
    } else if let [record] = gates
        && is_unconfirmed(record)
    {
        Some("it is suspect, and there was no time for fresh rounds".into())
    } else {
        None
    };
    let settles = comparison.sessions_to_settle.filter(|_| !is_limited);
    Some(GateCell {
        metric,
        tier: metric.tier(),
        at: Some(at.clone()),
        unit: metric.unit(),
        decides,
        base: figure(Side::Base),
        candidate: figure(Side::Candidate),
        spread_pct: comparison.spread_pct(),
        settles_in_s: settles.and_then(|rounds| plan.seconds_for_rounds(rounds)),
        reason,
        comparison,
    })
}

/// The cells of the loads of these gates, or, if none was measured, those that have to decide.
pub(in crate::gate) fn matrix_cells(gates: &[&MatrixRecords], plan: &GatePlan) -> Vec<GateCell> {
    let mut by_load: Vec<Vec<&MatrixRecord>> = Vec::new();
    for record in gates.iter().flat_map(|gate| &gate.cells) {
        match by_load
            .iter_mut()
            .find(|all| all[0].cell.at == record.cell.at)
        {
            Some(all) => all.push(record),
            None => by_load.push(vec![record]),
        }
    }
    let cells = judge(&by_load, plan);
    if !cells.is_empty() {
        return cells;
    }
    let mut left_out: Vec<&(MatrixCell, String)> = Vec::new();
    for cell in gates.iter().flat_map(|gate| &gate.left_out) {
        if !left_out.iter().any(|known| known.0.at == cell.0.at) {
            left_out.push(cell);
        }
    }
    let open = left_out.into_iter();
    open.flat_map(|(cell, why)| unmeasured(cell, why, plan))
        .collect()
}

/// All loads, each with both metrics. A load in which the client was the limit does not decide. If that is every
/// load, a metric with a budget stays inconclusive, for it was not measured.
fn judge(by_load: &[Vec<&MatrixRecord>], plan: &GatePlan) -> Vec<GateCell> {
    let is_measured = |record: &&&MatrixRecord| !record.first.is_empty();
    let measured = by_load
        .iter()
        .map(|all| all.iter().filter(is_measured).copied());
    let measured: Vec<Vec<&MatrixRecord>> = measured.map(Iterator::collect).collect();
    let measured: Vec<_> = measured.iter().filter(|all| !all.is_empty()).collect();
    let only = measured.iter().all(|all| is_limited(all));
    let judged = |place: usize| {
        let all = measured.iter();
        all.filter_map(move |all| judged(all, plan, place, only))
    };
    (0..METRICS.len()).flat_map(judged).collect()
}

/// A cell that has to decide and cannot be measured is inconclusive.
fn unmeasured(cell: &MatrixCell, why: &str, plan: &GatePlan) -> Vec<GateCell> {
    let asked = METRICS.into_iter().filter(|metric| plan.decides(*metric));
    asked
        .map(|metric| GateCell {
            metric,
            tier: metric.tier(),
            at: Some(cell.at.clone()),
            unit: metric.unit(),
            decides: true,
            base: None,
            candidate: None,
            spread_pct: None,
            settles_in_s: None,
            reason: Some(why.to_owned()),
            comparison: rule(plan, metric).compare(&[], &[]),
        })
        .collect()
}

fn rule(plan: &GatePlan, metric: Metric) -> Rule {
    Rule {
        budget: plan.budget(metric),
    }
}

fn log_ratios(rounds: &[Round], metric: usize) -> Vec<f64> {
    rounds.iter().map(|round| round.log_ratio(metric)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::gate::GateRequest;
    use crate::gate::side::Pair;
    use crate::load::Workload;

    fn plan() -> GatePlan {
        GatePlan::without_duet(GateRequest {
            budgets: BTreeMap::from([(Metric::Throughput, 0.1)]),
            workload: Workload::default(),
            cells: Vec::new(),
            max_time: Duration::from_secs(60),
            exchange: Duration::ZERO,
            counts: false,
            sessions: None,
        })
    }

    /// A cell whose candidate is so much slower, in both stages.
    fn record(factor: f64, limited: bool) -> MatrixRecord {
        let visit = |figure: f64| Visit {
            figures: [figure, 2.0 * figure],
            limited,
            disturbed: false,
        };
        let round = |place: usize| {
            let base = 10.0 + 0.01 * (place % 5) as f64;
            Round {
                visits: Pair {
                    base: vec![visit(10.0); 2],
                    candidate: vec![visit(base * factor); 2],
                },
            }
        };
        MatrixRecord {
            first: (0..8).map(round).collect(),
            fresh: (0..12).map(round).collect(),
            ..MatrixRecord::new(MatrixCell::new(None, vec![0], 10))
        }
    }

    fn verdicts(records: &[MatrixRecord]) -> Vec<(Metric, CellVerdict, bool)> {
        let by_load: Vec<_> = records.iter().map(|record| vec![record]).collect();
        let cells = judge(&by_load, &plan()).into_iter();
        cells
            .map(|cell| (cell.metric, cell.comparison.verdict, cell.decides))
            .collect()
    }

    #[test]
    fn a_metric_with_a_budget_decides_in_every_cell_and_the_other_is_shown() {
        let records = [record(1.0, false), record(1.5, false)];
        use Metric::{P99, Throughput};
        let expected = [
            (Throughput, CellVerdict::Pass, true),
            (Throughput, CellVerdict::Fail, true),
            (P99, CellVerdict::Pass, false),
            (P99, CellVerdict::Fail, false),
        ];
        assert_eq!(verdicts(&records), expected);
        assert_eq!(records[0].suspicion(&plan()), None);
        assert!(records[1].suspicion(&plan()).unwrap() > 1e6);
    }

    #[test]
    fn where_the_client_was_the_limit_nothing_is_decided() {
        let mixed = verdicts(&[record(1.5, true), record(1.0, false)]);
        assert_eq!(
            mixed[0],
            (Metric::Throughput, CellVerdict::Inconclusive, false)
        );
        assert_eq!(mixed[1], (Metric::Throughput, CellVerdict::Pass, true));
        // What was asked for and not seen at all is no pass.
        let only = verdicts(&[record(1.0, true)]);
        assert_eq!(
            only[0],
            (Metric::Throughput, CellVerdict::Inconclusive, true)
        );
        assert!(record(1.0, true).note().unwrap().contains("40 of 40"));
    }

    #[test]
    fn a_suspect_without_a_second_look_says_so() {
        let suspect = MatrixRecord {
            fresh: Vec::new(),
            ..record(1.5, false)
        };
        let cells = judge(&[vec![&suspect]], &plan());
        assert_eq!(cells[0].comparison.verdict, CellVerdict::Inconclusive);
        assert!(cells[0].reason.as_ref().unwrap().contains("fresh rounds"));
    }
}
