//! One byte per segment.

use std::time::Duration;

use crate::check::{Check, Checked, Cx, Need, Runs, Weight};

/// Splits a request into single bytes.
pub(super) const ENTRY: Check = Check {
    id: "split-bytewise",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 9293 section 2.2: TCP is a reliable, in-order, byte-stream service; a segment is not a message",
    stimulus: "one request, one byte per segment; each byte is sent once the server has read the previous one",
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
    for byte in turn.request.chunks(1) {
        client.send(byte).await?;
        client.until_read().await?;
        cx.proved(format!(
            "the server had read each of {} bytes before the next was sent",
            client.sent()
        ));
    }
    client.expect(&turn).await?;
    super::end(cx, client).await?;
    cx.others_are_served().await
}
