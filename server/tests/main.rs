//! The tests of the reference server, in one binary.
//!
//! | module | what it tests |
//! |---|---|
//! | `delay` | replies that are held back by a known distribution |
//! | `exchanges` | every protocol over every model |
//! | `faults` | planted faults that a check must catch, and the sound server beside them |
//! | `fuzz_faults` | planted faults that a campaign must find |
//! | `process` | the program: arguments, signals, logs, workers |
//! | `stopping` | draining, idle timeouts, limits on connections |

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;
mod delay;
mod exchanges;
mod faults;
mod fuzz_faults;
mod process;
mod stopping;
