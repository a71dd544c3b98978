//! Whether a server that takes no more bytes has stopped reading, or is only slow. A pause proves nothing: a server that copies
//! all it has stored with each read makes longer and longer pauses.

use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Checked, Cx};
use crate::session::{FloodEnd, Session};
use crate::talk::Exchange;

/// What a server does that takes no more bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stall {
    /// It sleeps, and has left bytes in its receive queue.
    Asleep,
    /// It sleeps and has read everything that has arrived, but its kernel takes no more.
    Stuck,
    /// It has ended the connection.
    Ended,
    /// It reads or computes, or has read everything meanwhile.
    Busy,
}

/// Time for which a server that has stopped reading sleeps.
const SLEEPS: Duration = Duration::from_millis(400);
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Looks what the server does after the client could not send for a while.
pub(super) async fn stall(cx: &Cx, client: &Session) -> Stall {
    let before = read(cx, client);
    let (mut busy, mut looks) = (0, 0);
    let until = Instant::now() + SLEEPS;
    while Instant::now() < until {
        tokio::time::sleep(LOOK).await;
        if client.local().is_some() && cx.is_over(client) {
            return Stall::Ended;
        }
        if read(cx, client) != before {
            return Stall::Busy;
        }
        looks += 1;
        busy += usize::from(cx.server().is_computing());
    }
    let waits = cx.peer(client).is_none_or(|peer| peer.recv_q > 0);
    if 2 * busy >= looks {
        Stall::Busy
    } else if waits {
        Stall::Asleep
    } else if client.has_undelivered() {
        Stall::Stuck
    } else {
        Stall::Busy
    }
}

/// Sends up to `most` bytes, until the server has replies that it cannot send, or closes. It is looked at when it has read nothing
/// for `pause`: one that stores everything, or waits for a processor, may make pauses too.
pub(super) async fn flood_until_waiting(
    cx: &Cx,
    client: &mut Session,
    piece: &[u8],
    most: u64,
    pause: Duration,
) -> FloodEnd {
    client.announce_flood(piece, most);
    let from = client.sent();
    loop {
        match flood_on(cx, client, piece, from, most, pause).await {
            Ok(end) => return end,
            Err(Stall::Stuck) => return FloodEnd::Blocked,
            Err(_) => {}
        }
    }
}

/// Goes on with a flood that began when the client had sent `from` bytes, so that no message is cut off, until the server sleeps
/// and reads no more, or closes.
pub(super) async fn flood_on_until_asleep(
    cx: &Cx,
    client: &mut Session,
    piece: &[u8],
    from: u64,
    most: u64,
    pause: Duration,
) -> FloodEnd {
    loop {
        match flood_on(cx, client, piece, from, most, pause).await {
            Ok(end) => return end,
            Err(Stall::Stuck) => client.make_room(),
            Err(_) => {}
        }
    }
}

/// Goes on with a flood until the server takes no more bytes: returns how it ended, or what the server does if it may go on.
async fn flood_on(
    cx: &Cx,
    client: &mut Session,
    piece: &[u8],
    from: u64,
    most: u64,
    pause: Duration,
) -> Result<FloodEnd, Stall> {
    let sent = client.sent() - from;
    let begun = (sent % piece.len().max(1) as u64) as usize;
    let left = most.saturating_sub(sent);
    let end = client.flood_from(piece, begun, left, pause).await.end;
    if end != FloodEnd::Blocked {
        return Ok(end);
    }
    match stall(cx, client).await {
        Stall::Asleep => Ok(FloodEnd::Blocked),
        Stall::Ended => Ok(FloodEnd::Closed),
        goes_on => Err(goes_on),
    }
}

/// Number of further clients that flood the server and leave.
const FURTHER_CLIENTS: usize = 8;
/// Maximum number of bytes that each of them sends.
const FURTHER_BYTES: u64 = 24_000_000;
/// Number of times that such a client makes the server sleep.
const FURTHER_SLEEPS: usize = 6;
/// What it reads in between: a few times this number of bytes, enough for the server's kernel to take more, and odd, so that the
/// server does not fall asleep after the same bytes again.
const FURTHER_READ_BYTES: usize = 400_009;
/// Such a client leaves if the server reads nothing for this long and sleeps, or after this time.
const FURTHER_PAUSE: Duration = Duration::from_millis(100);
const FURTHER_TIME: Duration = Duration::from_secs(8);

/// Repeats the flood of a client that reads nothing and then resets its connection, with several clients at once. How a server
/// waits at that moment may depend on chance: socat waits in some cases for room in a pipe that only it empties, and then
/// never notices that the client has left. So each client reads a part of the replies and floods again, several times.
pub(super) async fn further_clients(cx: &Cx, exchange: &Exchange, piece: &[u8]) -> Checked {
    let (exchange, piece) = (Rc::new(exchange.clone()), Rc::<[u8]>::from(piece));
    let clients = cx.crowd(cx.connections(FURTHER_CLIENTS), |cx, number| {
        let (exchange, piece) = (exchange.clone(), piece.clone());
        async move {
            let mut client = cx.open_for(&exchange).await?;
            let flood = flood_again_and_again(&cx, &mut client, &piece, number);
            tokio::time::timeout(FURTHER_TIME, flood).await.ok();
            client.reset()?;
            Ok(())
        }
    });
    // A server may refuse some of them: what they leave behind is judged, and whether others are served.
    clients.await;
    cx.is_alive().await
}

async fn flood_again_and_again(cx: &Cx, client: &mut Session, piece: &[u8], number: usize) {
    client.announce_flood(piece, FURTHER_BYTES);
    let from = client.sent();
    for sleep in 1..=FURTHER_SLEEPS {
        let flood = flood_on_until_asleep(cx, client, piece, from, FURTHER_BYTES, FURTHER_PAUSE);
        if flood.await != FloodEnd::Blocked || sleep == FURTHER_SLEEPS {
            return;
        }
        let most = (1 + (number + sleep) % 4) * FURTHER_READ_BYTES;
        client.hear(FURTHER_PAUSE, FURTHER_PAUSE, most).await;
    }
}

/// Time for a busy server to have replies wait in its send queue.
const QUEUED_WITHIN: Duration = Duration::from_secs(3);
/// A server that has read everything and sleeps for this long has nothing more to send. (A proxy may wait for its backend.)
const SENDS_NOTHING: Duration = Duration::from_millis(300);
/// Bytes that stay in a send queue for this long wait for the client to read; those that are only not acknowledged yet do not
/// (RFC 1122 section 4.2.3.2 allows 500 ms, and Linux takes up to 40 ms).
const STAYS: Duration = Duration::from_millis(100);

/// Waits until replies wait in the server's send queue for a client that does not read. Returns their number of bytes; `None` if
/// there will be none.
pub(super) async fn replies_wait(cx: &Cx, client: &Session) -> Option<u32> {
    let (mut awake, mut empty) = (Instant::now(), Instant::now());
    let mut queued = None;
    cx.eventually(QUEUED_WITHIN, || {
        let Some(peer) = cx.peer(client) else {
            return true;
        };
        if peer.recv_q > 0 || cx.server().is_computing() {
            awake = Instant::now();
        }
        if peer.send_q == 0 {
            empty = Instant::now();
        }
        queued = (empty.elapsed() >= STAYS).then_some(peer.send_q);
        queued.is_some() || awake.elapsed() >= SENDS_NOTHING
    })
    .await;
    queued
}

/// Number of bytes of this connection that the server has read, as far as its kernel tells.
pub(super) fn read(cx: &Cx, client: &Session) -> Option<u64> {
    let peer = cx.peer(client)?;
    Some(peer.bytes_received().saturating_sub(u64::from(peer.recv_q)))
}
