//! One visit to a cell: a short load on one of the servers, reduced to what the gate needs. Pure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::data::exact;
use crate::gate::metric::Metric;
use crate::gate::side::{Pair, Side};
use crate::load::{Fault, LoadResult, Reason};

/// Minimum number of replies for a 99th percentile: that of fewer is their maximum.
const REPLIES_LEAST: u64 = 100;

/// The metrics of a visit.
pub(super) const METRICS: [Metric; 2] = [Metric::Throughput, Metric::P99];

/// The result of a visit.
#[derive(Debug, Clone, Copy, PartialEq, JsonSchema, Serialize, Deserialize)]
pub(super) struct Visit {
    /// Microseconds, in the order of [`METRICS`]; NaN where there were too few replies.
    #[serde(with = "exact::list")]
    #[schemars(with = "Vec<exact::Written>")]
    pub figures: [f64; 2],
    /// The client was saturated, and the server was not.
    pub limited: bool,
    /// The machine disturbed the visit.
    pub disturbed: bool,
}

impl Visit {
    /// From a load; an error is what the server did that it must not.
    pub(crate) fn of(result: &LoadResult) -> Result<Self, String> {
        let (metrics, validity) = (&result.metrics, &result.validity);
        let of_the_server = |reason: &&Reason| reason.fault() == Fault::Server;
        if let Some(reason) = validity.reasons.iter().find(of_the_server) {
            return Err(reason.to_string());
        }
        let replies = |least: u64, figure: f64| {
            if metrics.ops >= least {
                figure
            } else {
                f64::NAN
            }
        };
        let per_op = metrics.measured_s * 1e6 / metrics.ops.max(1) as f64;
        Ok(Self {
            figures: [
                replies(1, per_op),
                replies(REPLIES_LEAST, metrics.response_us.p99),
            ],
            limited: result.is_client_limited(),
            disturbed: !validity.reasons.is_empty(),
        })
    }
}

/// What a round measured in one cell: the visits to each side.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema, Serialize, Deserialize)]
pub(super) struct Round {
    /// The visits to each side, in their order.
    pub visits: Pair<Vec<Visit>>,
}

impl Round {
    /// ln(candidate / base) of a metric: the mean over the visits to each side. In the order A B B A a steady drift
    /// over the round cancels.
    pub(crate) fn log_ratio(&self, metric: usize) -> f64 {
        let mean = |side: Side| {
            let visits = &self.visits[side];
            let logs = visits.iter().map(|visit| visit.figures[metric].ln());
            logs.sum::<f64>() / visits.len() as f64
        };
        mean(Side::Candidate) - mean(Side::Base)
    }

    /// The figures of a metric on one side.
    pub(crate) fn figures(&self, side: Side, metric: usize) -> impl Iterator<Item = f64> {
        self.visits[side]
            .iter()
            .map(move |visit| visit.figures[metric])
    }
}

/// The order of visits in a round: A B B A, or its reverse in every second round.
pub(super) fn turns(round: usize) -> [Side; 4] {
    let outer = Side::alternating(round);
    let inner = outer.other();
    [outer, inner, inner, outer]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A round in which both sides take `time` and the candidate `factor` times as long; each visit is
    /// `drift` times as slow as the one before.
    fn round(number: usize, factor: f64, drift: f64) -> Round {
        let mut round = Round::default();
        let times = Pair {
            base: 1.0,
            candidate: factor,
        };
        for (place, side) in turns(number).into_iter().enumerate() {
            let figure = 10.0 * times[side] * drift.powi(place as i32);
            round.visits[side].push(Visit {
                figures: [figure, 3.0 * figure],
                limited: false,
                disturbed: false,
            });
        }
        round
    }

    #[test]
    fn the_ratio_of_a_round_is_not_moved_by_what_drifts() {
        for number in [0, 1] {
            for metric in [0, 1] {
                let ratio = round(number, 1.1, 1.07).log_ratio(metric);
                assert!((ratio - 1.1_f64.ln()).abs() < 1e-12, "{ratio}");
            }
            assert!(round(number, 1.0, 0.9).log_ratio(0).abs() < 1e-12);
        }
    }

    #[test]
    fn a_visit_without_a_figure_makes_no_ratio() {
        let mut round = round(0, 1.0, 1.0);
        round.visits.candidate[0].figures[1] = f64::NAN;
        assert!(round.log_ratio(1).is_nan() && round.log_ratio(0) == 0.0);
        assert!(Round::default().log_ratio(0).is_nan());
    }
}
