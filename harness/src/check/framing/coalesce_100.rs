//! A hundred requests in one write.

use std::time::Duration;

use crate::check::{Ascribe, Check, Checked, Cx, Need, Runs, Weight};

/// Sends many requests in one write and expects all replies in order.
pub(super) const ENTRY: Check = Check {
    id: "coalesce-100",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 9293 section 2.2: a byte-stream service; one read may hold many messages (pipelining is promised)",
    stimulus: "100 requests in one write; the server must send 100 replies in order",
    needs: &[Need::Frame, Need::ManyTurns, Need::Reply, Need::Pipelining],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(20),
    by_hand: "python3 -c \"import socket,time; s=socket.create_connection(('{host}',{port})); s.sendall({request}*100); time.sleep(1); print(s.recv(1<<20))\"",
    run: |cx| Box::pin(run(cx)),
};

/// Number of requests.
const REQUESTS: usize = 100;

async fn run(cx: &Cx) -> Checked {
    let requests = cx.requests(REQUESTS);
    let mut client = cx.open().await?;
    let mut turns = Vec::with_capacity(requests);
    for _ in 0..requests {
        turns.push(client.turn()?);
    }
    let bytes = super::in_one_write(&mut client, &turns)?;
    cx.step(format!(
        "send {requests} requests in one write of {bytes} bytes"
    ));
    cx.proved(format!(
        "one write accepted all {bytes} bytes of {requests} requests"
    ));
    for (number, turn) in turns.iter().enumerate() {
        client
            .expect(turn)
            .await
            .at(|| format!("reply {} of {requests}", number + 1))?;
    }
    super::end(cx, client).await
}
