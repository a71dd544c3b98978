//! One byte of urgent data.

use std::time::Duration;

use super::idle_cpu;
use crate::check::{Ascribe, Check, Checked, Cx, FailureKind, Need, Runs, Weight, warned};
use crate::session::{PeerError, send_oob};
use crate::sys::unsent_bytes;

/// Sends one urgent byte and examines whether the server goes into a busy loop.
pub(super) const ENTRY: Check = Check {
    id: "oob-byte",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 6093: urgent data is deprecated, but any peer may still send it; POSIX recv(): without SO_OOBINLINE the byte is not part of the stream (beanstalkd 1.12 goes into a busy loop)",
    stimulus: "one byte of urgent data (MSG_OOB), half a second of silence, then a request on the same connection",
    needs: &[Need::Process, Need::Tcp, Need::PlainText],
    runs: Runs::AloneOnMachine,
    weight: Weight::Fails,
    control: true,
    limit: Duration::from_secs(20),
    by_hand: "{cmd} & p=$!; sleep 1; python3 -c \"import socket,time; s=socket.create_connection(('{host}',{port})); s.send(b'!', socket.MSG_OOB); time.sleep(5); s.settimeout(5); s.send({request}); print(s.recv(4096))\" & sleep 1; {top}; wait $!; kill $p",
    run: |cx| Box::pin(run(cx)),
};

/// Time limit for the acknowledgement of a byte. The server's kernel sends it at once.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(1);
/// Time for the server to start waiting for the connection. Its first read, if later, would discard
/// the urgent byte.
const SETTLES: Duration = Duration::from_millis(50);

async fn run(cx: &Cx) -> Checked {
    let before = idle_cpu::settled(cx).await?;
    let mut client = cx.open().await?;
    tokio::time::sleep(SETTLES).await;
    // With SO_OOBINLINE the byte is part of the stream, and the talk does not define its meaning.
    let client_end = client.local();
    let inline = client_end.and_then(|end| cx.server().reads_urgent_data_inline(end));
    let inline = inline.unwrap_or(false);
    let received = cx.peer(&client).map(|peer| peer.bytes_received());
    cx.step("one urgent byte (MSG_OOB)");
    send_oob(client.link(), b'!').map_err(PeerError::Harness)?;
    let acknowledged = cx
        .eventually(ACKNOWLEDGED_WITHIN, || {
            unsent_bytes(client.link()).is_ok_and(|bytes| bytes == 0)
        })
        .await;
    let arrived = cx.peer(&client).map(|peer| peer.bytes_received());
    if acknowledged && arrived > received {
        cx.proved("the server's socket received the urgent byte");
    } else if acknowledged && arrived.is_none() {
        cx.proved("the server's kernel acknowledged the urgent byte; then the server closed");
    }
    idle_cpu::no_spin(cx, before, "a client sent one urgent byte").await?;
    let turn = client.turn()?;
    let expected = "the stream continues without the urgent byte";
    match client.exchange(&turn).await {
        Ok(_) => Ok(()),
        Err(wrong @ PeerError::Wrong { .. }) => warned(
            FailureKind::WrongReply,
            expected,
            format!("{wrong} (does the server read urgent data inline?)"),
        ),
        Err(error) if inline => warned(
            FailureKind::LostReply,
            expected,
            format!("{error} (the server reads urgent data inline: SO_OOBINLINE)"),
        ),
        Err(error) => Err(error).ascribe(FailureKind::LostReply, expected),
    }
}
