//! Bytes that an exchange sends and receives, those of TLS included.

use super::figures::SessionFigure;
use super::{MetricFacts, Tier};
use crate::data::Unit;

/// Smallest difference that counts, in bytes.
const LEAST: f64 = 8.0;

pub(super) const WIRE_BYTES: MetricFacts = MetricFacts {
    name: "wire-bytes",
    about: "bytes on the wire per operation",
    unit: Unit::Bytes,
    tier: Tier::Duet,
    budget: 0.1,
    decides: true,
    session: Some(SessionFigure {
        read: |side| side.wire_bytes,
        least: LEAST,
    }),
};
