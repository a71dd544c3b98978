//! Resident memory.

use super::figures::SessionFigure;
use super::{MetricFacts, Tier};
use crate::data::Unit;

/// Smallest difference that counts, in bytes.
const LEAST: f64 = 1024.0 * 1024.0;

pub(super) const RSS: MetricFacts = MetricFacts {
    name: "rss",
    about: "resident memory without files",
    unit: Unit::Bytes,
    tier: Tier::Duet,
    budget: 0.10,
    decides: true,
    session: Some(SessionFigure {
        read: |side| side.rss_bytes,
        least: LEAST,
    }),
};
