//! Memory that a connection takes on which nothing happens.

use super::figures::SessionFigure;
use super::{MetricFacts, Tier};
use crate::data::Unit;

/// Smallest difference that counts, in bytes. A heap that grows by pages of 256 KiB, as V8's does, has one more or less of them for
/// 250 connections by chance: 1 KiB for each.
const LEAST: f64 = 2048.0;

pub(super) const CONNECTION_MEMORY: MetricFacts = MetricFacts {
    name: "connection-memory",
    about: "memory per idle connection",
    unit: Unit::Bytes,
    tier: Tier::Duet,
    budget: 0.1,
    decides: true,
    session: Some(SessionFigure {
        read: |side| side.bytes_per_client,
        least: LEAST,
    }),
};
