//! tcprove proves a TCP server, in any language, from a test:
//!
//! ```no_run
//! use tcprove::{Prove, Workload, ms, secs};
//!
//! # fn serves() -> tcprove::Result {
//! let prove = Prove::cmd(["target/debug/my-server", "{port}"]).talk("line");
//! prove.check("split-*,rst-*").assert_pass();
//! prove.start()?.client().say("hello\n")?.expect("hello\n")?;
//! prove.load(Workload::closed(10).lasting(secs(2))).assert(|m| m.p99 < ms(5));
//! prove.fuzz(secs(10)).assert_no_findings();
//! # Ok(())
//! # }
//! ```
//!
//! [`Prove`] says how the server is started and what it speaks. [`Prove::check`] runs checks of robustness, [`Prove::load`]
//! measures, [`Prove::fuzz`] looks for crashes, hangs and leaks, and [`Prove::start`] gives a server that a test talks to by
//! itself. Servers and all their processes end with the test, however it ends. Nothing has to be installed: this crate lets
//! the test program be its own supervisor (see [`process::run_hidden`]).
//!
//! With `default-features = false` the crate has no command line and fewer dependencies:
//!
//! ```toml
//! [dev-dependencies]
//! tcprove = { version = "0.1", default-features = false }
//! ```
//!
//! # Inside
//!
//! Data flows one way: arguments become a plan; a [`subject::Subject`] is a server, started by
//! [`process`], and its [`talk`]; [`check`], [`fuzz`], [`load`], `bench` and [`gate`] judge or measure
//! it and send [`event`]s; the result is a report. See ARCHITECTURE.md in the repository.
//!
//! The other public modules serve test suites that fuzz a server in their own process ([`fuzz::memory`]),
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

mod before_main;
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
mod prove;
mod report;
mod session;
pub mod stats;
pub mod subject;
pub mod sys;
pub mod talk;
pub mod text;
pub mod transport;

pub use load::Workload;
#[cfg(feature = "proptest")]
pub use prove::strategy;
pub use prove::{
    Checks, Client, Figures, Fuzzed, Loaded, Prove, ProveError, Result, Server, ms, secs,
};
