//! Replies in the order of their requests.

use std::time::Duration;

use crate::check::way::PAYLOAD;
use crate::check::{Ascribe, Check, Checked, Cx, Need, Runs, Weight};
use crate::session::{PeerError, Session};
use crate::talk::{Exchange, RenderError, Turn};

/// Sends requests that cost different amounts of work.
pub(super) const ENTRY: Check = Check {
    id: "reply-order",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 9112 section 9.3.2, and any protocol whose replies carry no number: replies to pipelined requests come in the order of the requests, also if a later one is finished earlier",
    stimulus: "ten times on one connection, in one write: a [[talk.slow]] if there is one, a long request, and four short ones, each with a token of its own; then the same in a write for each request",
    needs: &[
        Need::Frame,
        Need::ManyTurns,
        Need::Reply,
        Need::Pipelining,
        Need::DistinctReplies,
    ],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(60),
    by_hand: "python3 -c \"import socket,time; s=socket.create_connection(('{host}',{port})); s.sendall({request}*5); time.sleep(1); print(s.recv(1<<20))\"",
    run: |cx| Box::pin(run(cx)),
};

/// Number of rounds in each way.
const ROUNDS: usize = 10;
/// Number of rounds with a slow exchange.
const SLOW_ROUNDS: usize = 2;
/// Number of short requests that follow a long one.
const SHORT: usize = 4;
/// Size of the payload of a long request in bytes, and the same without promise.max_message.
const LONG: usize = 8_000;
const LONG_UNPROMISED: usize = 600;

async fn run(cx: &Cx) -> Checked {
    let talk = cx.talk();
    let is_free = |exchange: &&Exchange| {
        talk.repeats(exchange) && exchange.expect.has_reply() && talk.before(exchange).is_empty()
    };
    let slow = talk.slow.iter().find(is_free);
    let long = talk.payload_turns().find(is_free).unwrap_or(talk.plain());
    let rounds = if slow.is_some() { SLOW_ROUNDS } else { ROUNDS };
    let requests = SHORT + 1 + usize::from(slow.is_some());
    let rounds = (cx.requests(2 * rounds * requests) / (2 * requests)).max(1);
    for in_one_write in [true, false] {
        let mut client = cx.open().await?;
        for round in 0..rounds {
            let mut turns = Vec::with_capacity(requests);
            if let Some(slow) = slow {
                turns.push(client.voice().render(slow, PAYLOAD)?);
            }
            turns.push(long_turn(cx, &mut client, long)?);
            for _ in 0..SHORT {
                turns.push(client.turn()?);
            }
            if in_one_write {
                client.send(&super::requests(&turns)).await?;
            } else {
                for turn in &turns {
                    client.send(&turn.request).await?;
                }
            }
            cx.proved(format!(
                "{requests} requests were sent before the first reply was read, {} times",
                round + 1
            ));
            for (number, turn) in turns.iter().enumerate() {
                client.expect(turn).await.at(|| {
                    format!(
                        "round {}, reply {} of {requests}, to {}",
                        round + 1,
                        number + 1,
                        turn.label
                    )
                })?;
            }
        }
        client.close();
    }
    Ok(())
}

/// The exchange with a long payload, if a message of the talk can contain one.
fn long_turn(cx: &Cx, client: &mut Session, exchange: &Exchange) -> Result<Turn, PeerError> {
    let most = cx.promise().max_message;
    let size = most.map_or(LONG_UNPROMISED, |most| LONG.min(most / 2));
    let payload = vec![b'x'; size];
    if !exchange.payload_is_safe(cx.talk(), &payload) {
        return client.voice().render(exchange, PAYLOAD);
    }
    match client.voice().render(exchange, &payload) {
        Err(PeerError::Render(RenderError::TooLong { .. })) => {
            client.voice().render(exchange, PAYLOAD)
        }
        other => other,
    }
}
