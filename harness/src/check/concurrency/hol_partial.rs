//! Many clients that start a request and do not finish it.

use std::time::{Duration, Instant};

use crate::check::{
    Ascribe, Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed, inconclusive, skip,
};
use crate::process::TcpState;
use crate::session::{PeerError, Session};
use crate::talk::Frame;

/// Lets many clients send the start of a request while another sends a whole one.
pub(super) const ENTRY: Check = Check {
    id: "hol-partial",
    group: super::GROUP,
    battery: 1,
    requirement: "CWE-400, slowloris: clients that never finish their request must not keep others from being served (declare a connection limit as promise.max_connections)",
    stimulus: "200 clients send one byte of a request each (nothing, if one byte is a whole request); then another sends a whole one",
    needs: &[Need::Tcp],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(45),
    by_hand: "python3 -c \"import socket; c=lambda: socket.create_connection(('{host}',{port})); r={request}; slow=[c() for _ in range(200)]; [x.send(r[:1]) for x in slow]; s=c(); s.settimeout(5); s.send(r); print(s.recv(4096))\"",
    run: |cx| Box::pin(run(cx)),
};

/// Number of clients that do not finish.
const CLIENTS: usize = 200;
/// Time limit for a connect: longer than the first retransmission of a SYN that found the queue
/// full. After it, the server does not accept any more.
const CONNECTS_WITHIN: Duration = Duration::from_millis(1500);
/// Time for the server to accept before the next client connects, so that a short queue is not what
/// is tested.
const ACCEPTED_WITHIN: Duration = Duration::from_millis(3);
/// Time for another client to get its turn if the server ends those that wait, and the pause between two looks whether it does.
const TURN_WITHIN: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(50);
/// Time for the server to read the bytes.
const READ_WITHIN: Duration = Duration::from_millis(300);

async fn run(cx: &Cx) -> Checked {
    let request = cx.voice().first_request()?;
    let says = if cx.talk().request == Frame::None || request.len() < 2 {
        &[][..]
    } else {
        &request[..1]
    };
    let mut clients = gathered(cx).await?;
    for client in &mut clients {
        match client.send(says).await {
            // Over TLS, a client that is not accepted cannot even send a byte.
            Err(PeerError::NoHandshake { .. }) => break,
            sent => sent.ascribe(
                FailureKind::Blocked,
                "the server accepts the first byte of a request",
            )?,
        }
    }
    let is_read = |client: &Session| {
        cx.peer(client)
            .is_some_and(|peer| peer.is_held() && peer.recv_q == 0 && client.has_arrived(&peer))
    };
    cx.eventually(READ_WITHIN, || clients.iter().all(is_read))
        .await;
    let there = clients.iter().filter(|client| is_there(cx, client)).count();
    let read = clients.iter().filter(|client| is_read(client)).count();
    cx.note("clients", clients.len());
    cx.note("clients_accepted_and_read", read);
    if !clients.is_empty() && clients.iter().all(|client| cx.is_over(client)) {
        return skip(
            "the server ends each connection at its first byte, so that no client is left unfinished",
        );
    }
    if there == 0 {
        return inconclusive(
            "unproven: the clients' connections are not in the server's socket table",
        );
    }
    let said = if says.is_empty() {
        "and have sent nothing"
    } else {
        "with one byte of a request each"
    };
    cx.proved(format!(
        "{there} connections are ESTABLISHED in the server's socket table {said}; the server has accepted and read {read} of them"
    ));
    let waiting = clients.len() - read;
    let while_they_wait = format!(
        "another client is served while {} clients do not finish their request ({waiting} of them were not accepted and read)",
        clients.len()
    );
    another_is_served(cx, &clients)
        .await
        .ascribe(FailureKind::Blocked, &while_they_wait)
}

/// Fails if another client gets no reply, unless the server ends one after the other of those that wait: then its turn comes.
async fn another_is_served(cx: &Cx, clients: &[Session]) -> Checked {
    let limit = cx.pace().reply_limit();
    let over = || clients.iter().filter(|client| cx.is_over(client)).count();
    let stands_still = async {
        let (mut ended, mut since) = (over(), Instant::now());
        while since.elapsed() < limit {
            tokio::time::sleep(LOOK).await;
            let now = over();
            if now > ended {
                (ended, since) = (now, Instant::now());
            }
        }
    };
    tokio::select! {
        served = cx.exchange_within(TURN_WITHIN) => served.map(drop),
        () = stands_still => failed(
            FailureKind::Blocked,
            "a reply",
            format!("no complete reply within {limit:?}, in which the server ended none of the others"),
        ),
    }
}

/// Connects one client after the other, until the server does not accept any more.
async fn gathered(cx: &Cx) -> Checked<Vec<Session>> {
    let mut clients = Vec::new();
    while clients.len() < cx.connections(CLIENTS) {
        let Ok(connected) = tokio::time::timeout(CONNECTS_WITHIN, cx.try_connect()).await else {
            break;
        };
        let client = connected.ascribe(
            FailureKind::Blocked,
            "the server accepts 200 clients that do not finish their request",
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
        matches!(peer.state, TcpState::Established) && client.has_arrived(&peer)
    })
}
