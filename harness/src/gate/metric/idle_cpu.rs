//! What the server uses while nobody asks it anything.

use super::figures::SessionFigure;
use super::{MetricFacts, Tier};
use crate::data::Unit;

/// Smallest difference that counts, in cores: less is hard to tell from other work of the machine.
const LEAST: f64 = 0.03;

pub(super) const IDLE_CPU: MetricFacts = MetricFacts {
    name: "idle-cpu",
    about: "CPU usage while idle, in cores",
    unit: Unit::Count,
    tier: Tier::Duet,
    budget: 0.5,
    decides: true,
    session: Some(SessionFigure {
        read: |side| side.idle_cores,
        least: LEAST,
    }),
};
