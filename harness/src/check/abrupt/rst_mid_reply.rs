//! A client that leaves while the server has replies for it.

use std::time::Duration;

use crate::check::backpressure::bulk;
use crate::check::{Check, Checked, Cx, Need, Runs, Weight, skip};
use crate::session::PeerError;
use crate::talk::Exchange;

/// Resets connections while replies wait in the server's send queue.
pub(super) const ENTRY: Check = Check {
    id: "rst-mid-reply",
    group: super::GROUP,
    battery: 1,
    requirement: "POSIX send(): ECONNRESET, then EPIPE and SIGPIPE, concern one connection, not the whole server (iperf#550)",
    stimulus: "12 times: many requests without reading a reply, until replies wait in the server's send queue; then RST, every other time FIN and RST",
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
/// Number of rounds without a waiting reply after which the check gives up.
const ROUNDS_TRIED: usize = 3;
/// Maximum number of bytes sent per round.
const FLOOD_BYTES: u64 = 24_000_000;
/// A round ends when the server reads nothing for this long.
const PAUSE: Duration = Duration::from_millis(20);
/// Time for a busy server to fill its send queue.
const QUEUED_WITHIN: Duration = Duration::from_millis(300);

async fn run(cx: &Cx) -> Checked {
    let exchange = bulk::echoed(cx)?;
    let piece = bulk::piece(&bulk::turn(cx, exchange)?);
    let (mut waited, mut most) = (0, 0);
    for round in 0..ROUNDS {
        let queued = one_round(cx, exchange, &piece, round % 2 == 1).await?;
        if waited == 0 && queued == 0 && round + 1 >= ROUNDS_TRIED {
            break;
        }
        if queued > 0 {
            waited += 1;
            most = most.max(queued);
            cx.proved(format!(
                "in {waited} of {} rounds replies waited in the server's send queue (up to {most} bytes) when the connection was reset",
                round + 1
            ));
        }
    }
    cx.note("rounds_with_replies_waiting", waited);
    cx.note("send_queue_bytes_max", most);
    cx.is_alive().await?;
    if waited == 0 {
        return skip("the server's replies are too small: none had to wait in its send queue");
    }
    Ok(())
}

/// Floods and resets. Returns the number of bytes that waited in the server's send queue.
async fn one_round(cx: &Cx, exchange: &Exchange, piece: &[u8], fin_first: bool) -> Checked<u32> {
    // A small window, so that replies soon wait on the server's side.
    let mut client = cx.open_small(exchange).await?;
    socket2::SockRef::from(&*client.link())
        .set_recv_buffer_size(RECEIVE_BUFFER)
        .map_err(PeerError::Harness)?;
    client.flood(piece, FLOOD_BYTES, PAUSE).await;
    let send_queue = || cx.peer(&client).map_or(0, |peer| peer.send_q);
    cx.eventually(QUEUED_WITHIN, || send_queue() > 0).await;
    let queued = send_queue();
    if fin_first {
        // Fails if the server has already closed the connection.
        let _ = client.half_close().await;
    }
    client.reset()?;
    Ok(queued)
}
