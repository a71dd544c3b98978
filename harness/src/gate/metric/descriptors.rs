//! Open descriptors.

use super::figures::SessionFigure;
use super::{MetricFacts, Tier};
use crate::data::Unit;

/// Smallest difference that counts.
const LEAST: f64 = 8.0;

pub(super) const DESCRIPTORS: MetricFacts = MetricFacts {
    name: "descriptors",
    about: "open descriptors with one client",
    unit: Unit::Count,
    tier: Tier::Duet,
    budget: 0.1,
    decides: true,
    session: Some(SessionFigure {
        read: |side| side.descriptors,
        least: LEAST,
    }),
};
