//! Kernel interfaces without a safe crate: the only unsafe code of this crate.
//!
//! One small file per interface. Every `unsafe` block explains why it is sound.

mod addresses;
mod child_setup;
mod cpu_clock;
mod inherited;
mod no_port;
mod nofile;
mod pidfd_info;
mod ptrace;
mod queue;
mod seccomp;
mod shared_words;
mod signals;
mod tcp_info;

pub use addresses::can_fix_addresses;
pub(crate) use addresses::fix_addresses;
pub(crate) use child_setup::{ChildSetup, UserIds, prepare_child};
pub(crate) use cpu_clock::process_cpu;
pub(crate) use inherited::close_on_exec_from;
pub(crate) use no_port::choose_port_at_connect;
pub(crate) use nofile::{initial_nofile, raise_nofile_limit};
pub(crate) use pidfd_info::wait_status_of;
pub(crate) use ptrace::{BREAKPOINTS, TraceStop, Tracee};
pub(crate) use queue::unsent_bytes;
pub(crate) use seccomp::{
    CallFilter, CallListener, CallResult, PendingCall, name_process, report_readable,
    report_writable,
};
pub(crate) use shared_words::{SharedWords, memory_file};
pub(crate) use signals::{
    ignore, next_signal, restore_default, signal_from_raw, watch_children, watch_signals,
};
pub(crate) use tcp_info::{TcpInfo, tcp_info};
