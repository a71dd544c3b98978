//! One byte per segment.

use std::time::Duration;

use super::pieces::{self, Visitor};
use crate::check::{Check, Checked, Cx, Need, Runs, Weight};

/// Splits a request into single bytes.
pub(super) const ENTRY: Check = Check {
    id: "split-bytewise",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 9293 section 2.2: TCP is a reliable, in-order, byte-stream service; a segment is not a message",
    stimulus: "the request of each turn, one byte per segment; each byte is sent once the server has read the previous one",
    needs: &[Need::Frame],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(20),
    by_hand: "python3 -c \"import socket,time; s=socket.create_connection(('{host}',{port})); s.setsockopt(6,1,1); [(s.send(bytes([b])), time.sleep(.01)) for b in {request}]; print(s.recv(4096))\"",
    run: |cx| Box::pin(run(cx)),
};

async fn run(cx: &Cx) -> Checked {
    let mut client = cx.open().await?;
    let turn = client.turn()?;
    let mut bytes = turn.request.len();
    pieces::exchange(cx, &mut client, &turn, &pieces::everywhere(bytes), false).await?;
    super::end(cx, client).await?;
    let turns = cx.talk().turns.len();
    let mut visitor = Visitor::new(cx);
    for index in 1..turns {
        bytes += visitor.visit(index, pieces::everywhere).await?;
    }
    cx.proved(format!(
        "the server had read each of {bytes} bytes before the next was sent; turns: {turns}"
    ));
    // A server may serve one client at a time.
    drop(visitor);
    cx.others_are_served().await
}
