//! Clients that half-close and stay connected.

use std::time::Duration;

use super::idle_cpu;
use crate::check::{Check, Checked, Cx, Need, Runs, Weight};
use crate::session::Session;
use crate::sys::unsent_bytes;

/// Half-closes, stays connected, and measures CPU usage.
pub(super) const ENTRY: Check = Check {
    id: "spin-after-eof",
    group: super::GROUP,
    battery: 1,
    requirement: "poll(2), epoll(7): a connection at end of file stays readable; a server that neither closes it nor stops polling it goes into a busy loop",
    stimulus: "one client that received its reply and one that sent nothing each send a FIN and stay connected for half a second",
    needs: &[Need::Process, Need::Tcp],
    runs: Runs::AloneOnMachine,
    weight: Weight::Fails,
    control: true,
    limit: Duration::from_secs(20),
    by_hand: "{cmd} & p=$!; sleep 1; python3 -c \"import socket,time; c=lambda: socket.create_connection(('{host}',{port})); a=c(); a.send({request}); a.recv(4096); a.shutdown(1); b={bare}; b.shutdown(1); time.sleep(5)\" & sleep 1; {top}; kill $p",
    run: |cx| Box::pin(run(cx)),
};

/// Time limit for the acknowledgement of a FIN. The server's kernel sends it at once.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(1);

async fn run(cx: &Cx) -> Checked {
    let before = idle_cpu::settled(cx).await?;
    let mut served = cx.open().await?;
    let turn = served.turn()?;
    served.exchange(&turn).await?;
    // Fails if the server closes after its reply.
    let _ = served.half_close().await;
    let mut silent = cx.connect().await?;
    silent.half_close().await?;
    let acknowledged =
        |client: &mut Session| unsent_bytes(client.link()).is_ok_and(|bytes| bytes == 0);
    if cx
        .eventually(ACKNOWLEDGED_WITHIN, || {
            acknowledged(&mut served) && acknowledged(&mut silent)
        })
        .await
    {
        let state = |client| {
            cx.peer(client)
                .map_or("closed".into(), |peer| format!("in state {:?}", peer.state))
        };
        cx.proved(format!(
            "the server's kernel acknowledged both FINs; the server's ends are now {} and {}",
            state(&served),
            state(&silent)
        ));
    }
    idle_cpu::no_spin(cx, before, "two clients have half-closed").await
}
