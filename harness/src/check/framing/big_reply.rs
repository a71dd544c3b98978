//! Megabytes of replies to a slow reader.

use std::time::Duration;

use crate::check::backpressure::bulk;
use crate::check::{Ascribe, Check, Checked, Cx, Need, Runs, Shortfall, Weight, inconclusive};
use crate::session::Session;
use crate::talk::Turn;

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
    by_hand: "python3 -c \"import socket,threading,time; m=b'x'*60000+b'\\n'; s=socket.create_connection(('{host}',{port})); threading.Thread(target=lambda: s.sendall(m*140), daemon=True).start(); time.sleep(1); s.settimeout(5); print(sum(len(d) for d in iter(lambda: s.recv(1<<16), b'')), len(m)*140)\"",
    run: |cx| Box::pin(run(cx)),
};

/// Minimum total size of the replies, in bytes.
const REPLY_BYTES: usize = 8 * 1024 * 1024;
/// Payload size in bytes for a server without `promise.max_message`.
const UNPROMISED_PAYLOAD: usize = 8 * 1024;

async fn run(cx: &Cx) -> Checked {
    let exchange = bulk::echoed(cx)?;
    let mut client = cx.open_small(exchange).await?;
    let size = cx
        .promise()
        .max_message
        .map_or(UNPROMISED_PAYLOAD, |most| (most / 2).min(60_000));
    let first = cx.payload_turn(&mut client, &vec![b'x'; size])?;
    client.send(&first.request).await?;
    let reply = client.expect(&first).await?.bytes.len();
    if reply < size / 2 {
        return Err(Shortfall::Skip(
            "the reply does not contain {payload}, so replies stay small".into(),
        ));
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
    read_all(&mut client, &queue).await?;
    client.close();
    Ok(())
}

/// Sends requests until the server's send queue is full; the rest is sent while reading. Requests
/// and replies share this connection, so the server stops reading as well.
async fn pile_up(cx: &Cx, client: &mut Session, queue: &[Turn]) -> Checked<bool> {
    let mut stuck = false;
    let all: Vec<u8> = queue
        .iter()
        .flat_map(|turn| turn.request.iter().copied())
        .collect();
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
    stuck |= see_queue(cx, client);
    cx.step(format!(
        "send {} requests ({sent} of {} bytes accepted) and read nothing",
        queue.len(),
        all.len()
    ));
    client.owe(all[sent..].to_vec());
    Ok(stuck)
}

fn see_queue(cx: &Cx, client: &Session) -> bool {
    let Some(peer) = cx.server().peer_socket(client.local()) else {
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

async fn read_all(client: &mut Session, queue: &[Turn]) -> Checked {
    for (number, turn) in queue.iter().enumerate() {
        client
            .expect(turn)
            .await
            .at(|| format!("reply {} of {}", number + 1, queue.len()))?;
    }
    Ok(())
}
