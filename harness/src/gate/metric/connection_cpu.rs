//! CPU time that a new connection takes: accepting it, and over TLS the handshake, which is never resumed.

use super::figures::SessionFigure;
use super::{MetricFacts, Tier};
use crate::data::Unit;

/// Smallest difference that counts, in microseconds: about what an accept takes.
const LEAST: f64 = 20.0;

pub(super) const CONNECTION_CPU: MetricFacts = MetricFacts {
    name: "connection-cpu",
    about: "CPU time per new connection",
    unit: Unit::Micros,
    tier: Tier::Duet,
    budget: 0.1,
    decides: true,
    session: Some(SessionFigure {
        read: |side| side.connection_cpu_us,
        least: LEAST,
    }),
};
