//! Descriptors, threads, memory, CPU: no leaks, and the server survives running out of descriptors.

mod calm;
mod emfile_live;
mod emfile_start;
mod fd_leak;
mod idle_cpu;
mod idle_wakeups;
mod log_flood;
pub(super) mod mixed;
mod nproc_live;
pub(super) mod recovery;
mod rss_slope;
mod slope;
mod thread_leak;

use super::Check;

const GROUP: &str = "resources";

pub(super) const CHECKS: &[&Check] = &[
    &fd_leak::ENTRY,
    &thread_leak::ENTRY,
    &rss_slope::ENTRY,
    &emfile_start::ENTRY,
    &emfile_live::ENTRY,
    &nproc_live::ENTRY,
    &idle_cpu::ENTRY,
    &idle_wakeups::ENTRY,
    &log_flood::ENTRY,
];
