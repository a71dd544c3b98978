//! How often the server wakes up while nobody asks it anything (cheroot#378: 100 times a second).

use super::figures::SessionFigure;
use super::{MetricFacts, Tier};
use crate::data::Unit;

/// Smallest difference that counts, per second: timers of 10 Hz are common.
const LEAST: f64 = 30.0;

pub(super) const IDLE_WAKEUPS: MetricFacts = MetricFacts {
    name: "idle-wakeups",
    about: "wake-ups per second while idle",
    unit: Unit::PerSecond,
    tier: Tier::Duet,
    budget: 0.5,
    decides: true,
    session: Some(SessionFigure {
        read: |side| side.idle_wakeups_per_s,
        least: LEAST,
    }),
};
