//! The only unsafe code: what the kernel offers and no safe crate does. One matter a file, each
//! unsafe block with its argument.

pub(crate) mod cpu;
#[cfg(feature = "cli")]
pub(crate) mod inherit;
pub(crate) mod segfault;
pub(crate) mod session;
#[cfg(feature = "cli")]
pub(crate) mod signals;
pub(crate) mod sigpipe;
pub(crate) mod watch;
