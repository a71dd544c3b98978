//! Threads and processes are given back.

use std::time::Duration;

use super::mixed;
use crate::check::{Check, Checked, Cx, Kind, Need, Runs, Weight, failed};

/// Counts the server's threads and processes over batches of connections.
pub const ENTRY: Check = Check {
    id: "thread-leak",
    group: super::GROUP,
    battery: 1,
    requirement: "a thread or a process that carried a connection ends with it, whatever way the connection ends",
    stimulus: "3 equal batches of connections, in turn: whole exchange, FIN in mid-request, RST in mid-request, RST at once; threads are counted after each",
    needs: &[Need::Process],
    runs: Runs::AloneOnMachine,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(60),
    by_hand: "python3 -c \"import socket,struct,time; [(s:=socket.create_connection(('{host}',{port})), s.sendall({request}[:3]), time.sleep(.005), s.setsockopt(1,13,struct.pack('ii',1,0)), s.close()) for _ in range(200)]\"; ls /proc/$p/task | wc -l",
    run: |cx| Box::pin(run(cx)),
};

/// Threads for each connection: a quarter if one of the four ways leaks each time.
const SLOPE: f64 = 0.05;

async fn run(cx: &Cx) -> Checked {
    // Every process has one thread at least: threads alone tell of both.
    let batches = mixed::run(cx, |usage| usage.threads).await?;
    cx.note("threads", batches.counts.clone());
    if batches.grow(SLOPE) {
        return failed(
            Kind::Leak,
            "the count of threads stays where it is, batch after batch",
            format!(
                "{:?} threads before and after 3 batches of {} connections",
                batches.counts, batches.size
            ),
        );
    }
    Ok(())
}
