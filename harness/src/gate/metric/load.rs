//! Throughput and tail under load.

use super::{MetricFacts, Tier};
use crate::data::Unit;

pub(super) const THROUGHPUT: MetricFacts = MetricFacts {
    name: "throughput",
    about: "time per operation under load",
    unit: Unit::Micros,
    tier: Tier::Matrix,
    budget: 0.05,
    decides: false,
    session: None,
};

pub(super) const P99: MetricFacts = MetricFacts {
    name: "p99",
    about: "99th percentile under load",
    unit: Unit::Micros,
    tier: Tier::Matrix,
    budget: 0.20,
    decides: false,
    session: None,
};
