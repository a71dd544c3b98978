//! The server under test: starting it, watching it, ending it. The only place that starts processes.
//!
//! [`Server::start`] runs a [supervisor](supervise), a process of its own that starts the command and kills
//! everything that came of it as soon as tcprove ends, however it ends. What the server does is seen from
//! outside only: `/proc`, the kernel's [table of sockets](socket_table), and what it prints. Nothing here
//! ever connects to it.

mod drain;
mod ending;
mod exit;
mod failure;
mod launch;
mod life;
mod output;
mod port;
mod proc;
mod ready;
mod server;
pub mod socket_table;
mod status;
mod supervisor;
mod tmp;
mod usage;
mod vitals;

pub use exit::{Exit, StopReport, signal_name, signal_number};
pub use failure::{Holder, StartFailure};
pub use launch::{Launch, READY_TIMEOUT, Ready, StartOptions, StdoutMode};
pub use output::{Mark, OUTPUT_KEPT_BYTES, Output};
pub use port::Port;
pub(crate) use proc::parse_context_switches as context_switches_of;
pub use server::Server;
pub use socket_table::{Listener, PeerSocket, TcpState, Timer, TimerKind};
pub use supervisor::{SUPERVISE, supervise};
pub use tmp::Tmp;
pub use usage::{NofileLimit, Process, ProcessUsage, Usage};
pub use vitals::{Glance, Vital, Vitals};
