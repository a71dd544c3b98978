//! tcprove's load engine, put to the limit client's task.

use std::net::SocketAddr;
use std::time::Duration;

use tcprove::load::{Load, Workload};
use tcprove::process::Server;
use tcprove::subject::Interrupt;
use tcprove_benches::load::Measured;

/// Bytes of the token that the talk `echo` puts before its payload.
const TOKEN_BYTES: usize = 12;

/// On each of `connections` one message of `payload` bytes in flight, for `measured` after a warm-up.
/// The clock is read for every operation, times go into histograms, and replies are compared as they are
/// by default, tokens included. `cpu` is that of the engine's thread in the measured period.
///
/// # Errors
/// What the engine says.
pub fn engine(
    server: SocketAddr,
    connections: usize,
    payload: usize,
    measured: Duration,
) -> std::io::Result<Measured> {
    let talk = tcprove::file::builtin("echo").ok_or_else(|| other("no talk `echo`"))?;
    let server = Server::attach(server, None).map_err(other)?;
    let workload = Workload {
        connections,
        payload_bytes: payload.saturating_sub(TOKEN_BYTES),
        turns: vec![1],
        warmup: Duration::from_millis(200),
        duration: measured,
        ..Workload::default()
    };
    let load = Load {
        workload: &workload,
        talk: &talk.talk,
        values: std::collections::BTreeMap::default(),
        server: &server,
        interrupt: &Interrupt::default(),
        sink: &|_| {},
    };
    let done = load.run().map_err(other)?;
    Ok(Measured {
        operations: done.windows.iter().map(|window| window.ops).sum(),
        cpu: done.own.iter().map(|own| own.cpu).sum(),
    })
}

fn other(error: impl ToString) -> std::io::Error {
    std::io::Error::other(error.to_string())
}
