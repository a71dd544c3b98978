//! The server under test as every feature sees it: where it comes from, its conversation, its
//! promises, and how fast it is.
//!
//! Checks, fuzzing, loads, sweeps and gates start with a [`Subject`] and hold its conversation once
//! ([`rehearse`]) before they judge or measure anything.

mod date;
mod interrupt;
mod origin;
mod pace;
mod plan;
mod promise;
mod rehearsal;
mod runtime;
mod waiver;

pub use date::Date;
pub use interrupt::Interrupt;
pub use origin::Origin;
pub use origin::Subject;
pub(crate) use pace::Pace;
pub(crate) use plan::ServerPlan;
pub use promise::Encoding;
pub use promise::Promise;
pub(crate) use rehearsal::Rehearsal;
pub(crate) use rehearsal::RehearsalError;
pub(crate) use rehearsal::maybe_late;
pub(crate) use rehearsal::patient;
pub(crate) use rehearsal::rehearse;
pub(crate) use rehearsal::rehearse_with;
pub(crate) use rehearsal::start;
pub(crate) use runtime::block_on;
pub use runtime::runtime;
pub use waiver::Waiver;
