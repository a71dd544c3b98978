//! The target: servers of other people's making, started, watched and ended for real.
//!
//! They are small programs for python3 and sh; where one is missing the test says that it was skipped.

mod ending;
mod programs;
mod starting;
mod watching;
