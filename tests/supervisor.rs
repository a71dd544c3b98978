//! The target: servers of other people's making, started, watched and ended for real.
//!
//! They are small programs for python3 and sh; where one is missing the test says that it was skipped.

#[path = "supervisor/ending.rs"]
mod ending;
#[path = "supervisor/programs.rs"]
mod programs;
#[path = "supervisor/starting.rs"]
mod starting;
#[path = "supervisor/watching.rs"]
mod watching;
