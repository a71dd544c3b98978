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
    stimulus: "one client is served and leaves; once the server has noticed that and come to rest, a second one connects, and later a third one",
    needs: &[Need::SingleClient],
    runs: Runs::OwnServer,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(20),
    by_hand: "for i in 1 2 3; do python3 -c \"import socket; s=socket.create_connection(('{host}',{port})); s.sendall({request}); print(s.recv(4096))\"; sleep 1; done",
    run: |cx| Box::pin(run(cx)),
};

/// Time limit for the end of the server to become visible.
const DYING: Duration = Duration::from_millis(500);
/// Time limit for a server to notice that its client has left.
const NOTICED: Duration = Duration::from_secs(1);
/// Time that a server may take to act on that, such as to close its listening socket.
const SETTLES: Duration = Duration::from_millis(250);

async fn run(cx: &Cx) -> Checked {
    let mut client = cx.open().await?;
    let turn = client.turn()?;
    client.exchange(&turn).await?;
    let local = client.local();
    client.close();
    let is_over = || {
        let peer = cx.server().peer_socket(local);
        peer.is_none_or(|peer| !peer.is_held())
    };
    let noticed = cx.eventually(NOTICED, is_over).await;
    cx.proved(format!(
        "the first client received its whole reply and closed; the server had {}closed its end before the next one connected",
        if noticed { "" } else { "not " }
    ));
    let mut second = Ok(());
    for _ in 0..2 {
        tokio::time::sleep(SETTLES).await;
        second = cx.exchange().await.map(|_| ());
        if second.is_err() {
            break;
        }
    }
    let second = second.ascribe(FailureKind::Blocked, "a second client is served");
    let Err(Shortfall::Failed(failure)) = second else {
        return second;
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
