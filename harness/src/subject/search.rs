//! Looks for the limits that a server sets on purpose: how many clients it serves, and how many requests on a connection.

use std::time::{Duration, Instant};

use super::client::RehearsalClient;
use super::rest::released;
use crate::session::{PeerError, Session};

/// How far a search goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    /// The largest number that is tried.
    pub most: usize,
    /// When to end it.
    pub time: Duration,
}

/// What a search met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Met {
    /// So many were accepted, and the server refused the next one.
    Limit(Refusal),
    /// So many were accepted, and with the last one the server announced that it closes the connection.
    Announced(usize),
    /// So many were accepted, and no more were tried.
    AtLeast(usize),
    /// So many were accepted, and the next one was left without an answer.
    Left(usize, String),
    /// Nothing: the search itself failed.
    Nothing,
}

/// The last number that was accepted, and what happened to the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The last number that was accepted.
    pub accepts: usize,
    /// What happened to the next one, as in "the server closes it".
    pub then: String,
    /// Whether the connection was over then.
    pub closes: bool,
}

impl Refusal {
    /// What this error shows, if the server says that it refuses.
    pub(super) fn of(accepts: usize, error: &PeerError) -> Option<Self> {
        let then = match error {
            PeerError::Refused { .. } => "the connection is refused".to_owned(),
            PeerError::Reset { after: 0, .. } => "the server resets it".to_owned(),
            PeerError::Reset { got, .. } => format!("the server sends \"{got}\" and resets it"),
            PeerError::Eof { after: 0, .. } => "the server closes it".to_owned(),
            PeerError::Eof { got, .. } => format!("the server sends \"{got}\" and closes it"),
            PeerError::Wrong { reply, .. } => format!("the server answers \"{reply}\""),
            _ => return None,
        };
        Some(Self {
            accepts,
            then,
            closes: !matches!(error, PeerError::Wrong { .. }),
        })
    }
}

fn met(accepts: usize, error: &PeerError) -> Met {
    match Refusal::of(accepts, error) {
        Some(refusal) if accepts > 0 => Met::Limit(refusal),
        None if accepts > 0 && error.mismatch().is_some() => Met::Left(accepts, error.to_string()),
        _ => Met::Nothing,
    }
}

/// Asks on one connection until the server no longer answers.
pub(crate) async fn requests(client: &RehearsalClient, reach: Reach) -> Met {
    let begun = Instant::now();
    let Ok(mut session) = client.open().await else {
        return Met::Nothing;
    };
    for accepts in 0..reach.most {
        if begun.elapsed() >= reach.time {
            return Met::AtLeast(accepts);
        }
        let Ok(turn) = session.turn() else {
            return Met::Nothing;
        };
        match session.exchange(&turn).await {
            Ok(reply) if client.talk().announces_close(&reply.bytes) => {
                return match accepts {
                    // With the first reply it is no number, but a property of the turn.
                    0 => Met::Limit(Refusal {
                        accepts: 1,
                        then: "the reply before announces the close".to_owned(),
                        closes: true,
                    }),
                    _ => Met::Announced(accepts + 1),
                };
            }
            Ok(_) => {}
            Err(error) => return met(accepts, &error),
        }
    }
    Met::AtLeast(reach.most)
}

/// Fewer clients than this are few. A server that lets the next one wait limits its clients on purpose if it serves at least this
/// many: fewer are soon occupied by clients that are slow, which is a fault.
const FEW: usize = 16;

/// Connects until the server no longer serves the next client, or serves it in place of an earlier one.
pub(crate) async fn connections(client: &RehearsalClient, reach: Reach) -> Met {
    let is_watched = client.talk().carries_many_turns();
    released(client.server()).await;
    let displaced = match tried(client, reach, is_watched).await {
        Ok(met) => return met,
        Err(displaced) => displaced,
    };
    // A connection of this age would be closed again if it was closed for being idle.
    let age = displaced.age.mul_f64(AGED).max(DISPLACED_MIN);
    let mut accepts = displaced.before.max(1);
    if !stay_open(client, accepts, age).await {
        // A server that runs out of places may close idle clients sooner, and go on doing so after they have left (unbound). How
        // many of a few stay open is chance then, and all that come are served.
        if displaced.before < FEW || !stay_open(client, 1, age).await {
            // It is closed for being idle, whatever the number of the others.
            return tried(client, reach, false).await.unwrap_or(Met::Nothing);
        }
        // The server closed an earlier connection a while after the one that was too many.
        accepts = displaced.open.max(1);
        while accepts > 1 && !stay_open(client, accepts, DISPLACED_MIN).await {
            accepts = (accepts * 3 / 4).max(1);
        }
    }
    Met::Limit(Refusal {
        accepts,
        then: "an earlier one is closed".to_owned(),
        closes: false,
    })
}

/// An earlier connection was closed when others were open.
struct Displaced {
    /// Number of connections when none had been closed.
    before: usize,
    /// Number of connections that were still open.
    open: usize,
    /// Time since the first connection.
    age: Duration,
}

/// Minimum time for which connections must stay open that none displaces.
const DISPLACED_MIN: Duration = Duration::from_millis(300);
/// The age at which one connection was closed, times this: another one that gets as old stays open.
const AGED: f64 = 1.25;

/// Connects until the server no longer serves the next client; if the connections are watched, until it closes one of them.
async fn tried(client: &RehearsalClient, reach: Reach, is_watched: bool) -> Result<Met, Displaced> {
    let begun = Instant::now();
    let mut held = Vec::new();
    while held.len() < reach.most {
        if begun.elapsed() >= reach.time {
            return Ok(Met::AtLeast(held.len()));
        }
        match one_more(client).await {
            Ok(session) => held.push(session),
            Err(error) => return Ok(queued(client, met(held.len(), &error), held).await),
        }
        if is_watched {
            let ended = held.iter().filter(|one| one.was_ended_by_server()).count();
            if ended > 0 {
                return Err(Displaced {
                    before: held.len() - 1,
                    open: held.len() - ended,
                    age: begun.elapsed(),
                });
            }
        }
        // Where a reply ends the connection, one that is only open proves nothing: another one must be served beside it.
        if !client.talk().carries_many_turns()
            && let Err(error) = client.exchange().await
        {
            return Ok(queued(client, met(held.len(), &error), held).await);
        }
    }
    Ok(Met::AtLeast(reach.most))
}

/// Whether so many connections at the same time stay open until the first one has this age.
async fn stay_open(client: &RehearsalClient, count: usize, age: Duration) -> bool {
    released(client.server()).await;
    let begun = Instant::now();
    let mut held = Vec::with_capacity(count);
    for _ in 0..count {
        match one_more(client).await {
            Ok(session) => held.push(session),
            Err(_) => return false,
        }
    }
    tokio::time::sleep(age.saturating_sub(begun.elapsed()).max(DISPLACED_MIN)).await;
    !held.iter().any(Session::was_ended_by_server)
}

/// Time for one more client to connect and wait before another one leaves.
const CONNECTS_WITHIN: Duration = Duration::from_millis(100);

/// A client that was left without an answer may wait for its turn: then one more is served when another one leaves.
async fn queued(client: &RehearsalClient, met: Met, mut held: Vec<Session>) -> Met {
    let Met::Left(accepts, _) = &met else {
        return met;
    };
    if *accepts < FEW {
        return met;
    }
    let leaves = async {
        tokio::time::sleep(CONNECTS_WITHIN).await;
        held.pop();
    };
    let (waited, ()) = tokio::join!(one_more(client), leaves);
    if waited.is_err() {
        return met;
    }
    Met::Limit(Refusal {
        accepts: *accepts,
        then: "it waits until another one ends".to_owned(),
        closes: false,
    })
}

/// One more connection, which the server has served if it carries more than one turn.
async fn one_more(client: &RehearsalClient) -> Result<Session, PeerError> {
    let mut session = client.open().await?;
    if client.talk().carries_many_turns() {
        let turn = session.turn()?;
        session.exchange(&turn).await?;
    }
    Ok(session)
}
