//! One and a half requests, then the other half.

use std::time::Duration;

use crate::check::{Check, Checked, Cx, FailureKind, Need, Runs, Weight, warned};
use crate::session::PeerError;

/// Sends one and a half requests, reads the first reply, sends the rest.
pub(super) const ENTRY: Check = Check {
    id: "split-across-two",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 9293 section 2.2: a byte-stream service; bytes after a whole message in the same read belong to the next message",
    stimulus: "one and a half requests in one segment; the other half after the first reply",
    needs: &[Need::Frame, Need::ManyTurns, Need::Reply, Need::Pipelining],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(20),
    by_hand: "python3 -c \"import socket,time; m={request}; h=len(m)//2; s=socket.create_connection(('{host}',{port})); s.sendall(m+m[:h]); print(s.recv(4096)); time.sleep(.1); s.sendall(m[h:]); print(s.recv(4096))\"",
    run: |cx| Box::pin(run(cx)),
};

async fn run(cx: &Cx) -> Checked {
    let mut client = cx.open().await?;
    let (whole, halved) = (client.turn()?, client.turn()?);
    let (first, second) = halved.request.split_at(halved.request.len() / 2);
    client.send(&[&whole.request, first].concat()).await?;
    match client.expect(&whole).await {
        Err(error @ PeerError::Silent { .. }) => {
            cx.proved("one and a half requests were sent in one segment");
            client.send(second).await?;
            let both = client
                .expect(&whole)
                .await
                .and(client.expect(&halved).await);
            return match both {
                Ok(_) => warned(
                    FailureKind::Slow,
                    "the reply to a whole request does not wait for the next request",
                    "the reply to the first request came only once the second one was complete",
                ),
                Err(_) => Err(error.into()),
            };
        }
        replied => replied?,
    };
    client.until_read().await?;
    cx.proved(
        "the server had read one and a half requests, and answered the first, before the rest was sent",
    );
    client.send(second).await?;
    client.expect(&halved).await?;
    super::end(cx, client).await
}
