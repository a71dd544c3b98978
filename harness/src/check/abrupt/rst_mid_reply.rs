//! A client that is gone while the server has replies for it.

use std::time::Duration;

use crate::check::backpressure::bulk;
use crate::check::{Check, Checked, Cx, Need, Runs, Weight, skip};
use crate::session::PeerError;

/// Resets while replies wait to be sent.
pub const ENTRY: Check = Check {
    id: "rst-mid-reply",
    group: super::GROUP,
    battery: 1,
    requirement: "POSIX send(): ECONNRESET, then EPIPE and SIGPIPE, are errors of one connection and not of the server (iperf#550)",
    stimulus: "12 times: many requests and no reply read, until replies wait in the server's send queue; then RST, every other time FIN and RST",
    needs: &[Need::ManyTurns],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(30),
    by_hand: "python3 -c \"import socket,struct,time; r={request}; c=lambda: socket.create_connection(('{host}',{port})); [(lambda s: (s.setblocking(0), [time.sleep(.001) or s.send(r*(60000//len(r))) for _ in range(40)], s.setsockopt(1,13,struct.pack('ii',1,0)), s.close()))(c()) for _ in range(12)]; s=c(); s.settimeout(5); s.send(r); print(s.recv(4096))\"",
    run: |cx| Box::pin(run(cx)),
};

/// Clients, one after the other.
const ROUNDS: usize = 12;
/// Smaller than what the first window has promised: what comes beyond it stays with the server. (It
/// would make a reader slow; nobody reads here.)
const RECEIVE_BUFFER: usize = 4_096;
/// After so many rounds without a reply left waiting there will be none.
const ROUNDS_TRIED: usize = 3;
/// Sent at most in one round.
const FLOOD_BYTES: u64 = 24_000_000;
/// Nothing taken for this long: the server cannot write, and does not read on.
const PAUSE: Duration = Duration::from_millis(20);
/// What a server that is still busy with the requests gets.
const QUEUED_WITHIN: Duration = Duration::from_millis(300);

async fn run(cx: &Cx) -> Checked {
    let piece = bulk::piece(&bulk::echoed(cx)?);
    let (mut waited, mut most) = (0, 0);
    for round in 0..ROUNDS {
        let queued = one_round(cx, &piece, round % 2 == 1).await?;
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
        return skip(
            "the server answers too little: no replies were left waiting in its send queue",
        );
    }
    Ok(())
}

/// Floods, and resets; the bytes that waited in the server's send queue then.
async fn one_round(cx: &Cx, piece: &[u8], fin_first: bool) -> Checked<u32> {
    // Our window is small, so that replies soon wait on the server's side.
    let mut client = cx.open_small().await?;
    socket2::SockRef::from(&*client.stream())
        .set_recv_buffer_size(RECEIVE_BUFFER)
        .map_err(PeerError::Harness)?;
    client.flood(piece, FLOOD_BYTES, PAUSE).await;
    let send_queue = || cx.peer(&client).map_or(0, |peer| peer.send_q);
    cx.eventually(QUEUED_WITHIN, || send_queue() > 0).await;
    let queued = send_queue();
    if fin_first {
        // A server that has closed meanwhile leaves nothing to half-close.
        let _ = client.half_close().await;
    }
    client.reset()?;
    Ok(queued)
}
