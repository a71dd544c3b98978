//! tcprove proves a TCP server.
//!
//! Given the command that starts a server and a few lines on how one exchange goes, it runs a
//! battery of robustness checks and says what it saw, with evidence and a command that repeats it.
//!
//! The way through the crate: arguments become a [`plan`]; the plan names a [`process`] and a
//! [`talk`]; the [`check`]s talk to it over [`session`]s; what happens becomes [`event`]s, what
//! comes of it a [`report`]. See ARCHITECTURE.md in the repository.

pub mod bench;
pub mod check;
#[cfg(feature = "cli")]
pub mod cli;
pub mod data;
pub mod event;
pub mod file;
pub mod fuzz;
pub mod gate;
pub mod load;
pub mod process;
pub mod report;
pub mod session;
pub mod stats;
pub mod subject;
pub mod sys;
pub mod talk;
pub mod text;
