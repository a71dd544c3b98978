//! What the kernel offers and no safe crate wraps: the only unsafe code of the workspace.
//!
//! Small files, one system interface each; every `unsafe` block carries the argument why it is sound.
//! What rustix or socket2 already does safely is only gathered here, so that callers find one place.

mod addresses;
mod child_setup;
mod cpu_clock;
mod inherited;
mod no_port;
mod nofile;
mod queue;
mod signals;
mod tcp_info;
mod urgent;

pub use addresses::{can_fix_addresses, fix_addresses};
pub use child_setup::{ChildSetup, prepare_child};
pub use cpu_clock::process_cpu;
pub use inherited::close_on_exec_from;
pub use no_port::choose_port_at_connect;
pub use nofile::{initial_nofile, raise_nofile_limit};
pub use queue::unsent_bytes;
pub use signals::{ignore, signal_from_raw, watch_children};
pub use tcp_info::{TcpInfo, tcp_info};
pub use urgent::{send_oob, set_quickack};
