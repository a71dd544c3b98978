//! One silent client.

use std::time::Duration;

use crate::check::{Check, Checked, Cx, Need, Runs, Weight, inconclusive};
use crate::process::TcpState;

/// Keeps one client silent while another sends a request.
pub(super) const ENTRY: Check = Check {
    id: "hol-idle",
    group: super::GROUP,
    battery: 1,
    requirement: "POSIX listen(), accept(): a server accepts further connections while one is open; a silent client must not block the others",
    stimulus: "one client connects and stays silent; a second one sends its request",
    needs: &[Need::Tcp],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(20),
    by_hand: "python3 -c \"import socket; c=lambda: socket.create_connection(('{host}',{port})); silent={bare}; s=c(); s.settimeout(5); s.send({request}); print(s.recv(4096))\"",
    run: |cx| Box::pin(run(cx)),
};

/// Time limit for the server to accept. A busy server leaves the connection in its queue.
const ACCEPTED_WITHIN: Duration = Duration::from_millis(200);
/// Time from accept to the first read: a thread that is still starting could be overtaken by the
/// next one.
const SETTLES: Duration = Duration::from_millis(30);

async fn run(cx: &Cx) -> Checked {
    let silent = cx.connect().await?;
    let held = cx
        .eventually(ACCEPTED_WITHIN, || {
            cx.peer(&silent).is_some_and(|peer| peer.is_held())
        })
        .await;
    tokio::time::sleep(SETTLES).await;
    cx.is_handed_over(&silent)?;
    let Some(peer) = cx
        .peer(&silent)
        .filter(|peer| peer.state == TcpState::Established)
    else {
        return inconclusive(
            "unproven: the silent client's connection is not in the server's socket table",
        );
    };
    let place = if held {
        "accepted by the server"
    } else {
        "in the server's queue, not accepted"
    };
    cx.proved(format!(
        "the silent client's connection is ESTABLISHED and {place}; {} bytes were sent on it",
        peer.bytes_received()
    ));
    cx.others_are_served().await?;
    silent.close();
    Ok(())
}
