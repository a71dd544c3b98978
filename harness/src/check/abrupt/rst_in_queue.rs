//! Clients that leave before the server accepts them.

use std::time::Duration;

use crate::check::concurrency::stopped::Stopped;
use crate::check::{Check, Checked, Cx, Need, Runs, Weight, inconclusive};

/// Resets connections while they wait to be accepted.
pub(super) const ENTRY: Check = Check {
    id: "rst-in-queue",
    group: super::GROUP,
    battery: 1,
    requirement: "accept(2), getpeername(2): a connection may be reset while it waits for accept; Linux still returns it, and getpeername then fails with ENOTCONN",
    stimulus: "the server is stopped (SIGSTOP), 50 clients connect and reset, the server is continued (SIGCONT)",
    needs: &[Need::Spawned, Need::Tcp],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(20),
    by_hand: "{cmd} & p=$!; sleep 1; kill -STOP $p; python3 -c \"import socket,struct; [(lambda s: (s.setsockopt(1,13,struct.pack('ii',1,0)), s.close()))(socket.create_connection(('{host}',{port}))) for _ in range(50)]\"; kill -CONT $p; python3 -c \"import socket; s=socket.create_connection(('{host}',{port})); s.settimeout(5); s.send({request}); print(s.recv(4096))\"; kill $p",
    run: |cx| Box::pin(run(cx)),
};

/// Number of clients, if the accept queue has room for them.
const CLIENTS: usize = 50;
/// Time limit for connections to enter the accept queue. The kernel needs microseconds.
const QUEUED_WITHIN: Duration = Duration::from_secs(1);

async fn run(cx: &Cx) -> Checked {
    let Some(listener) = cx.server().listener() else {
        return inconclusive("unproven: the server's listening socket is not in the socket table");
    };
    let wanted = cx
        .connections(CLIENTS)
        .min(listener.backlog.max(1) as usize);
    let stopped = Stopped::hold(cx).await?;
    let mut clients = Vec::new();
    for _ in 0..wanted {
        clients.push(cx.connect().await?);
    }
    let queued = || {
        clients
            .iter()
            .filter(|client| cx.peer(client).is_some_and(|peer| !peer.is_held()))
            .count()
    };
    if !cx.eventually(QUEUED_WITHIN, || queued() == wanted).await {
        return inconclusive(format!(
            "unproven: only {} of {wanted} connections waited for accept",
            queued()
        ));
    }
    for client in clients {
        client.reset()?;
    }
    cx.proved(format!(
        "all processes of the server were stopped (state T); {wanted} connections waited for accept when they were reset"
    ));
    stopped.resume();
    cx.is_alive().await
}
