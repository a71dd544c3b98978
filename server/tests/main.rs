//! The tests of the reference server, in one binary.
//!
//! | module | what it tests |
//! |---|---|
//! | `delay` | replies delayed by a known distribution |
//! | `exchanges` | every protocol in every model |
//! | `faults` | planted faults: ordinary conversations work, and the faults for a load act as described |
//! | `fuzz_faults` | the planted faults for a fuzz campaign |
//! | `layer_faults` | the planted faults of TLS and the PROXY protocol |
//! | `process` | the binary: arguments, signals, logs, workers |
//! | `proxy` | the header of the PROXY protocol: split, missing, malformed, late |
//! | `starttls` | the command that begins TLS |
//! | `stopping` | draining, idle timeouts, limits on connections |
//! | `tls` | handshakes that stall or fail, the end of a stream, certificates of clients |
//! | `transports` | every model over TLS, Unix sockets and the PROXY protocol |
//! | `unix` | the file of a Unix socket |

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod common;
mod delay;
mod exchanges;
mod faults;
mod fuzz_faults;
mod layer_faults;
mod process;
mod proxy;
mod starttls;
mod stopping;
mod tls;
mod transports;
mod unix;
