//! The median response time.

use super::figures::SessionFigure;
use super::{MetricFacts, Tier};
use crate::data::Unit;

pub(super) const P50: MetricFacts = MetricFacts {
    name: "p50",
    about: "median response time",
    unit: Unit::Micros,
    tier: Tier::Duet,
    budget: 0.05,
    decides: true,
    session: Some(SessionFigure {
        read: |side| side.p50_us,
        least: 0.0,
    }),
};
