//! A client that half-closes right after its request.

use std::time::{Duration, Instant};

use rustix::net::sockopt::set_tcp_cork;

use crate::check::{Ascribe, Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed};
use crate::session::{After, ConnectionEnd, PeerError, Session};
use crate::sys::unsent_bytes;

/// Sends a request and a FIN in one segment, and expects the reply.
pub(super) const ENTRY: Check = Check {
    id: "fin-after-request",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 9293 section 3.6: CLOSE means \"I have no more data to send\"; the receiver of a FIN may still send, so the reply must be sent (nmap#2510)",
    stimulus: "a request and a FIN in the same segment; then the client reads; up to 200 clients, one after the other",
    needs: &[Need::Tcp, Need::PlainText],
    runs: Runs::Shared,
    weight: Weight::Warns,
    control: false,
    limit: Duration::from_secs(20),
    by_hand: "python3 -c \"import socket; s=socket.create_connection(('{host}',{port})); s.settimeout(5); s.setsockopt(6,3,1); s.send({request}); s.shutdown(1); print(s.recv(4096), s.recv(4096))\"",
    run: |cx| Box::pin(run(cx)),
};

/// Time limit for the acknowledgement of a FIN. The server's kernel sends it at once.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(1);

/// Number of clients, one after the other: in some servers the end of a connection races with the reply (tarantool, tinyproxy).
/// They stop after this time, so that a slow server gets fewer.
const CLIENTS: usize = 200;
const CLIENTS_TIME: Duration = Duration::from_secs(2);

async fn run(cx: &Cx) -> Checked {
    let begun = Instant::now();
    for _ in 0..CLIENTS {
        one_client(cx).await?;
        if begun.elapsed() >= CLIENTS_TIME {
            break;
        }
    }
    Ok(())
}

async fn one_client(cx: &Cx) -> Checked {
    let mut client = cx.open().await?;
    let turn = client.turn()?;
    // Corked until the FIN is sent with it, so the server sees both in its first read.
    set_tcp_cork(client.link(), true).map_err(|error| PeerError::Harness(error.into()))?;
    client.send(&turn.request).await?;
    client.half_close().await?;
    if acknowledged(cx, &mut client).await {
        cx.proved("the server's kernel acknowledged the request and the FIN");
    }
    let reply = client.expect(&turn).await.ascribe(
        FailureKind::LostReply,
        "the reply to a request that is followed by a FIN",
    )?;
    let ended = match reply.after {
        After::Open => client.drained(cx.pace().reply_limit()).await,
        After::Closed => ConnectionEnd::Eof,
        After::Reset => ConnectionEnd::Reset,
    };
    match ended {
        ConnectionEnd::Eof => Ok(()),
        ConnectionEnd::Reset => failed(
            FailureKind::Reset,
            "after the reply the server closes the connection with a FIN",
            "it reset the connection",
        ),
        ConnectionEnd::StillOpen => failed(
            FailureKind::Leak,
            "after the reply the server closes its end, as the client did",
            format!(
                "the reply arrived, but {:?} later the connection was still open",
                cx.pace().reply_limit()
            ),
        ),
    }
}

/// A FIN counts as one byte of the send queue until it is acknowledged.
async fn acknowledged(cx: &Cx, client: &mut Session) -> bool {
    cx.eventually(ACKNOWLEDGED_WITHIN, || {
        unsent_bytes(client.link()).is_ok_and(|bytes| bytes == 0)
    })
    .await
}
