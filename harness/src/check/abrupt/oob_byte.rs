//! One byte of urgent data.

use std::time::Duration;

use super::idle_cpu;
use crate::check::{Ascribe, Check, Checked, Cx, Failure, Kind, Need, Runs, Shortfall, Weight};
use crate::session::PeerError;
use crate::sys::{send_oob, unsent_bytes};

/// Sends one urgent byte and looks whether it is forgotten.
pub const ENTRY: Check = Check {
    id: "oob-byte",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 6093: urgent data is deprecated, and any peer may still send it; POSIX recv(): without SO_OOBINLINE the byte is no part of the stream (beanstalkd 1.12 never sleeps again)",
    stimulus: "one byte of urgent data (MSG_OOB), half a second of silence, then a request on the same connection",
    needs: &[Need::Process],
    runs: Runs::AloneOnMachine,
    weight: Weight::Fails,
    control: true,
    limit: Duration::from_secs(20),
    by_hand: "{cmd} & p=$!; sleep 1; python3 -c \"import socket,time; s=socket.create_connection(('{host}',{port})); s.send(b'!', socket.MSG_OOB); time.sleep(5); s.settimeout(5); s.send({request}); print(s.recv(4096))\" & sleep 1; top -b -n 2 -d 3 -p $p | tail -1; wait $!; kill $p",
    run: |cx| Box::pin(run(cx)),
};

/// The other end's kernel acknowledges a byte at once.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(1);
/// The server waits for the connection by then: its first read, sooner, would forget the urgent byte.
const SETTLES: Duration = Duration::from_millis(50);

async fn run(cx: &Cx) -> Checked {
    let before = idle_cpu::settled(cx).await?;
    let mut client = cx.open().await?;
    tokio::time::sleep(SETTLES).await;
    let received = cx.peer(&client).map(|peer| peer.bytes_received());
    cx.step("one urgent byte (MSG_OOB)");
    send_oob(client.stream(), b'!').map_err(PeerError::Harness)?;
    let acknowledged = cx
        .eventually(ACKNOWLEDGED_WITHIN, || {
            unsent_bytes(client.stream()).is_ok_and(|bytes| bytes == 0)
        })
        .await;
    let arrived = cx.peer(&client).map(|peer| peer.bytes_received());
    if acknowledged && arrived > received {
        cx.proved("the urgent byte is among the bytes that the server's socket has received");
    } else if acknowledged && arrived.is_none() {
        cx.proved("the server's kernel acknowledged the urgent byte; then the server closed");
    }
    idle_cpu::no_spin(cx, before, "a client has sent one urgent byte").await?;
    let turn = client.turn()?;
    let expected = "the stream goes on without the urgent byte";
    client
        .send(&turn.request)
        .await
        .ascribe(Kind::LostReply, expected)?;
    match client.expect(&turn).await {
        Ok(_) => Ok(()),
        // With SO_OOBINLINE the byte is a part of the stream; the talk does not say what it means there.
        Err(wrong @ PeerError::Wrong { .. }) => Err(Shortfall::Warned(Failure {
            kind: Kind::WrongReply,
            expected: expected.into(),
            actual: format!("{wrong} (does the server read urgent data inline?)"),
        })),
        Err(error) => Err(error).ascribe(Kind::LostReply, expected),
    }
}
