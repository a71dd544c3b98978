//! A client that leaves while the server has replies for it.

use std::time::{Duration, Instant};

use crate::check::backpressure::bulk;
use crate::check::stall::{self, replies_wait};
use crate::check::{Check, Checked, Cx, Need, Runs, Weight, skip};
use crate::process::TcpState;
use crate::session::{PeerError, Session};
use crate::talk::Exchange;

/// Resets connections while replies wait in the server's send queue.
pub(super) const ENTRY: Check = Check {
    id: "rst-mid-reply",
    group: super::GROUP,
    battery: 1,
    requirement: "POSIX send(): ECONNRESET, then EPIPE and SIGPIPE, concern one connection, not the whole server (iperf#550)",
    stimulus: "12 times: many requests without reading a reply, until replies wait in the server's send queue; then RST; every other time FIN, which the server's kernel has received (CLOSE_WAIT), and RST; then 8 clients at once until the server reads no more of them, 6 times with a part of the replies read in between, and RST",
    needs: &[Need::ManyTurns, Need::Reply, Need::Tcp],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(30),
    by_hand: "python3 -c \"import socket,struct,time; r={request}; c=lambda: socket.create_connection(('{host}',{port})); [(lambda s: (s.setblocking(0), [time.sleep(.001) or s.send(r*(60000//len(r))) for _ in range(40)], s.setsockopt(1,13,struct.pack('ii',1,0)), s.close()))(c()) for _ in range(12)]; s=c(); s.settimeout(5); s.send(r); print(s.recv(4096))\"",
    run: |cx| Box::pin(run(cx)),
};

/// Number of clients, one after the other.
const ROUNDS: usize = 12;
/// Receive buffer in bytes, smaller than the window already advertised, so that further replies
/// stay with the server. (It would make a reader slow, but nobody reads here.)
const RECEIVE_BUFFER: usize = 4_096;
/// Number of rounds of one kind without its stimulus after which the others of that kind are left out.
const ROUNDS_TRIED: usize = 3;
/// Maximum number of bytes sent per round.
const FLOOD_BYTES: u64 = 24_000_000;
/// Maximum number of bytes sent before a FIN, and those sent at once: they must fit into the window of the server, behind
/// which the FIN would wait.
const FIN_BYTES: u64 = 8_000_000;
const FIN_PART_BYTES: usize = 16 * 1024;
/// Number of bytes sent at once when replies wait already.
const FIN_SMALL_PART_BYTES: usize = 1024;
/// A round ends when the server reads nothing for this long.
const PAUSE: Duration = Duration::from_millis(20);
/// Maximum duration of the requests before a FIN, and of the wait for the server to read a part of them.
const QUEUED_WITHIN: Duration = Duration::from_secs(3);
/// Time limit for the kernel to deliver a FIN.
const FIN_WITHIN: Duration = Duration::from_secs(1);

/// How the client leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    /// RST: the server's next write fails with ECONNRESET.
    Reset,
    /// FIN, then RST: the server's next write fails with EPIPE.
    FinFirst,
}

/// For how long the client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    /// Until replies wait, and the server reads no more: then it has more of them to write when the client leaves.
    Blocked,
    /// Until replies wait: the server closes the connection of a client that goes on.
    Waiting,
}

/// The rounds of one kind.
#[derive(Clone, Copy, Debug, Default)]
struct Rounds {
    tried: usize,
    /// Those in which the stimulus happened.
    done: usize,
    /// Whether the server has ended a connection before the client did.
    ended: bool,
    /// Most bytes that waited in the server's send queue.
    queued_max: u32,
}

impl Rounds {
    fn is_hopeless(self) -> bool {
        self.done == 0 && self.tried >= ROUNDS_TRIED
    }

    fn until(self) -> Until {
        if self.ended {
            Until::Waiting
        } else {
            Until::Blocked
        }
    }

    fn add(&mut self, round: Round) {
        self.tried += 1;
        self.done += usize::from(round.queued > 0);
        self.ended |= round.ended;
        self.queued_max = self.queued_max.max(round.queued);
    }
}

/// What one round came to.
#[derive(Clone, Copy, Debug)]
struct Round {
    /// Number of bytes that waited in the server's send queue when the client left; 0 if the stimulus did not happen.
    queued: u32,
    /// Whether the server ended the connection before.
    ended: bool,
}

async fn run(cx: &Cx) -> Checked {
    let exchange = bulk::echoed(cx)?;
    let request = bulk::turn(cx, exchange)?.request;
    let (mut reset, mut fin_first) = (Rounds::default(), Rounds::default());
    for round in 0..ROUNDS {
        let (leaving, rounds) = match round % 2 {
            0 => (Leaving::Reset, &mut reset),
            _ => (Leaving::FinFirst, &mut fin_first),
        };
        if rounds.is_hopeless() {
            continue;
        }
        rounds.add(one_round(cx, exchange, &request, leaving, rounds.until()).await?);
        if reset.done + fin_first.done > 0 {
            cx.proved(format!(
                "replies waited in the server's send queue (up to {} bytes) when the connection was reset in {} of {} rounds, and in {} of {} rounds after a FIN, with the server's end in CLOSE_WAIT",
                reset.queued_max.max(fin_first.queued_max), reset.done, reset.tried, fin_first.done, fin_first.tried
            ));
        }
    }
    cx.note("rounds_with_replies_waiting", reset.done);
    cx.note("rounds_in_close_wait", fin_first.done);
    cx.note(
        "send_queue_bytes_max",
        reset.queued_max.max(fin_first.queued_max),
    );
    cx.is_alive().await?;
    if reset.done + fin_first.done == 0 {
        return skip("the server's replies are too small: none had to wait in its send queue");
    }
    stall::further_clients(cx, exchange, &bulk::piece_of(&request)).await
}

/// Asks without reading, and leaves.
async fn one_round(
    cx: &Cx,
    exchange: &Exchange,
    request: &[u8],
    leaving: Leaving,
    until: Until,
) -> Checked<Round> {
    // A small window, so that replies soon wait on the server's side.
    let mut client = cx.open_small(exchange).await?;
    socket2::SockRef::from(&*client.link())
        .set_recv_buffer_size(RECEIVE_BUFFER)
        .map_err(PeerError::Harness)?;
    match (leaving, until) {
        (Leaving::Reset, Until::Blocked) => {
            let piece = bulk::piece_of(request);
            client.flood(&piece, FLOOD_BYTES, PAUSE).await;
        }
        _ => ask_in_parts(cx, &mut client, request, until).await,
    }
    // Bytes that are only not acknowledged yet do not wait.
    let waits = replies_wait(cx, &client).await.is_some();
    let ended = cx.is_over(&client);
    if leaving == Leaving::FinFirst {
        // Fails if the server has already closed the connection.
        let _ = client.half_close().await;
        let has_fin = || {
            cx.peer(&client)
                .is_none_or(|peer| peer.state == TcpState::CloseWait)
        };
        cx.eventually(FIN_WITHIN, has_fin).await;
    }
    let peer = cx
        .peer(&client)
        .filter(|peer| leaving == Leaving::Reset || peer.state == TcpState::CloseWait)
        .filter(|_| waits);
    client.reset()?;
    Ok(Round {
        queued: peer.map_or(0, |peer| peer.send_q),
        ended,
    })
}

/// Sends requests part by part, each once the server has read the one before, until the server has ended the connection or is
/// blocked: replies wait in its send queue, and requests in its receive queue.
async fn ask_in_parts(cx: &Cx, client: &mut Session, request: &[u8], until: Until) {
    let parts = [FIN_PART_BYTES, FIN_SMALL_PART_BYTES]
        .map(|bytes| request.repeat((bytes / request.len().max(1)).max(1)));
    let (begun, sent) = (Instant::now(), client.sent());
    let mut queued = false;
    while client.sent() - sent < FIN_BYTES && begun.elapsed() < QUEUED_WITHIN {
        if client.send(&parts[usize::from(queued)]).await.is_err() {
            return;
        }
        let (mut waits, mut is_over) = ((0, Instant::now()), false);
        let goes_on = cx.eventually(QUEUED_WITHIN, || {
            let Some(peer) = cx.peer(client) else {
                is_over = true;
                return true;
            };
            queued |= peer.send_q > 0;
            if waits.0 != peer.recv_q {
                waits = (peer.recv_q, Instant::now());
            }
            let is_read = peer.recv_q == 0 && client.has_arrived(&peer);
            is_over = !is_read && peer.send_q > 0 && waits.1.elapsed() >= PAUSE;
            is_read || is_over
        });
        if !goes_on.await || is_over {
            return;
        }
        if until == Until::Waiting && queued && replies_wait(cx, client).await.is_some() {
            return;
        }
    }
}
