//! Looks for the size from which on a server refuses messages.
//!
//! The payload of a turn grows by doubling until the message is refused; then the size is bisected. A refusal says so: by a
//! close, a reset, or a reply that has nothing of the request and after which the connection is over or goes on as before. Any
//! other behaviour, such as silence or two replies, is no limit but a fault.

use std::time::Instant;

use super::client::RehearsalClient;
use super::lessons::Trouble;
use super::search::{Met, Reach, Refusal};
use crate::session::{PeerError, Session};
use crate::talk::{Exchange, Turn};

/// The first size of the payload, in bytes; smaller than any usual limit.
const FIRST: usize = 64;
/// The size of the payload in the rehearsal, which was accepted.
const PLAIN: usize = 4;

/// What became of one message.
enum Fate {
    /// It was answered as expected: its size in bytes.
    Accepted(usize),
    Refused(Refusal),
    /// It was answered otherwise, or not at all.
    Odd(Trouble),
    /// The message cannot be built, or a new client is not served at the moment.
    Impossible,
}

/// Sends messages that grow until the server refuses one, in a turn with a payload. Numbers are bytes, frame included.
/// The error is anything but a reply or a refusal, after the number of bytes that were accepted.
pub(crate) async fn message_bytes(client: &RehearsalClient, reach: Reach) -> Sized {
    let Some(exchange) = measurable(client) else {
        return Ok(Met::Nothing);
    };
    let begun = Instant::now();
    let is_over = || begun.elapsed() >= reach.time;
    let Fate::Accepted(mut accepts) = sent(client, &exchange, PLAIN).await else {
        return Ok(Met::Nothing);
    };
    let (mut low, mut high) = (PLAIN, FIRST);
    loop {
        match sent(client, &exchange, high).await {
            Fate::Accepted(bytes) => (low, accepts) = (high, bytes),
            Fate::Refused(_) => break,
            Fate::Odd(trouble) => return Err((accepts, trouble)),
            Fate::Impossible => return Ok(Met::AtLeast(accepts)),
        }
        if accepts >= reach.most || is_over() {
            return Ok(Met::AtLeast(accepts));
        }
        high *= 2;
    }
    while high - low > 1 {
        if is_over() {
            return Ok(Met::AtLeast(accepts));
        }
        let middle = low + (high - low) / 2;
        match sent(client, &exchange, middle).await {
            Fate::Accepted(bytes) => (low, accepts) = (middle, bytes),
            Fate::Refused(_) => high = middle,
            Fate::Odd(trouble) => return Err((accepts, trouble)),
            Fate::Impossible => return Ok(Met::AtLeast(accepts)),
        }
    }
    edge(client, &exchange, low).await
}

/// What was met, or what happened to a message after so many bytes had been accepted.
pub(crate) type Sized = Result<Met, (usize, Trouble)>;

/// Whether the longest request of at most `bytes` bytes is accepted, and the next longer one refused.
pub(crate) async fn message_bytes_at(client: &RehearsalClient, bytes: usize) -> Sized {
    let Some(exchange) = measurable(client) else {
        return Ok(Met::Nothing);
    };
    match longest_payload(client, &exchange, bytes).await {
        Some(payload) => edge(client, &exchange, payload).await,
        None => Ok(Met::Nothing),
    }
}

/// Asks with a payload of this size, and with one byte more.
async fn edge(client: &RehearsalClient, exchange: &Exchange, payload: usize) -> Sized {
    let accepts = match sent(client, exchange, payload).await {
        Fate::Accepted(bytes) => bytes,
        // A smaller limit.
        Fate::Refused(_) | Fate::Impossible => return Ok(Met::Nothing),
        Fate::Odd(trouble) => return Err((0, trouble)),
    };
    Ok(match sent(client, exchange, payload + 1).await {
        Fate::Accepted(bytes) => Met::AtLeast(bytes),
        Fate::Refused(refusal) => Met::Limit(Refusal { accepts, ..refusal }),
        Fate::Odd(trouble) => return Err((accepts, trouble)),
        Fate::Impossible => Met::AtLeast(accepts),
    })
}

/// The turn whose payload grows: it can carry any text, and has a reply.
fn measurable(client: &RehearsalClient) -> Option<Exchange> {
    let talk = client.talk();
    let exchange = talk.payload_turns().next()?;
    let grows = exchange.payload_is_safe(talk, b"xxxx") && exchange.expect.has_reply();
    grows.then(|| exchange.clone())
}

/// The size of the largest payload whose request has at most `most` bytes.
async fn longest_payload(
    client: &RehearsalClient,
    exchange: &Exchange,
    most: usize,
) -> Option<usize> {
    let mut session = client.open_for(exchange).await.ok()?;
    let empty = session.voice().render(exchange, b"").ok()?;
    let mut size = |payload: usize| {
        let voice = session.voice();
        let turn = voice.render_like(&empty, exchange, &vec![b'x'; payload]);
        turn.map_or(usize::MAX, |turn| turn.request.len())
    };
    let mut payload = most.checked_sub(empty.request.len())?;
    // The payload may be written in a longer form, and its length beside it.
    while payload > 0 && size(payload) > most {
        let surplus = size(payload).saturating_sub(most);
        payload -= (surplus / 2).clamp(1, payload);
    }
    while size(payload + 1) <= most {
        payload += 1;
    }
    Some(payload)
}

/// Sends one message with a payload of this size, on a new connection.
async fn sent(client: &RehearsalClient, exchange: &Exchange, payload: usize) -> Fate {
    let Ok(mut session) = client.open_for(exchange).await else {
        return Fate::Impossible;
    };
    let Ok(turn) = session.voice().render(exchange, &vec![b'x'; payload]) else {
        return Fate::Impossible;
    };
    session.owe(turn.request.clone());
    let bytes = turn.request.len();
    let error = match session.expect(&turn).await {
        Ok(_) => {
            session.close();
            return Fate::Accepted(bytes);
        }
        Err(error) => error,
    };
    if let Some(exit) = client.server().exit() {
        return odd(bytes, format!("the server {exit}"));
    }
    refused(client, session, &turn, &error).await
}

fn odd(bytes: usize, how: String) -> Fate {
    Fate::Odd(Trouble { bytes, how })
}

/// Whether this error is a refusal of the message.
async fn refused(
    client: &RehearsalClient,
    mut session: Session,
    turn: &Turn,
    error: &PeerError,
) -> Fate {
    let bytes = turn.request.len();
    let refusal = Refusal::of(0, error).filter(|_| error.is_refusal_of(&turn.token));
    let Some(refusal) = refusal else {
        return odd(bytes, error.to_string());
    };
    if refusal.closes || !client.talk().carries_many_turns() {
        return Fate::Refused(refusal);
    }
    // The rest of a message that was cut in two would be answered as well.
    let Ok(plain) = session.turn() else {
        return Fate::Refused(refusal);
    };
    match session.exchange(&plain).await {
        Ok(_) => Fate::Refused(refusal),
        Err(PeerError::Eof { after: 0, .. } | PeerError::Reset { after: 0, .. }) => {
            let then = format!("{}, and closes the connection", refusal.then);
            Fate::Refused(Refusal {
                then,
                closes: true,
                ..refusal
            })
        }
        Err(error) => odd(
            bytes,
            format!("{}; the request after it: {error}", refusal.then),
        ),
    }
}
