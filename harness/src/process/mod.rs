//! Starts, watches and ends the server under test. No other module starts servers.
//!
//! [`Server::start`] starts a [supervisor](run_hidden): a separate process that starts the command and kills all
//! its descendants as soon as tcprove ends, even by SIGKILL. The server is only observed from outside: through
//! `/proc`, the kernel's [socket table](socket_table) and its output. This module never connects to it.

mod abandoned;
mod acceptor;
mod account;
mod borrowed;
mod cpu_waits;
mod crashes;
mod drain;
mod ending;
mod exit;
mod failure;
mod files;
mod helper;
mod hidden;
mod hook;
pub(crate) mod injector;
mod launch;
mod limits;
mod listen;
mod login;
mod mapping;
mod options;
mod output;
mod port;
mod proc;
mod ready;
mod reference;
mod requests;
mod server;
mod shell;
mod signals;
mod singleton;
pub mod socket_table;
mod start;
mod status;
mod supervised_tree;
mod supervisor;
mod surroundings;
mod task_limit;
mod tmp;
mod tracer;
mod usage;
mod vitals;
mod waits;
mod wakeups;
mod written;

pub(crate) use abandoned::Abandoned;
pub(crate) use cpu_waits::{cpu_waits, run_delay_of};
pub(crate) use crashes::{Crash, CrashWatch};
pub(crate) use drain::Printout;
pub use exit::{Exit, StopReport};
pub(crate) use exit::{signal_name, signal_number};
pub use failure::{HelperRole, HelperTrouble, Holder, StartFailure};
pub use files::check_path;
pub use hidden::run_hidden;
pub(crate) use hook::{Hook, Interpreter, escaped, is_interpreter, program_name};
pub use injector::CallSet;
pub use launch::{Launch, LaunchFile, Listening, Ready, ReadyStream, StartValues};
pub(crate) use login::{Login, end_host};
pub use login::{LoginCommand, LoginFailure};
pub(crate) use mapping::read_mapped;
pub use options::{StartOptions, StdoutMode};
pub use output::{Mark, Output};
pub use port::Port;
pub(crate) use proc::parse_context_switches as context_switches_of;
pub(crate) use reference::REFERENCE;
pub use server::Server;
pub use socket_table::{Listener, PeerSocket, TcpState, Timer, TimerKind};
pub use surroundings::Surroundings;
pub(crate) use task_limit::TaskLimit;
pub use tmp::Tmp;
pub use tracer::Trace;
pub(crate) use tracer::{BREAKPOINTS, Place, TracePlan, TraceState, executables, libraries};
pub use usage::{NofileLimit, Process, ProcessUsage, Usage};
pub(crate) use vitals::Vital;
pub use vitals::{Glance, Vitals};
#[cfg(test)]
pub(crate) use wakeups::Wakeup;
pub(crate) use wakeups::{Wakeups, since as wakeups_since, wakeups};
pub(crate) use written::{FileSizes, open_files, written_since};
