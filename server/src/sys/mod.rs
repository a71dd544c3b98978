//! The only unsafe code: kernel interfaces that no safe crate offers. One interface per file; each
//! unsafe block states why it is sound.

pub(crate) mod cpu;
#[cfg(feature = "cli")]
pub(crate) mod inherit;
pub(crate) mod segfault;
pub(crate) mod session;
#[cfg(feature = "cli")]
pub(crate) mod signals;
pub(crate) mod sigpipe;
pub(crate) mod watch;
