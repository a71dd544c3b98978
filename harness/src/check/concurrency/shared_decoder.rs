//! Unfinished messages of several connections at the same time.

use std::time::Duration;

use tokio::time::timeout;

use crate::check::{
    Ascribe, Check, Checked, Cx, FailureKind, Runs, Shortfall, Weight, failed, skip, way,
};
use crate::session::Session;
use crate::talk::{Exchange, Frame, Opening, Talk, Turn};

/// Sends the first parts of several messages, each on its own connection, and then the second parts.
pub(super) const ENTRY: Check = Check {
    id: "shared-decoder",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 9293 section 3.3.1: each connection has its own state; the unfinished message or character of one is not continued by the bytes of another (json-socket 0.3.0 has one string decoder for all)",
    stimulus: "4 connections (2 to a slow server): the first part of a message on each, each read before the next; then the second parts in the same order. Cut inside characters of two, three and four bytes, and elsewhere",
    needs: &[],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(30),
    by_hand: "python3 -c \"import socket,time; r={request}; c=lambda: socket.create_connection(('{host}',{port})); a=[c() for _ in range(4)]; h=len(r)//2; [(s.send(r[:h]), time.sleep(.1)) for s in a]; [(s.settimeout(5), s.send(r[h:]), print(s.recv(4096))) for s in a]\"",
    run: |cx| Box::pin(run(cx)),
};

/// The character of each connection's message, and after how many of its bytes the message is cut.
const CUTS: [(&str, usize); 4] = [("问", 2), ("é", 1), ("😀", 3), ("问", 1)];
/// Minimum time limit for a server to serve a client beside another one.
const SERVED_BESIDE: Duration = Duration::from_millis(500);
/// An exchange of this duration is slow: two connections have to do.
const SLOW: Duration = Duration::from_millis(300);
/// Why a message is not cut.
const UNCUT: &str =
    "no message can be cut: it is too short, or does not contain the payload as it is";

async fn run(cx: &Cx) -> Checked {
    let mut rounds = Vec::new();
    let talk = cx.talk();
    let characters = Cut::in_characters(talk);
    let anywhere =
        (talk.request.has_end() && talk.request != Frame::Eof).then(|| Cut::anywhere(talk));
    let mut reason = "the talk has neither a frame nor a turn that sends {payload}".to_owned();
    for round in [characters, anywhere].into_iter().flatten() {
        match round.possible(cx).await? {
            Ok(()) => rounds.push(round),
            Err(why) => reason = why,
        }
    }
    if rounds.is_empty() {
        return skip(reason);
    }
    if rounds.len() == 1 {
        cx.note("only_one_of_two_rounds", reason);
    }
    for round in &rounds {
        round.interleaved(cx).await?;
    }
    Ok(())
}

/// Number of connections.
fn connections(cx: &Cx) -> usize {
    let wanted = if cx.pace().exchange > SLOW {
        2
    } else {
        CUTS.len()
    };
    cx.connections(wanted)
}

/// What one round sends on each connection.
struct Cut {
    exchange: Exchange,
    /// What a connection carries before it.
    before: Vec<Opening>,
    /// Whether messages are cut inside characters of the payload.
    in_characters: bool,
}

/// A client that has sent the first part of its message.
struct Half {
    client: Session,
    turn: Turn,
    /// What it has not sent yet.
    rest: Vec<u8>,
}

impl Cut {
    /// The first turn with a payload that is answered.
    fn in_characters(talk: &Talk) -> Option<Self> {
        let mut turns = talk.turns.iter();
        let index = turns.position(|turn| turn.uses_payload() && turn.expect.has_reply())?;
        Some(Self {
            exchange: talk.turns[index].clone(),
            before: way::with_turns(talk, &talk.way_to(index)),
            in_characters: true,
        })
    }

    /// The plain turn.
    fn anywhere(talk: &Talk) -> Self {
        Self {
            exchange: talk.plain().clone(),
            before: way::to_plain(talk),
            in_characters: false,
        }
    }

    /// Whether the same messages are answered when each is cut alone, beside no other. If not, says why.
    async fn possible(&self, cx: &Cx) -> Checked<Result<(), String>> {
        for number in 0..connections(cx) {
            // What an earlier client left unfinished may spoil the first message.
            let mut tried = self.alone(cx, number).await;
            if tried.is_err() {
                tried = self.alone(cx, number).await;
            }
            match tried {
                Ok(true) => {}
                Ok(false) => return Ok(Err(UNCUT.into())),
                Err(Shortfall::Failed(_) | Shortfall::Warned(_))
                    if cx.server().exit().is_none() =>
                {
                    let (what, see) = if self.in_characters {
                        ("inside a character", "utf8-split-char")
                    } else {
                        ("in two", "split-each-offset")
                    };
                    return Ok(Err(format!(
                        "a message that is cut {what} is not answered even alone: see {see}"
                    )));
                }
                Err(Shortfall::Skip(why)) => return Ok(Err(why)),
                // Inconclusive, or the server has died.
                Err(other) => return Err(other),
            }
        }
        Ok(Ok(()))
    }

    /// Sends one message in two parts. Returns false if it cannot be cut.
    async fn alone(&self, cx: &Cx, number: usize) -> Checked<bool> {
        match self.start(cx, number).await? {
            Some(half) => half.finish().await.map(|()| true),
            None => Ok(false),
        }
    }

    /// Sends the first part of a message on a new connection, and waits until the server has read it. `None` if the
    /// message cannot be cut.
    async fn start(&self, cx: &Cx, number: usize) -> Checked<Option<Half>> {
        let mut client = cx.connect().await?;
        way::walk(&mut client, &self.before).await?;
        let (character, inside) = CUTS[number % CUTS.len()];
        let payload = if self.in_characters {
            character.as_bytes()
        } else {
            way::PAYLOAD
        };
        if self.in_characters && !cx.talk().payload_is_safe(payload) {
            return Ok(None);
        }
        let turn = client.voice().render(&self.exchange, payload)?;
        let at = if self.in_characters {
            let found = cx.talk().request.find_in_body(&turn.request, payload);
            found.map(|start| start + inside)
        } else {
            Some(turn.request.len() * (number + 1) / (CUTS.len() + 1))
        };
        let Some(at) = at.filter(|at| (1..turn.request.len()).contains(at)) else {
            return Ok(None);
        };
        let rest = turn.request[at..].to_vec();
        client.send(&turn.request[..at]).await?;
        if way::is_read(cx, &mut client).await {
            Ok(Some(Half { client, turn, rest }))
        } else {
            failed(
                FailureKind::Blocked,
                "the server reads the first part of a message",
                "it did not",
            )
        }
    }

    /// The first parts on all connections, then the second parts.
    async fn interleaved(&self, cx: &Cx) -> Checked {
        let limit = SERVED_BESIDE + cx.pace().exchange * 20;
        let place = if self.in_characters {
            "inside a character"
        } else {
            "inside a message"
        };
        let mut halves = Vec::new();
        for number in 0..connections(cx) {
            match timeout(limit, self.start(cx, number)).await {
                Ok(Ok(Some(half))) => {
                    halves.push(half);
                    cx.proved(format!(
                        "the server had read the first parts, cut {place}, of the messages of {} connections before any second part was sent",
                        halves.len()
                    ));
                }
                Ok(Ok(None)) => return skip(UNCUT),
                Ok(Err(shortfall)) => {
                    return Err(shortfall)
                        .at(|| format!("the first part on connection {}", number + 1));
                }
                // The server serves no more clients at the same time.
                Err(_) => break,
            }
        }
        let count = halves.len();
        if count < 2 {
            return skip(
                "the server reads from one connection at a time: see hol-idle and hol-partial",
            );
        }
        for half in &mut halves {
            half.client.send(&half.rest).await?;
        }
        for (number, half) in halves.into_iter().enumerate() {
            half.answered()
                .await
                .at(|| format!("connection {} of {count}, cut {place}", number + 1))?;
        }
        Ok(())
    }
}

impl Half {
    async fn finish(mut self) -> Checked {
        self.client.send(&self.rest).await?;
        self.answered().await
    }

    async fn answered(mut self) -> Checked {
        self.client.expect(&self.turn).await?;
        self.client.close();
        Ok(())
    }
}
