//! An opening and the first request in one write.

use std::time::Duration;

use crate::check::{Ascribe, Check, Checked, Cx, Need, Runs, Weight, skip, way};
use crate::talk::{Exchange, Frame, Opening, Talk, Turn};

/// Sends the opening and the first request in one write.
pub(super) const ENTRY: Check = Check {
    id: "opening-coalesced",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 9293 section 2.2: a byte-stream service; one read may hold the end of the opening and the first request (pipelining is promised; igrigorik/em-websocket#15 loses what follows the handshake)",
    stimulus: "the last requests of the opening and the first request after it in one write: the last one of the opening, the last two, and so on as far as no reply is needed for the next request; the server must answer all in order",
    needs: &[Need::Opening, Need::Frame, Need::Reply, Need::Pipelining],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(30),
    by_hand: "python3 -c \"import socket,time; s={bare}; s.settimeout(5); s.sendall(b''.join({opening})+{request}); time.sleep(1); print(s.recv(65536))\"",
    run: |cx| Box::pin(run(cx)),
};

async fn run(cx: &Cx) -> Checked {
    let steps = way::to_plain(cx.talk());
    let first = match first_coalesced(cx.talk(), &steps) {
        Ok(first) => first,
        Err(reason) => return skip(reason),
    };
    for start in (first..steps.len()).rev() {
        let from = way::label(&steps[start]);
        coalesced(cx, &steps, start)
            .await
            .at(|| format!("{from} and all that follows in one write"))?;
    }
    Ok(())
}

/// The first step of the opening from which on a client need not wait for any reply until the first request; or why it
/// has to wait for the last reply of the opening.
fn first_coalesced(talk: &Talk, steps: &[Opening]) -> Result<usize, String> {
    if talk.request == Frame::WebSocket {
        let reason =
            "RFC 6455 section 4.1: a client sends nothing before the reply to its handshake";
        return Err(reason.into());
    }
    let mut needed = talk.plain().needs();
    let mut obstacle = "the talk has no opening".to_owned();
    let mut first = steps.len();
    while first > 0 {
        match has_to_wait(&steps[first - 1], &needed) {
            Ok(exchange) => needed.extend(exchange.needs()),
            Err(why) => {
                obstacle = why;
                break;
            }
        }
        first -= 1;
    }
    if first < steps.len() {
        Ok(first)
    } else {
        Err(obstacle)
    }
}

/// The request of a step that the next ones may follow at once; or why they may not. `needed` are the names of the
/// values that the next ones contain.
fn has_to_wait<'a>(step: &'a Opening, needed: &[String]) -> Result<&'a Exchange, String> {
    let exchange = match step {
        Opening::Exec(exec) => {
            return Err(format!("{} is performed by a program", exec.label));
        }
        Opening::StartTls => {
            return Err("the first request comes after a TLS handshake".to_owned());
        }
        Opening::Exchange(exchange) => exchange,
    };
    if exchange.send.is_none() {
        return Err(format!(
            "the server speaks between the client's requests ({})",
            exchange.label
        ));
    }
    let mut groups = exchange.expect.groups().into_iter();
    match groups.find(|group| needed.contains(group)) {
        Some(group) => Err(format!(
            "what follows needs {{{group}}} from the reply to {}",
            exchange.label
        )),
        None => Ok(exchange),
    }
}

/// The steps from `start` on and the plain request in one write.
async fn coalesced(cx: &Cx, steps: &[Opening], start: usize) -> Checked {
    let mut client = cx.connect().await?;
    way::walk(&mut client, &steps[..start]).await?;
    let mut turns: Vec<Turn> = Vec::new();
    for step in &steps[start..] {
        if let Opening::Exchange(exchange) = step {
            turns.push(client.voice().render(exchange, way::PAYLOAD)?);
        }
    }
    turns.push(client.turn()?);
    let bytes = super::in_one_write(&mut client, &turns)?;
    let requests = turns.len() - 1;
    cx.step(format!(
        "send the last {requests} requests of the opening and the first request in one write of {bytes} bytes"
    ));
    cx.proved(format!(
        "one write accepted all {bytes} bytes of {requests} requests of the opening and of the request after them"
    ));
    for turn in &turns {
        client
            .expect(turn)
            .await
            .at(|| format!("the reply to {}", turn.label))?;
    }
    client.close();
    Ok(())
}
