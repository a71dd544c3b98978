//! Starts, watches and ends real servers through `tcprove::process`.
//!
//! The servers are small programs for python3 and sh. A test whose interpreter is missing is skipped.

mod ending;
mod programs;
mod sockets;
mod starting;
mod surroundings;
mod tracing;
mod watching;
