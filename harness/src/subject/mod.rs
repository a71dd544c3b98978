//! The server under test as every feature sees it: where it comes from, what it says, what it
//! promises, and how fast it is.
//!
//! Checks, fuzzing, loads, sweeps and gates all begin with a [`Subject`] and hold its conversation
//! once ([`rehearse`]) before they judge or measure anything.

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
pub use origin::{Origin, Subject};
pub use pace::Pace;
pub use plan::ServerPlan;
pub use promise::{Encoding, Promise};
pub use rehearsal::{Rehearsal, RehearsalError, rehearse, start};
pub(crate) use rehearsal::{maybe_late, patient, rehearse_with};
pub(crate) use runtime::block_on;
pub use runtime::runtime;
pub use waiver::Waiver;
