//! Megabytes of replies to a slow reader.

use std::time::Duration;

use crate::check::backpressure::bulk;
use crate::check::{Ascribe, Check, Checked, Cx, Need, Runs, Weight, inconclusive, skip};
use crate::session::{PeerError, Session};
use crate::talk::{Exchange, Turn};

/// Requests megabytes of replies, lets them queue up, then reads them all.
pub(super) const ENTRY: Check = Check {
    id: "big-reply",
    group: super::GROUP,
    battery: 1,
    requirement: "POSIX send(): it may accept fewer bytes than requested; the rest must be sent later",
    stimulus: "8 MB of replies to a client that does not read until the server's send queue is full",
    needs: &[
        Need::Frame,
        Need::ManyTurns,
        Need::Reply,
        Need::Payload,
        Need::Pipelining,
        Need::Tcp,
    ],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(40),
    by_hand: "python3 -c \"import socket,threading,time; m={payload(b'x'*{size})}; s=socket.create_connection(('{host}',{port})); threading.Thread(target=lambda: s.sendall(m*(8000000//len(m))), daemon=True).start(); time.sleep(1); s.settimeout(5); print(sum(len(d) for d in iter(lambda: s.recv(1<<16), b'')), 8000000//len(m)*len(m))\"",
    run: |cx| Box::pin(run(cx)),
};

/// Minimum total size of the replies, in bytes.
const REPLY_BYTES: usize = 8 * 1024 * 1024;
/// Payload sizes in bytes for a server without `promise.max_message`, which may refuse the larger ones.
const UNPROMISED_PAYLOADS: [usize; 3] = [8 * 1024, 2 * 1024, 500];
/// How long the replies may take to fill the client's receive buffer.
const QUEUED_WITHIN: Duration = Duration::from_secs(5);

async fn run(cx: &Cx) -> Checked {
    let exchange = bulk::echoed(cx)?;
    let promised = cx.promise().max_message;
    let promised = promised.map(|most| (most / 2).min(60_000));
    let most = cx.longest_request().unwrap_or(usize::MAX);
    let mut sizes = promised.map_or(UNPROMISED_PAYLOADS.to_vec(), |size| vec![size]);
    sizes.retain(|size| *size < most - most / 8);
    let (mut client, size, reply) = first_reply(cx, exchange, &sizes).await?;
    if reply < size / 2 {
        return skip("the reply does not contain {payload}, so replies stay small");
    }
    let turns = REPLY_BYTES.div_ceil(reply);
    let mut queue = Vec::with_capacity(turns);
    for _ in 0..turns {
        queue.push(cx.payload_turn(&mut client, &vec![b'x'; size])?);
    }
    let stuck = pile_up(cx, &mut client, &queue).await?;
    if !stuck {
        return inconclusive("unproven: the server's send queue was never observed non-empty");
    }
    read_all(cx, &mut client, &queue).await?;
    client.close();
    Ok(())
}

/// Asks with the largest of these payloads that is answered. Returns the connection, the size of the payload, and that of the
/// reply.
async fn first_reply(
    cx: &Cx,
    exchange: &Exchange,
    sizes: &[usize],
) -> Checked<(Session, usize, usize)> {
    for (place, size) in sizes.iter().enumerate() {
        let mut client = cx.open_small(exchange).await?;
        let turn = cx.payload_turn(&mut client, &vec![b'x'; *size])?;
        client.send(&turn.request).await?;
        match client.expect(&turn).await {
            Ok(reply) => return Ok((client, *size, reply.bytes.len())),
            Err(PeerError::Wrong { .. } | PeerError::Eof { .. } | PeerError::Reset { .. })
                if place + 1 < sizes.len() => {}
            Err(error) => return Err(error.into()),
        }
    }
    skip("the server answers no payload")
}

/// Sends requests until the server's send queue is full; the rest is sent while reading. Requests
/// and replies share this connection, so the server stops reading as well. A server that has been sent everything, or a
/// proxy whose backend is slow, has a while longer until its replies queue up. Returns whether they did.
async fn pile_up(cx: &Cx, client: &mut Session, queue: &[Turn]) -> Checked<bool> {
    let mut stuck = false;
    let all = super::requests(queue);
    let mut sent = 0;
    let mut quiet = 0;
    while sent < all.len() && quiet < 50 {
        match client.link().try_write(&all[sent..]) {
            Ok(count) => {
                sent += count;
                quiet = 0;
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                quiet += 1;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            Err(_) => break,
        }
        stuck |= see_queue(cx, client);
    }
    let stuck = stuck || cx.eventually(QUEUED_WITHIN, || see_queue(cx, client)).await;
    cx.step(format!(
        "send {} requests ({sent} of {} bytes accepted) and read nothing",
        queue.len(),
        all.len()
    ));
    client.owe(all[sent..].to_vec());
    Ok(stuck)
}

fn see_queue(cx: &Cx, client: &Session) -> bool {
    let Some(peer) = cx.peer(client) else {
        return false;
    };
    if peer.send_q > 0 {
        cx.proved(format!(
            "the server's send queue held {} bytes that the client had not read",
            peer.send_q
        ));
    }
    peer.send_q > 0
}

/// Reads the replies, up to one with which the server announces that it closes: it owes no more.
async fn read_all(cx: &Cx, client: &mut Session, queue: &[Turn]) -> Checked {
    for (number, turn) in queue.iter().enumerate() {
        let reply = client
            .expect(turn)
            .await
            .at(|| format!("reply {} of {}", number + 1, queue.len()))?;
        if cx.talk().announces_close(&reply.bytes) {
            cx.note("replies_before_an_announced_close", number + 1);
            break;
        }
    }
    Ok(())
}
