//! What valgrind counts: the same in every run of most servers.

use super::{MetricFacts, Tier};
use crate::data::Unit;

pub(super) const INSTRUCTIONS: MetricFacts = MetricFacts {
    name: "instructions",
    about: "instructions per operation",
    unit: Unit::Count,
    tier: Tier::Deterministic,
    budget: 0.02,
    decides: true,
    session: None,
};

pub(super) const SYSCALLS: MetricFacts = MetricFacts {
    name: "syscalls",
    about: "system calls per operation",
    unit: Unit::Count,
    tier: Tier::Deterministic,
    budget: 0.02,
    decides: true,
    session: None,
};

pub(super) const ALLOCATIONS: MetricFacts = MetricFacts {
    name: "allocations",
    about: "allocations per operation",
    unit: Unit::Count,
    tier: Tier::Deterministic,
    budget: 0.02,
    decides: false,
    session: None,
};
