//! Requests whose replies are as large as the requests.

use crate::check::{Checked, Cx, Shortfall, skip};
use crate::session::PeerError;
use crate::talk::{Exchange, RenderError, Turn};

/// Maximum size of one write of a flood, in bytes, unless a single request is longer.
const PIECE_BYTES: usize = 256 * 1024;
/// Payload sizes to try, in bytes, largest first.
const PAYLOADS: [usize; 5] = [16_384, 4_096, 1_000, 200, 50];
/// Maximum request size for a server without `promise.max_message`, unless it refuses such requests: many servers read
/// lines of at most 1,024 bytes.
const UNPROMISED: usize = 800;

/// The exchange with the payload; the plain one if the talk has no payload.
pub(in crate::check) fn exchange(cx: &Cx) -> &Exchange {
    cx.voice().payload_exchange().unwrap_or(cx.talk().plain())
}

/// An exchange whose reply contains its payload, or else the plain one: a request that only stores its payload makes the server
/// grow, which may be its purpose, and has a short reply.
pub(in crate::check) fn echo(cx: &Cx) -> &Exchange {
    let mut turns = cx.talk().payload_turns();
    let exchange = turns.find(|exchange| exchange.expects_payload());
    exchange.unwrap_or(cx.talk().plain())
}

/// Like [`echo`]. Skips if a connection cannot carry it many times.
pub(in crate::check) fn echoed(cx: &Cx) -> Checked<&Exchange> {
    let exchange = echo(cx);
    match cx.talk().repeats(exchange) {
        true => Ok(exchange),
        false => skip(format!("a connection carries {} only once", exchange.label)),
    }
}

/// The turn with the largest payload that the server is known to accept; the plain turn if there is no payload.
pub(in crate::check) fn turn(cx: &Cx, exchange: &Exchange) -> Checked<Turn> {
    match exchange.uses_payload() {
        true => largest(cx, exchange),
        false => Ok(cx.voice().turn()?),
    }
}

fn largest(cx: &Cx, exchange: &Exchange) -> Checked<Turn> {
    match fitting(cx, exchange, usize::MAX)? {
        Some((_, turn)) => Ok(turn),
        None => Ok(cx.voice().turn()?),
    }
}

/// The largest payload of at most `size_max` bytes that the server is known to accept in this exchange; one byte if there is
/// none.
pub(in crate::check) fn payload(cx: &Cx, exchange: &Exchange, size_max: usize) -> Checked<Vec<u8>> {
    if !exchange.uses_payload() {
        return Ok(Vec::new());
    }
    let fitting = fitting(cx, exchange, size_max)?;
    Ok(fitting.map_or(vec![b'b'], |(payload, _)| payload))
}

/// The largest payload of at most `size_max` bytes, and the turn with it.
fn fitting(cx: &Cx, exchange: &Exchange, size_max: usize) -> Checked<Option<(Vec<u8>, Turn)>> {
    let seen = || cx.longest_request().unwrap_or(UNPROMISED).min(UNPROMISED);
    let most = cx.promise().max_message.unwrap_or_else(seen);
    for size in PAYLOADS.into_iter().filter(|size| *size <= size_max) {
        let payload = vec![b'b'; size];
        if !exchange.payload_is_safe(cx.talk(), &payload) {
            continue;
        }
        match cx.voice().render(exchange, &payload) {
            Ok(turn) if turn.request.len() <= most => return Ok(Some((payload, turn))),
            Ok(_) | Err(PeerError::Render(RenderError::TooLong { .. })) => {}
            Err(error) => return Err(Shortfall::from(error)),
        }
    }
    Ok(None)
}

/// The request repeated to about 256 KiB.
pub(in crate::check) fn piece(turn: &Turn) -> Vec<u8> {
    piece_of(&turn.request)
}

/// These bytes repeated to about 256 KiB.
pub(in crate::check) fn piece_of(request: &[u8]) -> Vec<u8> {
    request.repeat((PIECE_BYTES / request.len().max(1)).max(1))
}
