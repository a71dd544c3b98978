//! A client that reads slowly.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::bulk;
use crate::check::concurrency::backlog_burst::serves_one_at_a_time;
use crate::check::stall::{flood_until_waiting, replies_wait};
use crate::check::{Ascribe, Check, Checked, Cx, FailureKind, Need, Runs, Weight, skip};
use crate::session::{FloodEnd, PeerError, Session, recv_byte};
use crate::talk::Exchange;

/// Reads one byte of its replies each 10 ms.
pub(super) const ENTRY: Check = Check {
    id: "slow-read",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 9293 section 3.8.6: a receiver decides how fast it reads; one that is slow delays its own replies, not those of other clients",
    stimulus: "a client sends requests until the server waits for it to read, at most 64 MiB, and then reads one byte each 10 ms for a second; other clients are served meanwhile",
    needs: &[Need::ManyTurns, Need::Reply, Need::Tcp, Need::Accepts],
    runs: Runs::OwnServer,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(60),
    by_hand: "python3 -c \"import socket,time,threading; r={request}; s=socket.create_connection(('{host}',{port})); threading.Thread(target=lambda: [s.send(r*1000) for _ in range(10000)], daemon=True).start(); [(s.recv(1), time.sleep(.01)) for _ in range(100)]; o=socket.create_connection(('{host}',{port})); o.settimeout(5); o.sendall(r); print(o.recv(4096))\"",
    run: |cx| Box::pin(run(cx)),
};

/// Maximum number of bytes of requests.
const FLOOD_BYTES: u64 = 64 << 20;
/// Maximum duration of sending them.
const FLOOD_TIME_MAX: Duration = Duration::from_secs(15);
/// Maximum number of clients that send them, one after the other.
const FLOODS_MAX: usize = 3;
/// The server is looked at if it reads nothing for this long.
const PAUSE: Duration = Duration::from_millis(200);
/// Interval between two bytes that are read.
const INTERVAL: Duration = Duration::from_millis(10);
/// Number of clients that are served meanwhile, one after the other.
const OTHERS: usize = 4;
/// Time for which the client goes on reading, at least.
const READS: Duration = Duration::from_secs(1);

async fn run(cx: &Cx) -> Checked {
    let exchange = bulk::echoed(cx)?;
    if serves_one_at_a_time(cx).await? {
        return skip("the server serves one client at a time, see hol-idle");
    }
    let piece = bulk::piece(&bulk::turn(cx, exchange)?);
    let Some(mut client) = flooding(cx, exchange, &piece).await? else {
        return skip("the server closes the connection of a client that does not read");
    };
    let Some(waiting) = replies_wait(cx, &client).await else {
        return skip("no replies wait for the client: the server reads no requests in advance");
    };
    let read = tokio::select! {
        read = trickle(&mut client) => read?,
        others = others(cx, waiting) => return others,
    };
    skip(format!(
        "the server closed the connection after {read} bytes were read"
    ))
}

/// A client that has sent requests until the server reads no more; `None` if the server closes the connection, each time: on a
/// busy machine it may do so because it took long to answer.
async fn flooding(cx: &Cx, exchange: &Exchange, piece: &[u8]) -> Checked<Option<Session>> {
    for _ in 0..FLOODS_MAX {
        let mut client = cx.open_small(exchange).await?;
        let flood = flood_until_waiting(cx, &mut client, piece, FLOOD_BYTES, PAUSE);
        // Whether the server stops reading by then is a matter of never-read, and of the machine's speed.
        match tokio::time::timeout(FLOOD_TIME_MAX, flood).await {
            Ok(FloodEnd::Closed) => {}
            _ => return Ok(Some(client)),
        }
    }
    Ok(None)
}

/// Reads a byte at a time until the connection ends. Returns the number of bytes.
async fn trickle(client: &mut Session) -> Checked<usize> {
    let mut read = 0;
    loop {
        match recv_byte(client.link().as_fd()).map_err(PeerError::Harness) {
            Ok(one) => read += usize::from(one),
            Err(_) => return Ok(read),
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Others are served, again and again for a while.
async fn others(cx: &Cx, waiting: u32) -> Checked {
    let begun = Instant::now();
    let mut served = 0;
    while served < OTHERS || begun.elapsed() < READS {
        cx.exchange()
            .await
            .ascribe(
                FailureKind::Blocked,
                "other clients are served while one reads its replies slowly",
            )
            .inspect_err(|_| proved(cx, waiting, begun))?;
        served += 1;
        tokio::time::sleep(INTERVAL * 5).await;
    }
    cx.note("others_served", served);
    proved(cx, waiting, begun);
    Ok(())
}

fn proved(cx: &Cx, waiting: u32, begun: Instant) {
    cx.proved(format!(
        "{waiting} bytes waited in the server's send queue for a client that then read one byte each {INTERVAL:?} for {:.1?}",
        begun.elapsed()
    ));
}
