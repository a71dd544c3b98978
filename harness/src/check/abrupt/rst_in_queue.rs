//! Clients that leave before the server accepts them.

use std::time::Duration;

use crate::check::concurrency::stopped::Stopped;
use crate::check::{Ascribe, Check, Checked, Cx, Need, Runs, Weight, inconclusive};
use crate::session::Session;

/// Resets connections while they wait to be accepted.
pub(super) const ENTRY: Check = Check {
    id: "rst-in-queue",
    group: super::GROUP,
    battery: 1,
    requirement: "accept(2), getpeername(2): a connection may be reset while it waits for accept; Linux still returns it, and getpeername then fails with ENOTCONN (waitress#418: the socket stays registered, and the server never sleeps again)",
    stimulus: "twice: the server is stopped (SIGSTOP), 50 clients connect, the second time they also send a request, and reset, the server is continued (SIGCONT)",
    needs: &[Need::Spawned, Need::Tcp],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(20),
    by_hand: "{cmd} & p=$!; sleep 1; kill -STOP $p; python3 -c \"import socket,struct; [(lambda s: (s.send({request}), s.setsockopt(1,13,struct.pack('ii',1,0)), s.close()))({bare}) for _ in range(50)]\"; kill -CONT $p; python3 -c \"import socket; s=socket.create_connection(('{host}',{port})); s.settimeout(5); s.send({request}); print(s.recv(4096))\"; {top}; ls /proc/$p/fd | wc -l; kill $p",
    run: |cx| Box::pin(run(cx)),
};

/// Number of clients, if the accept queue has room for them.
const CLIENTS: usize = 50;
/// Time limit for connections to enter the accept queue. The kernel needs microseconds.
const QUEUED_WITHIN: Duration = Duration::from_secs(1);

async fn run(cx: &Cx) -> Checked {
    let mut queued = Vec::new();
    for request in [Vec::new(), cx.voice().first_request()?] {
        queued.push(one_round(cx, &request).await?);
        cx.proved(format!(
            "all processes of the server were stopped (state T); {queued:?} connections, the second time with a request, waited for accept when they were reset"
        ));
        let how = if request.is_empty() {
            "without"
        } else {
            "with"
        };
        cx.is_alive()
            .await
            .at(|| format!("after clients {how} a request"))?;
    }
    Ok(())
}

/// Clients that send this and reset before they are accepted. Returns their number.
async fn one_round(cx: &Cx, request: &[u8]) -> Checked<usize> {
    let Some(listener) = cx.server().listener() else {
        return inconclusive("unproven: the server's listening socket is not in the socket table");
    };
    let wanted = cx
        .connections(CLIENTS)
        .min(listener.backlog.max(1) as usize);
    let stopped = Stopped::hold(cx).await?;
    let mut clients: Vec<Session> = Vec::new();
    for _ in 0..wanted {
        let mut client = cx.connect_bare().await?;
        if !request.is_empty() {
            client.send_raw(request).await?;
        }
        clients.push(client);
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
    stopped.resume();
    Ok(wanted)
}
