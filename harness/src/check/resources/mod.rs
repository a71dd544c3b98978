//! Descriptors, threads, processor: nothing leaks, and running out of one is survived.

mod emfile_live;
mod emfile_start;
mod fd_leak;
mod idle_cpu;
mod mixed;
mod thread_leak;

use super::Check;

/// The group, as shown.
const GROUP: &str = "resources";

/// The checks of this group, in the order in which they are shown.
pub const CHECKS: &[&Check] = &[
    &fd_leak::ENTRY,
    &thread_leak::ENTRY,
    &emfile_start::ENTRY,
    &emfile_live::ENTRY,
    &idle_cpu::ENTRY,
];
