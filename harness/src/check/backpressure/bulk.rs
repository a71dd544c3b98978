//! Requests that make a server write as much as they make it read.

use crate::check::{Checked, Cx, Shortfall};
use crate::session::PeerError;
use crate::talk::{Exchange, RenderError, Turn};

/// One write of a flood: many requests, whole ones.
const PIECE_BYTES: usize = 256 * 1024;
/// Payloads that are tried, the largest first, where the server promises how long a message may be.
const PAYLOADS: [usize; 5] = [16_384, 4_096, 1_000, 200, 50];
/// The largest payload for a server that promises nothing: many read lines of at most 1,024 bytes.
const UNPROMISED: usize = 800;

/// The turn with the largest payload that the server is known to take; the plain turn where the talk
/// has no payload.
pub(in crate::check) fn turn(cx: &Cx) -> Checked<Turn> {
    let exchange = cx.voice().payload_exchange();
    exchange.map_or_else(|| Ok(cx.voice().turn()?), |exchange| largest(cx, exchange))
}

/// The same among the turns whose reply brings the payload back: what only stores its payload makes a
/// server grow, and answers little.
pub(in crate::check) fn echoed(cx: &Cx) -> Checked<Turn> {
    let mut turns = cx.talk().payload_turns();
    let exchange = turns.find(|exchange| exchange.expects_payload());
    exchange.map_or_else(|| Ok(cx.voice().turn()?), |exchange| largest(cx, exchange))
}

fn largest(cx: &Cx, exchange: &Exchange) -> Checked<Turn> {
    let most = cx.promise().max_message.unwrap_or(UNPROMISED);
    for size in PAYLOADS {
        let payload = vec![b'b'; size];
        if !exchange.payload_is_safe(cx.talk(), &payload) {
            continue;
        }
        match cx.voice().render(exchange, &payload) {
            Ok(turn) if turn.request.len() <= most => return Ok(turn),
            Ok(_) | Err(PeerError::Render(RenderError::TooLong { .. })) => {}
            Err(error) => return Err(Shortfall::from(error)),
        }
    }
    Ok(cx.voice().turn()?)
}

/// The request over and over: whole requests, about 256 KiB of them.
pub(in crate::check) fn piece(turn: &Turn) -> Vec<u8> {
    turn.request
        .repeat((PIECE_BYTES / turn.request.len().max(1)).max(1))
}
