//! tcprove's load engine, running the workload of the minimal client.

use std::net::SocketAddr;
use std::time::Duration;

use tcprove::load::{Load, Workload};
use tcprove::process::Server;
use tcprove::subject::Interrupt;
use tcprove::transport::Endpoint;
use tcprove_benches::load::Measured;

/// Size in bytes of the token that the talk `echo` puts before its payload.
const TOKEN_BYTES: usize = 12;

/// Keeps one message of `payload` bytes in flight on each of `connections`, for `measured` after a
/// warm-up. With the defaults of the engine: it reads the clock for every operation, records times in
/// histograms and compares replies, including tokens. `cpu` is the CPU time of the engine's thread in
/// the measured period.
///
/// # Errors
/// The engine fails.
pub fn engine(
    server: SocketAddr,
    connections: usize,
    payload: usize,
    measured: Duration,
) -> std::io::Result<Measured> {
    let talk = tcprove::file::builtin("echo").ok_or_else(|| other("there is no talk `echo`"))?;
    let server = Server::attach(Endpoint::plain(server), None).map_err(other)?;
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
        begin: None,
        sink: &|_| {},
    };
    let done = load.run().map_err(other)?;
    Ok(Measured {
        operations: done.windows.iter().map(|window| window.ops).sum(),
        cpu: done.threads.iter().map(|thread| thread.cpu).sum(),
    })
}

fn other(error: impl ToString) -> std::io::Error {
    std::io::Error::other(error.to_string())
}
