//! One client, then another.

use std::time::Duration;

use crate::check::{
    Ascribe, Check, Checked, Cx, FailureKind, Need, Runs, Shortfall, Weight, failed,
};

/// Is served, leaves, and connects again.
pub(super) const ENTRY: Check = Check {
    id: "serves-again",
    group: super::GROUP,
    battery: 1,
    requirement: "POSIX accept(): takes the next connection off the queue; a server calls it again for the next client",
    stimulus: "one client is served and leaves; then a second one connects",
    needs: &[Need::SingleClient],
    runs: Runs::OwnServer,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(20),
    by_hand: "for i in 1 2; do python3 -c \"import socket; s=socket.create_connection(('{host}',{port})); s.sendall({request}); print(s.recv(4096))\"; done",
    run: |cx| Box::pin(run(cx)),
};

/// Time limit for the end of the server to become visible.
const DYING: Duration = Duration::from_millis(500);

async fn run(cx: &Cx) -> Checked {
    cx.exchange().await?;
    cx.proved("the first client received its whole reply and closed");
    let second = cx
        .exchange()
        .await
        .ascribe(FailureKind::Blocked, "a second client is served");
    let Err(Shortfall::Failed(failure)) = second else {
        return second.map(|_| ());
    };
    match cx.server().wait_exit(DYING).await {
        Some(exit) => failed(
            FailureKind::Died,
            "a second client is served",
            format!("the server serves a single client: after it the server {exit}"),
        ),
        None => failed(
            failure.kind,
            failure.mismatch.expected,
            format!(
                "the server serves a single client: for the second one, {}",
                failure.mismatch.actual
            ),
        ),
    }
}
