//! tcprove proves a TCP server.
//!
//! Given the command that starts a server and a few lines that describe one exchange, it runs a
//! battery of robustness checks, a fuzz campaign, a load, a sweep or a regression gate, and reports
//! what it found, with evidence and a command that repeats it.
//!
//! Data flows one way: arguments become a plan; a [`subject::Subject`] is a server, started by
//! [`process`], and its [`talk`]; [`check`], [`fuzz`], [`load`], `bench` and [`gate`] judge or measure
//! it and send [`event`]s; the result is a report. See ARCHITECTURE.md in the repository.
//!
//! The public modules serve test suites that fuzz a server in their own process ([`fuzz::memory`]),
//! tcprove's fuzz targets, benchmarks and integration tests. Everything else is private.

#![warn(missing_docs, unreachable_pub)]
#![cfg_attr(
    not(feature = "cli"),
    expect(
        dead_code,
        unreachable_pub,
        unused_imports,
        reason = "the commands use most of the crate; the library alone uses the public modules"
    )
)]

mod bench;
mod binary;
pub mod check;
#[cfg(feature = "cli")]
pub mod cli;
mod data;
#[cfg(feature = "cli")]
mod detect;
pub mod event;
pub mod file;
pub mod fuzz;
pub mod gate;
pub mod load;
#[cfg(feature = "cli")]
mod merge;
pub mod process;
mod report;
mod session;
pub mod stats;
pub mod subject;
pub mod sys;
pub mod talk;
pub mod text;
pub mod transport;
