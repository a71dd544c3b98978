//! A hundred requests in one write.

use std::time::Duration;

use crate::check::{Ascribe, Check, Checked, Cx, Need, Runs, Weight, inconclusive};

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
    let mut client = cx.open().await?;
    let mut turns = Vec::with_capacity(REQUESTS);
    for _ in 0..REQUESTS {
        turns.push(client.turn()?);
    }
    let together: Vec<u8> = turns
        .iter()
        .flat_map(|turn| turn.request.iter().copied())
        .collect();
    let written = client.link().try_write(&together);
    if written.as_ref().ok() != Some(&together.len()) {
        return inconclusive(format!(
            "unproven: one write did not accept all {} bytes: {written:?}",
            together.len()
        ));
    }
    cx.step(format!(
        "send {REQUESTS} requests in one write of {} bytes",
        together.len()
    ));
    cx.proved(format!(
        "one write accepted all {} bytes of {REQUESTS} requests",
        together.len()
    ));
    for (number, turn) in turns.iter().enumerate() {
        client
            .expect(turn)
            .await
            .at(|| format!("reply {} of {REQUESTS}", number + 1))?;
    }
    client.close();
    Ok(())
}
