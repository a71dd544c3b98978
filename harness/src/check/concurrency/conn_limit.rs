//! More clients than the server promises to serve.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::places::{fill, promised};
use crate::check::closing::was_closed_unread;
use crate::check::{
    Ascribe, Check, Checked, Cx, FailureKind, Need, Runs, Shortfall, Weight, failed, skip, warned,
};
use crate::session::{ConnectionEnd, PeerError, Session};

/// Takes all places, and connects some more clients.
pub(super) const ENTRY: Check = Check {
    id: "conn-limit",
    group: super::GROUP,
    battery: 1,
    requirement: "promise.max_connections: so many clients are served at once; one more is told so by a message, a close or a reset, instead of waiting for a reply that does not come; after all have left, so many are served again",
    stimulus: "the promised number of clients, each served and staying; then 20 more; then all leave, and as many come again",
    needs: &[
        Need::MaxConnections,
        Need::ManyTurns,
        Need::Reply,
        Need::Accepts,
    ],
    runs: Runs::OwnServer,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(180),
    by_hand: "python3 -c \"import socket; n={connections}; c=[socket.create_connection(('{host}',{port})) for _ in range(n+20)]; [(s.settimeout(2), s.sendall({request})) for s in c]; print([s.recv(99) for s in c[-21:]])\"",
    run: |cx| Box::pin(run(cx)),
};

/// Number of clients above the promised number.
const ABOVE: usize = 20;
/// Maximum number of the clients inside that send another request meanwhile.
const ASKED_AGAIN: usize = 100;
/// Number of times that the places are filled, for the estimate of the time.
const FILLS: u32 = 3;
/// Shortest time in which a client above the promised number learns that it is refused.
const PROMPT_MIN: Duration = Duration::from_secs(1);
const EXPECTED: &str =
    "a client above the promised number gets a message and a close, a close or a reset at once";

/// What happened to a client above the promised number.
enum Fate {
    /// It was served.
    Served,
    /// The connection ended, or was not accepted.
    Refused(String),
    /// It got a wrong reply, and the connection is still open.
    KeptOpen(String),
    /// Nothing, for as long as it waited.
    Silence,
}

/// A client above the promised number, as far as known.
#[derive(Clone, Copy, Default)]
struct Above {
    local: Option<SocketAddr>,
    /// Whether its fate is known.
    settled: bool,
}

async fn run(cx: &Cx) -> Checked {
    let places = promised(cx, FILLS, ABOVE)?;
    let filled = fill(cx, places).await?;
    if let Some(trouble) = filled.trouble {
        cx.proved(format!(
            "{places} clients connected, each of them after others had been served"
        ));
        return failed(
            trouble.kind,
            format!("{places} clients are served at once"),
            format!(
                "{} are, and the next one is not: {}",
                filled.clients.len(),
                trouble.mismatch.actual
            ),
        );
    }
    let (fates, waited) = above(cx, filled.clients).await?;
    refilled(cx, places).await?;
    judge(cx, &fates, waited)
}

/// How many clients above the promised number got no answer in time, and what that meant for others.
#[derive(Clone, Copy, Default)]
struct Waited {
    /// The server had accepted them.
    accepted: usize,
    /// They waited in the kernel's queue, as far as that is visible.
    queued: usize,
    /// Clients inside whose connections the server closed meanwhile.
    evicted: usize,
}

/// Connects the clients above the promised number while `inside` stay, and lets those leave after a while.
async fn above(cx: &Cx, inside: Vec<Session>) -> Checked<(Vec<Fate>, Waited)> {
    let places = inside.len();
    let prompt = PROMPT_MIN.max(cx.pace().exchange * 20);
    let patience = prompt + cx.pace().reply_limit() * 3;
    let seen = Rc::new(RefCell::new([Above::default(); ABOVE]));
    let crowd = cx.crowd(ABOVE, |cx, number| {
        let seen = seen.clone();
        async move {
            let fate = knock(&cx, &seen, number, patience).await;
            seen.borrow_mut()[number].settled = true;
            fate
        }
    });
    let inside = async {
        let mut inside = inside;
        let all_settled = || seen.borrow().iter().all(|client| client.settled);
        cx.eventually(prompt, all_settled).await;
        let mut waited = waiting(cx, &*seen.borrow());
        cx.proved(format!(
            "{places} clients were connected and had been served, and {ABOVE} more connected; after {prompt:?} {} of these waited",
            waited.accepted + waited.queued
        ));
        for client in inside.iter_mut().take(ASKED_AGAIN) {
            if !still_served(cx, client, places).await? {
                waited.evicted += 1;
            }
        }
        inside.into_iter().for_each(Session::close);
        Ok::<Waited, Shortfall>(waited)
    };
    let (fates, waited) = tokio::join!(crowd, inside);
    let fates: Checked<Vec<Fate>> = fates.into_iter().collect();
    Ok((fates?, waited?))
}

/// Whether a client that was connected before is still served. Servers may close connections on which nothing happens, and
/// some do so to make room (dovecot, unbound).
async fn still_served(cx: &Cx, client: &mut Session, places: usize) -> Checked<bool> {
    if client.drained(Duration::ZERO).await != ConnectionEnd::StillOpen {
        return Ok(false);
    }
    let turn = client.turn()?;
    match client.exchange(&turn).await {
        Ok(_) => Ok(true),
        Err(error) if was_closed_unread(cx, client, &error).await => Ok(false),
        Err(error) => Err(error)
            .at(|| format!("a client that was connected before the server had {places} of them")),
    }
}

/// Connects one client above the promised number, which asks as any other.
async fn knock(
    cx: &Cx,
    seen: &RefCell<[Above; ABOVE]>,
    number: usize,
    patience: Duration,
) -> Checked<Fate> {
    let begun = Instant::now();
    let mut client = match cx.try_connect_within(patience).await {
        Ok(client) => client,
        Err(error) => return fate_of(error),
    };
    seen.borrow_mut()[number].local = client.local();
    let asked: Result<_, PeerError> = async {
        client.opening().await?;
        let turn = client.turn()?;
        client.exchange(&turn).await
    }
    .await;
    let error = match asked {
        Ok(_) => return Ok(Fate::Served),
        Err(error) => error,
    };
    if !matches!(error, PeerError::Wrong { .. } | PeerError::Login(_)) {
        return fate_of(error);
    }
    let message = error.to_string();
    let left = PROMPT_MIN
        .saturating_sub(begun.elapsed())
        .max(PROMPT_MIN / 2);
    Ok(match client.drained(left).await {
        ConnectionEnd::StillOpen => Fate::KeptOpen(message),
        ConnectionEnd::Eof | ConnectionEnd::Reset => Fate::Refused(message),
    })
}

fn fate_of(error: PeerError) -> Checked<Fate> {
    match error {
        PeerError::Silent { .. }
        | PeerError::ConnectTimedOut { .. }
        | PeerError::NotTaken { .. }
        | PeerError::NotRead { .. }
        | PeerError::NoHandshake { .. } => Ok(Fate::Silence),
        error if error.mismatch().is_none() => Err(error.into()),
        error => Ok(Fate::Refused(error.to_string())),
    }
}

/// The clients above the promised number that have no answer yet.
fn waiting(cx: &Cx, above: &[Above]) -> Waited {
    let mut waited = Waited::default();
    for client in above.iter().filter(|client| !client.settled) {
        let peer = cx.server().peer_socket(client.local);
        if peer.is_some_and(|peer| peer.is_held()) {
            waited.accepted += 1;
        } else {
            waited.queued += 1;
        }
    }
    waited
}

/// Fails unless all places are free again.
async fn refilled(cx: &Cx, places: usize) -> Checked {
    let filled = fill(cx, places).await?;
    let Some(trouble) = filled.trouble else {
        return Ok(());
    };
    failed(
        FailureKind::Leak,
        format!("after all clients have left, {places} are served at once again"),
        format!(
            "after {ABOVE} clients were refused, {} are, and the next one is not: {}",
            filled.clients.len(),
            trouble.mismatch.actual
        ),
    )
}

fn judge(cx: &Cx, fates: &[Fate], waited: Waited) -> Checked {
    let count = |is: fn(&Fate) -> bool| fates.iter().filter(|fate| is(fate)).count();
    let refused = count(|fate| matches!(fate, Fate::Refused(_) | Fate::KeptOpen(_)));
    let served = count(|fate| matches!(fate, Fate::Served));
    let silent = count(|fate| matches!(fate, Fate::Silence));
    cx.note("refused", refused);
    cx.note("served", served);
    cx.note("waited", waited.accepted + waited.queued);
    cx.note("closed_meanwhile", waited.evicted);
    let how = fates.iter().find_map(|fate| match fate {
        Fate::Refused(how) | Fate::KeptOpen(how) => Some(how.clone()),
        Fate::Served | Fate::Silence => None,
    });
    if let Some(how) = how {
        cx.note("refusal", how);
    }
    if silent > 0 {
        let actual =
            format!("{silent} of {ABOVE} got no answer at all, even after all others had left");
        return failed(FailureKind::Blocked, EXPECTED, actual);
    }
    if waited.accepted > 0 {
        let actual = format!(
            "{} of {ABOVE} were accepted and got no answer until others left",
            waited.accepted
        );
        return failed(FailureKind::Blocked, EXPECTED, actual);
    }
    if let Some(Fate::KeptOpen(how)) = fates.iter().find(|fate| matches!(fate, Fate::KeptOpen(_))) {
        let actual = format!("a message without a close: {how}");
        return warned(FailureKind::NotClosed, EXPECTED, actual);
    }
    // The server may leave clients in the queue of its socket, which is bounded, and whose clients are served later. They do
    // not learn that they wait, so it deserves a warning.
    if waited.queued > 0 {
        let actual = format!(
            "{} of {ABOVE} waited in the queue of the listening socket, and were served once others had left",
            waited.queued
        );
        return warned(FailureKind::Blocked, EXPECTED, actual);
    }
    if refused + waited.evicted == 0 {
        return skip(format!(
            "the server serves {ABOVE} more clients than promise.max_connections: promise the number that it really serves"
        ));
    }
    Ok(())
}
