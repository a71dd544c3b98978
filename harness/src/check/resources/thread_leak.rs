//! Threads and processes end with their connection.

use std::time::Duration;

use super::mixed::{self, is_released};
use crate::check::{Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed};
use crate::process::Usage;

/// Counts the server's threads over batches of connections.
pub(super) const ENTRY: Check = Check {
    id: "thread-leak",
    group: super::GROUP,
    battery: 1,
    requirement: "a thread or process that serves a connection ends with it, however the connection ends",
    stimulus: "3 equal batches of connections: in turn a whole exchange, FIN in mid-request, RST in mid-request, immediate RST; threads are counted after each batch",
    needs: &[Need::Process, Need::Tcp],
    runs: Runs::AloneOnMachine,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(60),
    by_hand: "python3 -c \"import socket,struct,time; [(s:=socket.create_connection(('{host}',{port})), s.sendall({request}[:3]), time.sleep(.005), s.setsockopt(1,13,struct.pack('ii',1,0)), s.close()) for _ in range(200)]\"; ls /proc/$p/task | wc -l",
    run: |cx| Box::pin(run(cx)),
};

/// Minimum growth per connection that counts as a leak: 0.25 if one of the four kinds of
/// connections leaks every time.
const SLOPE: f64 = 0.05;

async fn run(cx: &Cx) -> Checked {
    // Every process has at least one thread, so this count covers processes too.
    let threads = |usage: &Usage| usage.threads;
    let batches = mixed::run(cx, threads).await?;
    cx.note("threads", batches.counts.clone());
    if batches.grow(SLOPE) && !is_released(cx, threads, &batches.counts).await? {
        return failed(
            FailureKind::Leak,
            "the number of threads does not grow with every batch",
            format!(
                "{:?} threads before and after 3 batches of {} connections",
                batches.counts, batches.size
            ),
        );
    }
    Ok(())
}
