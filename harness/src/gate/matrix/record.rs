//! All rounds of one cell of the matrix, and how they are judged. Pure.

use super::visit::{METRICS, Round, Visit};
use crate::gate::metric::Metric;
use crate::gate::plan::{GatePlan, MatrixCell};
use crate::gate::result::GateCell;
use crate::gate::rule::{CellVerdict, FirstStage, Rule};
use crate::gate::side::Side;
use crate::stats::{hodges_lehmann, median};

/// One cell, round by round.
#[derive(Debug, Clone)]
pub(super) struct MatrixRecord {
    pub cell: MatrixCell,
    pub first: Vec<Round>,
    pub fresh: Vec<Round>,
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
        let (limited, visits) = self.limited();
        2 * limited > visits
    }

    /// Visits in which the client was the limit, and all visits, of the side where that was more frequent.
    fn limited(&self) -> (usize, usize) {
        let of = |side: Side| {
            let visits = || self.rounds().flat_map(move |round| &round.visits[side]);
            let limited = visits().filter(|visit| visit.limited).count();
            (limited, visits().count())
        };
        of(Side::Base).max(of(Side::Candidate))
    }

    /// Visits that the machine disturbed.
    pub(crate) fn disturbed(&self) -> usize {
        self.visits().filter(|visit| visit.disturbed).count()
    }

    /// A note where the client was the limit.
    pub(crate) fn note(&self) -> Option<String> {
        let (limited, visits) = self.limited();
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

    /// The cell of one metric. `only`: no other cell decides about it.
    fn judged(&self, plan: &GatePlan, place: usize, only: bool) -> GateCell {
        let metric = METRICS[place];
        let (first, fresh) = (
            log_ratios(&self.first, place),
            log_ratios(&self.fresh, place),
        );
        let mut comparison = rule(plan, metric).compare(&first, &fresh);
        let figure = |side: Side| {
            let figures = self.rounds().flat_map(|round| round.figures(side, place));
            median(&figures.collect::<Vec<f64>>()).filter(|value| value.is_finite())
        };
        let is_limited = self.is_limited();
        let mut decides = plan.decides(metric);
        let reason = if is_limited {
            decides &= only;
            comparison.verdict = CellVerdict::Inconclusive;
            Some("the client was the limit in most visits: this is the speed of the client".into())
        } else if first.iter().chain(&fresh).any(|ratio| !ratio.is_finite()) {
            Some("a visit got too few replies".into())
        } else if rule(plan, metric).first(&first) == FirstStage::Suspect && fresh.is_empty() {
            Some("it is suspect, and there was no time for fresh rounds".into())
        } else {
            None
        };
        let rounds = comparison.sessions_to_settle.filter(|_| !is_limited);
        GateCell {
            metric,
            tier: metric.tier(),
            at: Some(self.cell.at.clone()),
            unit: metric.unit(),
            decides,
            base: figure(Side::Base),
            candidate: figure(Side::Candidate),
            spread_pct: comparison.spread_pct(),
            settles_in_s: rounds.and_then(|rounds| plan.seconds_for_rounds(rounds)),
            reason,
            comparison,
        }
    }
}

/// All cells, each with both metrics. A cell in which the client was the limit does not decide. If that is every
/// cell, a metric with a budget stays inconclusive, for it was not measured.
pub(super) fn judge(records: &[MatrixRecord], plan: &GatePlan) -> Vec<GateCell> {
    let is_measured = |record: &&MatrixRecord| !record.first.is_empty();
    let records = || records.iter().filter(is_measured);
    let only = records().all(MatrixRecord::is_limited);
    let judged = |place: usize| records().map(move |record| record.judged(plan, place, only));
    (0..METRICS.len()).flat_map(judged).collect()
}

/// A cell that has to decide and cannot be measured is inconclusive.
pub(super) fn unmeasured(cell: &MatrixCell, why: &str, plan: &GatePlan) -> Vec<GateCell> {
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
        let cells = judge(records, &plan()).into_iter();
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
        let cells = judge(&[suspect], &plan());
        assert_eq!(cells[0].comparison.verdict, CellVerdict::Inconclusive);
        assert!(cells[0].reason.as_ref().unwrap().contains("fresh rounds"));
    }
}
