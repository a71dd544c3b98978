//! Descriptors are released.

use std::time::Duration;

use super::mixed::{self, is_released};
use crate::check::{Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed};
use crate::process::Usage;

/// Counts the server's descriptors over batches of connections.
pub(super) const ENTRY: Check = Check {
    id: "fd-leak",
    group: super::GROUP,
    battery: 1,
    requirement: "POSIX close(): a descriptor stays open until it is closed; the server closes its descriptor however a connection ends",
    stimulus: "3 equal batches of connections: in turn a whole exchange, FIN in mid-request, RST in mid-request, immediate RST; descriptors are counted after each batch",
    needs: &[Need::Process, Need::Tcp],
    runs: Runs::AloneOnMachine,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(60),
    by_hand: "python3 -c \"import socket,struct,time; [(s:=socket.create_connection(('{host}',{port})), s.sendall({request}[:3]), time.sleep(.005), s.setsockopt(1,13,struct.pack('ii',1,0)), s.close()) for _ in range(200)]\"; ls /proc/$p/fd | wc -l",
    run: |cx| Box::pin(run(cx)),
};

/// Minimum growth per connection that counts as a leak: 0.25 if one of the four kinds of
/// connections leaks every time.
const SLOPE: f64 = 0.05;

async fn run(cx: &Cx) -> Checked {
    let descriptors = |usage: &Usage| usage.descriptors;
    let batches = mixed::run(cx, descriptors).await?;
    cx.note("descriptors", batches.counts.clone());
    if batches.grow(SLOPE) && !is_released(cx, descriptors, &batches.counts).await? {
        let slopes: Vec<String> = batches
            .slopes()
            .iter()
            .map(|slope| format!("{slope:.2}"))
            .collect();
        return failed(
            FailureKind::Leak,
            "the number of open descriptors does not grow with every batch",
            format!(
                "{:?} descriptors before and after 3 batches of {} connections: {} more per connection",
                batches.counts,
                batches.size,
                slopes.join(", then ")
            ),
        );
    }
    Ok(())
}
