//! CPU time of the server per operation. A session compares that without bursts by the centre of its blocks.

use super::figures::SessionFigure;
use super::{MetricFacts, Tier};
use crate::data::Unit;

pub(super) const SERVER_CPU: MetricFacts = MetricFacts {
    name: "server-cpu",
    about: "server CPU per operation",
    unit: Unit::Micros,
    tier: Tier::Duet,
    budget: 0.02,
    decides: true,
    session: Some(SessionFigure {
        read: |side| side.cpu_us,
        least: 0.0,
    }),
};

pub(super) const SERVER_CPU_ALL: MetricFacts = MetricFacts {
    name: "server-cpu-all",
    about: "server CPU per operation, bursts included",
    unit: Unit::Micros,
    tier: Tier::Duet,
    budget: 0.05,
    decides: true,
    session: Some(SessionFigure {
        read: |side| side.cpu_us,
        least: 0.0,
    }),
};
