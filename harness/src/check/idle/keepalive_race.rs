//! Requests that meet the idle time-out.

use std::time::{Duration, Instant};

use crate::check::closing::was_closed_unread;
use crate::check::{Check, Checked, Cx, FailureKind, Need, Runs, Shortfall, Weight, failed, skip};
use crate::session::{ConnectionEnd, PeerError};

/// Sends requests at the moment at which idle connections are closed.
pub(super) const ENTRY: Check = Check {
    id: "keepalive-race",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 9112 section 9.5: a server may close an idle connection while a request is on its way, but must not drop one that it has read: the time-out ends when a request begins (aiohttp#13283)",
    stimulus: "the time until an idle connection is closed is measured; then 40 clients become idle, and each sends a request, from 10 % of that time before it to 5 % after it",
    needs: &[
        Need::IdleTimeout,
        Need::Reply,
        Need::ManyTurns,
        Need::Accepts,
        Need::Tcp,
    ],
    runs: Runs::OwnServer,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(1200),
    by_hand: "python3 -c \"import socket,time; r={request}; s=socket.create_connection(('{host}',{port})); s.sendall(r); s.recv(4096); b=time.time(); s.recv(1); t=time.time()-b\nfor i in range(40):\n s=socket.create_connection(('{host}',{port})); s.sendall(r); s.recv(4096); time.sleep(t*(.9+.15*i/40)); s.sendall(r); print(i, s.recv(4096))\"",
    run: |cx| Box::pin(run(cx)),
};

/// Number of clients.
const CLIENTS: usize = 40;
/// The first and the last request are sent after these parts of the measured time.
const FROM: f64 = 0.90;
const TO: f64 = 1.05;
/// Minimum time by which the server may close later than it promises.
const SLACK: Duration = Duration::from_secs(5);
const EXPECTED: &str = "a request is answered, or the connection was closed before it was read";

/// What became of a request.
enum Met {
    Answered,
    /// The connection had been closed, and the request was never read.
    Closed,
}

async fn run(cx: &Cx) -> Checked {
    let promised = cx.promise().idle_timeout.unwrap_or_default();
    super::in_reach(cx, promised)?;
    let Some(closes_after) = measured(cx, promised + SLACK).await? else {
        return skip("the server closes no idle connection, see idle-timeout");
    };
    if !serves_two(cx, promised / 2).await? {
        return skip("a client waits while another one is idle, see hol-idle");
    }
    cx.note("closed_after_ms", closes_after.as_secs_f64() * 1e3);
    let met = cx
        .crowd(cx.connections(CLIENTS), |cx, number| async move {
            let part = FROM + (TO - FROM) * number as f64 / CLIENTS as f64;
            meets(&cx, closes_after.mul_f64(part)).await
        })
        .await;
    let count = |is: fn(&Met) -> bool| met.iter().flatten().filter(|met| is(met)).count();
    let answered = count(|met| matches!(met, Met::Answered));
    let closed = count(|met| matches!(met, Met::Closed));
    cx.note("answered", answered);
    cx.note("closed_before_read", closed);
    cx.proved(format!(
        "an idle connection was closed after {closes_after:?}; of the requests sent about then, {answered} were answered and {closed} found the connection closed"
    ));
    let is_coarse = answered == 0 || closed == 0;
    met.into_iter().collect::<Checked<Vec<_>>>()?;
    if is_coarse {
        return skip(format!(
            "the server's timers are too coarse to be met: {answered} requests were answered, {closed} found the connection closed"
        ));
    }
    cx.others_are_served().await
}

/// The time after which the server closes an idle connection.
async fn measured(cx: &Cx, limit: Duration) -> Checked<Option<Duration>> {
    let mut client = cx.open().await?;
    let turn = client.turn()?;
    client.exchange(&turn).await?;
    let begun = Instant::now();
    let end = client.drained(limit).await;
    Ok((end != ConnectionEnd::StillOpen).then(|| begun.elapsed()))
}

/// Whether a second client is served within `limit` while another one is idle.
async fn serves_two(cx: &Cx, limit: Duration) -> Checked<bool> {
    let mut idle = cx.open().await?;
    let turn = idle.turn()?;
    idle.exchange(&turn).await?;
    let second = tokio::time::timeout(limit, cx.exchange()).await;
    idle.close();
    Ok(second.is_ok())
}

/// Becomes idle, and sends a request after this time.
async fn meets(cx: &Cx, after: Duration) -> Checked<Met> {
    let mut client = cx.open().await?;
    let turn = client.turn()?;
    client.exchange(&turn).await?;
    let turn = client.turn()?;
    tokio::time::sleep(after).await;
    if client.drained(Duration::ZERO).await != ConnectionEnd::StillOpen {
        return Ok(Met::Closed);
    }
    let error = match client.exchange(&turn).await {
        Ok(_) => return Ok(Met::Answered),
        Err(error) => error,
    };
    if was_closed_unread(cx, &client, &error).await {
        return Ok(Met::Closed);
    }
    match error {
        PeerError::Eof { after: 0, .. } => failed(
            FailureKind::LostReply,
            EXPECTED,
            format!(
                "a request sent {after:?} after the last reply was read, and the connection closed without a reply"
            ),
        ),
        PeerError::Eof { after: bytes, .. } | PeerError::Reset { after: bytes, .. } => failed(
            FailureKind::LostReply,
            EXPECTED,
            format!(
                "the reply to a request sent {after:?} after the last one ends after {bytes} bytes"
            ),
        ),
        error => Err(Shortfall::from(error)),
    }
}
