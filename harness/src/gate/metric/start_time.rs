//! How long the server takes to be ready.
//!
//! Starts vary more than exchanges, and small servers start in a few milliseconds: hence the wide budget and the floor.

use super::figures::SessionFigure;
use super::{MetricFacts, Tier};
use crate::data::Unit;

/// Smallest difference that counts, in microseconds.
const LEAST: f64 = 50_000.0;

pub(super) const START_TIME: MetricFacts = MetricFacts {
    name: "start-time",
    about: "time from start to ready",
    unit: Unit::Micros,
    tier: Tier::Duet,
    budget: 0.5,
    decides: true,
    session: Some(SessionFigure {
        read: |side| side.start_us,
        least: LEAST,
    }),
};
