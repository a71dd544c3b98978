//! What all rounds came to in one cell of the matrix, and what the gate says of it. Pure.

use super::plan::MatrixCell;
use super::visit::{METRICS, Round, Visit};
use crate::gate::metric::Metric;
use crate::gate::plan::GatePlan;
use crate::gate::result::GateCell;
use crate::gate::rule::{First, Rule, Verdict};
use crate::gate::run::spread;
use crate::stats::{hodges_lehmann, median};

/// One cell, round by round.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub cell: MatrixCell,
    pub first: Vec<Round>,
    pub fresh: Vec<Round>,
}

impl Record {
    pub fn new(cell: MatrixCell) -> Self {
        Self {
            cell,
            first: Vec::new(),
            fresh: Vec::new(),
        }
    }

    /// How much it looks worse than its budgets, if it does: what decides counts for more than anything else.
    pub fn suspicion(&self, plan: &GatePlan) -> Option<f64> {
        let of = |(place, metric): (usize, Metric)| {
            let (rule, ratios) = (rule(plan, metric), log_ratios(&self.first, place));
            if rule.first(&ratios) != First::Suspect {
                return None;
            }
            let seen = hodges_lehmann(&ratios, 0.9)?.estimate;
            let decides = plan.deciding.contains(&metric) && !self.is_limited();
            Some(seen / rule.budget.ln_1p() + if decides { 1e6 } else { 0.0 })
        };
        METRICS
            .into_iter()
            .enumerate()
            .filter_map(of)
            .max_by(f64::total_cmp)
    }

    /// Whether in most visits to one of the servers the client was the limit: then the figures say how fast
    /// the client is.
    pub fn is_limited(&self) -> bool {
        let (limited, visits) = self.limited();
        2 * limited > visits
    }

    /// Visits in which the client was the limit, of how many: of the server where it was more often so.
    fn limited(&self) -> (usize, usize) {
        let of = |side: usize| {
            let visits = || self.rounds().flat_map(move |round| &round.visits[side]);
            let limited = visits().filter(|visit| visit.limited).count();
            (limited, visits().count())
        };
        of(0).max(of(1))
    }

    /// Visits in which the machine got in our way.
    pub fn disturbed(&self) -> usize {
        self.visits().filter(|visit| visit.disturbed).count()
    }

    /// A sentence for the reader, where the client was the limit.
    pub fn note(&self) -> Option<String> {
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
            .flat_map(|round| round.visits.iter().flatten())
    }

    /// What is said of a metric. `alone`: no other cell decides about it.
    fn judged(&self, plan: &GatePlan, place: usize, alone: bool) -> GateCell {
        let metric = METRICS[place];
        let (first, fresh) = (
            log_ratios(&self.first, place),
            log_ratios(&self.fresh, place),
        );
        let mut cell = rule(plan, metric).cell(&first, &fresh);
        let figure = |side: usize| {
            let figures = self.rounds().flat_map(|round| round.figures(side, place));
            median(&figures.collect::<Vec<f64>>()).filter(|value| value.is_finite())
        };
        let is_limited = self.is_limited();
        let mut decides = plan.deciding.contains(&metric);
        let reason = if is_limited {
            decides &= alone;
            cell.verdict = Verdict::Inconclusive;
            Some("the client was the limit in most visits: this says how fast the client is".into())
        } else if first.iter().chain(&fresh).any(|ratio| !ratio.is_finite()) {
            Some("too few replies came in a visit".into())
        } else if rule(plan, metric).first(&first) == First::Suspect && fresh.is_empty() {
            Some("it looks worse, and there was no time for a second look".into())
        } else {
            None
        };
        let rounds = cell.sessions_to_settle.filter(|_| !is_limited);
        GateCell {
            metric,
            tier: metric.tier(),
            at: Some(self.cell.at.clone()),
            unit: metric.unit(),
            decides,
            base: figure(0),
            candidate: figure(1),
            spread_pct: spread(&cell),
            settles_in_s: rounds.and_then(|rounds| plan.seconds_for_rounds(rounds)),
            reason,
            cell,
        }
    }
}

/// All cells, each with both metrics. Where the client was the limit a cell does not decide; if it was in all
/// of them, a metric that was asked for stays open, for it was not seen.
pub(super) fn judge(records: &[Record], plan: &GatePlan) -> Vec<GateCell> {
    let is_measured = |record: &&Record| !record.first.is_empty();
    let records = || records.iter().filter(is_measured);
    let alone = records().all(Record::is_limited);
    let judged = |place: usize| records().map(move |record| record.judged(plan, place, alone));
    (0..METRICS.len()).flat_map(judged).collect()
}

/// A cell that was asked for and cannot be measured stays open.
pub(super) fn unmeasured(cell: &MatrixCell, why: &str, plan: &GatePlan) -> Vec<GateCell> {
    let asked = METRICS
        .into_iter()
        .filter(|metric| plan.deciding.contains(metric));
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
            cell: rule(plan, metric).cell(&[], &[]),
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
    use crate::gate::Asked;
    use crate::load::Workload;

    fn plan() -> GatePlan {
        GatePlan::without_duet(Asked {
            budgets: BTreeMap::from([(Metric::Throughput, 0.1)]),
            workload: Workload::default(),
            cells: Vec::new(),
            max_time: Duration::from_secs(60),
            counts: false,
            sessions: None,
        })
    }

    /// A cell whose candidate is so much slower, in both stages.
    fn record(factor: f64, limited: bool) -> Record {
        let visit = |figure: f64| Visit {
            figures: [figure, 2.0 * figure],
            limited,
            disturbed: false,
        };
        let round = |place: usize| {
            let base = 10.0 + 0.01 * (place % 5) as f64;
            Round {
                visits: [vec![visit(10.0); 2], vec![visit(base * factor); 2]],
            }
        };
        Record {
            first: (0..8).map(round).collect(),
            fresh: (0..12).map(round).collect(),
            ..Record::new(MatrixCell::new(None, vec![0], 10))
        }
    }

    fn verdicts(records: &[Record]) -> Vec<(Metric, Verdict, bool)> {
        let cells = judge(records, &plan()).into_iter();
        cells
            .map(|cell| (cell.metric, cell.cell.verdict, cell.decides))
            .collect()
    }

    #[test]
    fn a_metric_with_a_budget_decides_in_every_cell_and_the_other_is_shown() {
        let records = [record(1.0, false), record(1.5, false)];
        use Metric::{P99, Throughput};
        let expected = [
            (Throughput, Verdict::Pass, true),
            (Throughput, Verdict::Fail, true),
            (P99, Verdict::Pass, false),
            (P99, Verdict::Fail, false),
        ];
        assert_eq!(verdicts(&records), expected);
        assert_eq!(records[0].suspicion(&plan()), None);
        assert!(records[1].suspicion(&plan()).unwrap() > 1e6);
    }

    #[test]
    fn where_the_client_was_the_limit_nothing_is_decided() {
        let mixed = verdicts(&[record(1.5, true), record(1.0, false)]);
        assert_eq!(mixed[0], (Metric::Throughput, Verdict::Inconclusive, false));
        assert_eq!(mixed[1], (Metric::Throughput, Verdict::Pass, true));
        // What was asked for and not seen at all is no pass.
        let only = verdicts(&[record(1.0, true)]);
        assert_eq!(only[0], (Metric::Throughput, Verdict::Inconclusive, true));
        assert!(record(1.0, true).note().unwrap().contains("40 of 40"));
    }

    #[test]
    fn a_suspect_without_a_second_look_says_so() {
        let suspect = Record {
            fresh: Vec::new(),
            ..record(1.5, false)
        };
        let cells = judge(&[suspect], &plan());
        assert_eq!(cells[0].cell.verdict, Verdict::Inconclusive);
        assert!(cells[0].reason.as_ref().unwrap().contains("second look"));
    }
}
