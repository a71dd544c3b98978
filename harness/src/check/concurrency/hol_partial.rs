//! Many clients that have begun to speak and do not go on.

use std::time::Duration;

use crate::check::{Ascribe, Check, Checked, Cx, Kind, Runs, Weight, inconclusive};
use crate::process::TcpState;
use crate::session::Session;
use crate::talk::Frame;

/// Lets many clients begin a request and stop there while another asks.
pub const ENTRY: Check = Check {
    id: "hol-partial",
    group: super::GROUP,
    battery: 1,
    requirement: "CWE-400, slowloris: clients that never finish their request must not use up the places of those who do (a limit of connections is for promise.max_connections to say)",
    stimulus: "200 clients send one byte of a request each and no more (nothing, where one byte is a request); then another sends a whole one",
    needs: &[],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(30),
    by_hand: "python3 -c \"import socket; c=lambda: socket.create_connection(('{host}',{port})); r={request}; slow=[c() for _ in range(200)]; [x.send(r[:1]) for x in slow]; s=c(); s.settimeout(5); s.send(r); print(s.recv(4096))\"",
    run: |cx| Box::pin(run(cx)),
};

/// Clients that do not go on.
const CLIENTS: usize = 200;
/// Longer than the first repetition of a SYN that found the queue full: who is not connected by then
/// faces a server that does not accept.
const CONNECTS_WITHIN: Duration = Duration::from_millis(1500);
/// What an accept loop gets before the next client comes, so that a short queue is not what is tested.
const ACCEPTED_WITHIN: Duration = Duration::from_millis(3);
/// What the server gets to read the bytes.
const READ_WITHIN: Duration = Duration::from_millis(300);

async fn run(cx: &Cx) -> Checked {
    let request = cx.voice().turn()?.request;
    let says = if cx.talk().request == Frame::None || request.len() < 2 {
        &[][..]
    } else {
        &request[..1]
    };
    let mut clients = gathered(cx).await?;
    for client in &mut clients {
        client.send(says).await.ascribe(
            Kind::Blocked,
            "the server takes the first byte of a request",
        )?;
    }
    let is_read = |client: &Session| {
        cx.peer(client).is_some_and(|peer| {
            peer.is_held() && peer.recv_q == 0 && peer.bytes_received() >= client.sent()
        })
    };
    cx.eventually(READ_WITHIN, || clients.iter().all(is_read))
        .await;
    let there = clients.iter().filter(|client| is_there(cx, client)).count();
    let read = clients.iter().filter(|client| is_read(client)).count();
    cx.note("clients", clients.len());
    cx.note("clients_accepted_and_read", read);
    if there == 0 {
        return inconclusive(
            "unproven: the clients' connections are not in the server's socket table",
        );
    }
    let said = if says.is_empty() {
        "and have said nothing"
    } else {
        "with one byte of a request each"
    };
    cx.proved(format!(
        "{there} connections are ESTABLISHED in the server's socket table {said}; the server has accepted and read {read} of them"
    ));
    let waiting = clients.len() - read;
    let while_they_wait = format!(
        "another client is served while {} do not finish ({waiting} of them not even accepted and read)",
        clients.len()
    );
    cx.exchange()
        .await
        .ascribe(Kind::Blocked, &while_they_wait)?;
    Ok(())
}

/// Connects one after the other; ends early when the server does not accept any more.
async fn gathered(cx: &Cx) -> Checked<Vec<Session>> {
    let mut clients = Vec::new();
    while clients.len() < cx.connections(CLIENTS) {
        let Ok(connected) = tokio::time::timeout(CONNECTS_WITHIN, cx.try_connect()).await else {
            break;
        };
        let client = connected.ascribe(
            Kind::Blocked,
            "the server accepts 200 clients that do not go on",
        )?;
        cx.eventually(ACCEPTED_WITHIN, || {
            cx.peer(&client).is_some_and(|peer| peer.is_held())
        })
        .await;
        clients.push(client);
    }
    Ok(clients)
}

fn is_there(cx: &Cx, client: &Session) -> bool {
    cx.peer(client).is_some_and(|peer| {
        matches!(peer.state, TcpState::Established) && peer.bytes_received() >= client.sent()
    })
}
