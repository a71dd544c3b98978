//! Descriptors, threads, CPU: no leaks, and the server survives running out of descriptors.

mod emfile_live;
mod emfile_start;
mod fd_leak;
mod idle_cpu;
mod mixed;
mod thread_leak;

use super::Check;

const GROUP: &str = "resources";

pub(super) const CHECKS: &[&Check] = &[
    &fd_leak::ENTRY,
    &thread_leak::ENTRY,
    &emfile_start::ENTRY,
    &emfile_live::ENTRY,
    &idle_cpu::ENTRY,
];
