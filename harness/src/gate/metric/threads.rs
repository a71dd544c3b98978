//! Threads.

use super::figures::SessionFigure;
use super::{MetricFacts, Tier};
use crate::data::Unit;

/// Smallest difference that counts.
const LEAST: f64 = 4.0;

pub(super) const THREADS: MetricFacts = MetricFacts {
    name: "threads",
    about: "threads with one client",
    unit: Unit::Count,
    tier: Tier::Duet,
    budget: 0.1,
    decides: true,
    session: Some(SessionFigure {
        read: |side| side.threads,
        least: LEAST,
    }),
};
