//! Clients that half-close in the middle of a request.

use std::time::Duration;

use super::half;
use crate::check::{Ascribe, Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed};
use crate::process::PeerSocket;
use crate::session::{ConnectionEnd, Session};

/// Sends a FIN in the middle of a request.
pub(super) const ENTRY: Check = Check {
    id: "fin-mid-request",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 9293 section 3.6: no data follows a FIN; a server that waits for the rest of a request keeps the connection in CLOSE-WAIT forever",
    stimulus: "10 clients send half a request and a FIN, and keep reading",
    needs: &[Need::Frame, Need::Tcp],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(20),
    by_hand: "python3 -c \"import socket; r={request}; s=socket.create_connection(('{host}',{port})); s.settimeout(5); s.send(r[:len(r)//2]); s.shutdown(1); print(s.recv(4096))\"; ss -tn state close-wait sport = :{port}",
    run: |cx| Box::pin(run(cx)),
};

/// Number of clients.
const CLIENTS: usize = 10;

async fn run(cx: &Cx) -> Checked {
    let half = half::request(cx)?;
    let mut clients = Vec::new();
    for _ in 0..cx.connections(CLIENTS) {
        let mut client = cx.open().await?;
        client.send(&half).await?;
        client.until_read().await?;
        client.half_close().await?;
        clients.push(client);
    }
    cx.proved(format!(
        "the server had read {} bytes of a request on each of {} connections before the FIN",
        half.len(),
        clients.len()
    ));
    let limit = cx.pace().reply_limit();
    let deadline = tokio::time::Instant::now() + limit;
    for client in &mut clients {
        let left = deadline.saturating_duration_since(tokio::time::Instant::now());
        if client.drained(left).await == ConnectionEnd::StillOpen {
            return failed(
                FailureKind::Leak,
                "the server closes its end after a FIN in the middle of a request",
                kept(cx, client, limit),
            );
        }
    }
    let held = |client: &Session| cx.peer(client).is_some_and(|peer| peer.is_held());
    cx.eventually(limit, || !clients.iter().any(held)).await;
    if let Some(client) = clients.iter().find(|client| held(client)) {
        return failed(
            FailureKind::Leak,
            "the server releases a connection that both ends have closed",
            kept(cx, client, limit),
        );
    }
    cx.exchange()
        .await
        .ascribe(FailureKind::Blocked, "the server keeps serving new clients")?;
    Ok(())
}

fn kept(cx: &Cx, client: &Session, limit: Duration) -> String {
    let state = |peer: PeerSocket| format!("{:?}", peer.state);
    format!(
        "after {limit:?} the server's end still existed, in state {}",
        cx.peer(client).map_or("unknown".into(), state)
    )
}
