//! Nagle's algorithm combined with delayed acknowledgements.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use super::acks::{Judged, judge, median, rounded};
use crate::check::way::PAYLOAD;
use crate::check::{
    Check, Checked, Cx, FailureKind, Need, Runs, Shortfall, Weight, failed, inconclusive, skip,
};
use crate::session::{PeerError, Session, set_quickack};
use crate::sys::tcp_info;
use crate::talk::{Exchange, Turn};

/// Times replies with delayed and with immediate acknowledgements.
pub(super) const ENTRY: Check = Check {
    id: "nagle-40ms",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 9293 section 3.7.4: Nagle's algorithm delays a second small write until the first is acknowledged, and the client may delay that acknowledgement (3.8.6.3): an application that writes twice must disable it (TCP_NODELAY; async-h1#199)",
    stimulus: "20 requests of each of the first turns from a client that delays its acknowledgements (TCP_QUICKACK off); where a turn takes long, the same from a client that acknowledges immediately; with promise.pipelining also pairs of requests, each pair in one write",
    needs: &[Need::ManyTurns, Need::Reply, Need::Tcp, Need::Accepts],
    runs: Runs::AloneOnMachine,
    weight: Weight::Fails,
    control: true,
    limit: Duration::from_secs(40),
    by_hand: "python3 -c \"import socket,time; r={request}; s=socket.create_connection(('{host}',{port})); s.setsockopt(6,1,1); s.send(r); time.sleep(.2); n=len(s.recv(65536)); f=lambda b: (s.setsockopt(6,12,0), s.send(r), s.recv(n,256), print(round((time.time()-b)*1000), 'ms')); [f(time.time()) for _ in range(20)]\"",
    run: |cx| Box::pin(run(cx)),
};

/// Number of timed writes of the client per case and mode.
const ROUNDS: usize = 20;
/// Minimum number for a verdict, for a server that is slow or takes few requests on a connection.
const ROUNDS_MIN: usize = 4;
/// How often unsteady replies are timed: other work on the machine makes them so for a while.
const TRIES: usize = 3;
/// Time budget of the writes in one mode, for a slow server.
const TIME_BUDGET: Duration = Duration::from_secs(3);
/// Maximum number of turns that are timed.
const TURNS_MAX: usize = 4;
/// Interval at which the client in immediate mode sends its acknowledgements.
const TICK: Duration = Duration::from_millis(1);

/// What the client writes at once.
struct Case<'a> {
    exchange: &'a Exchange,
    /// Number of requests in one write.
    requests: usize,
}

async fn run(cx: &Cx) -> Checked {
    let talk = cx.talk();
    let timed = |exchange: &&Exchange| talk.repeats(exchange) && exchange.expect.has_reply();
    let single = |exchange| Case {
        exchange,
        requests: 1,
    };
    let singles = talk.turns.iter().filter(timed).map(single);
    let pair = (cx.promise().pipelining == Some(true)).then(|| Case {
        exchange: talk.plain(),
        requests: 2,
    });
    let mut unjudged = None;
    for case in singles.take(TURNS_MAX).chain(pair) {
        match case.check(cx).await {
            Ok(()) => {}
            // Another turn may be judged.
            Err(shortfall @ Shortfall::Skip(_)) => unjudged = Some(shortfall),
            Err(other) => return Err(other),
        }
    }
    unjudged.map_or(Ok(()), Err)
}

impl Case<'_> {
    /// Number of writes on one connection, after the first one.
    fn rounds(&self, cx: &Cx) -> usize {
        let in_time = TIME_BUDGET.as_secs_f64() / cx.pace().exchange.as_secs_f64().max(1e-6);
        let most = cx.requests((ROUNDS + 1) * self.requests) / self.requests;
        most.saturating_sub(1)
            .min((in_time as usize).max(ROUNDS_MIN))
    }

    fn what(&self) -> String {
        match self.requests {
            1 => format!("replies to {}", self.exchange.label),
            _ => format!("pairs of replies to {}", self.exchange.label),
        }
    }

    async fn check(&self, cx: &Cx) -> Checked {
        let (what, rounds) = (self.what(), self.rounds(cx));
        if rounds < ROUNDS_MIN {
            return skip("a connection carries too few requests");
        }
        let mut tries = 0;
        let (delayed, prompt, held) = loop {
            tries += 1;
            let delayed = self.timed(cx, rounds, false).await?;
            if judge(&delayed, None) == Judged::Prompt {
                return Ok(());
            }
            let prompt = self.timed(cx, rounds, true).await?;
            cx.note("ms_when_acks_are_delayed", rounded(&delayed));
            cx.note("ms_when_acks_are_immediate", rounded(&prompt));
            match judge(&delayed, Some(&prompt)) {
                Judged::Prompt => return Ok(()),
                Judged::Unsteady if tries < TRIES => {}
                Judged::Unsteady => {
                    return skip(format!(
                        "{what} vary by more than a delayed acknowledgement takes, even if acknowledged immediately"
                    ));
                }
                Judged::Held(held) => break (delayed, prompt, held),
            }
        };
        let cause = match self.requests {
            1 => "the server writes a reply in several pieces without TCP_NODELAY",
            _ => "the server writes the second reply by itself without TCP_NODELAY",
        };
        failed(
            FailureKind::Slow,
            "replies arrive as fast as without delayed acknowledgements",
            format!(
                "{held} of {rounds} {what} waited for an acknowledgement: {:.0} ms (median) when acknowledgements were delayed, and {:.1} ms when they were not: {cause}",
                median(&delayed),
                median(&prompt)
            ),
        )
    }

    /// Times this number of writes on a new connection, until the replies to each have arrived. In milliseconds.
    async fn timed(&self, cx: &Cx, rounds: usize, prompt: bool) -> Checked<Vec<f64>> {
        let mut session = cx.open_for(self.exchange).await?;
        self.round(cx, &mut session, prompt).await?;
        let before = data_segments(&mut session)?;
        let mut took = Vec::with_capacity(rounds);
        for _ in 0..rounds {
            took.push(self.round(cx, &mut session, prompt).await?);
        }
        let sent = data_segments(&mut session)? - before;
        if sent as usize != rounds {
            return inconclusive(format!(
                "unproven: {rounds} writes left in {sent} segments, not one each"
            ));
        }
        if !prompt {
            cx.proved(format!(
                "TCP_INFO: {rounds} writes of {} requests left in {sent} segments; TCP_QUICKACK was set to 0 before each",
                self.requests
            ));
        }
        session.close();
        Ok(took)
    }

    /// Writes once. Returns the time until all replies have arrived, in milliseconds.
    async fn round(&self, cx: &Cx, session: &mut Session, prompt: bool) -> Checked<f64> {
        let mut turns = Vec::with_capacity(self.requests);
        for _ in 0..self.requests {
            turns.push(session.voice().render(self.exchange, PAYLOAD)?);
        }
        let together: Vec<u8> = turns
            .iter()
            .flat_map(|turn| &turn.request)
            .copied()
            .collect();
        let socket = session
            .link()
            .as_fd()
            .try_clone_to_owned()
            .map_err(PeerError::Harness)?;
        set_quickack(&socket, prompt).map_err(PeerError::Harness)?;
        let begun = Instant::now();
        session.send(&together).await?;
        if prompt {
            tokio::select! {
                replies = replies(session, &turns) => replies?,
                error = acknowledging(&socket) => return Err(Shortfall::from(PeerError::Harness(error))),
            }
        } else {
            replies(session, &turns).await?;
        }
        let took = begun.elapsed();
        // Sends pending acknowledgements now, so that the next write starts with nothing unacknowledged.
        set_quickack(&socket, true).map_err(PeerError::Harness)?;
        cx.eventually(TICK * 5, || {
            cx.peer(session).is_none_or(|peer| peer.send_q == 0)
        })
        .await;
        Ok(took.as_secs_f64() * 1e3)
    }
}

async fn replies(session: &mut Session, turns: &[Turn]) -> Checked {
    for turn in turns {
        session.expect(turn).await?;
    }
    Ok(())
}

/// Repeatedly sends pending acknowledgements. Returns only on an error.
async fn acknowledging(socket: &OwnedFd) -> std::io::Error {
    loop {
        if let Err(error) = set_quickack(socket, true) {
            return error;
        }
        tokio::time::sleep(TICK).await;
    }
}

/// Segments sent so far, each counted once: on a busy machine the kernel sends one again that waits for its acknowledgement.
fn data_segments(session: &mut Session) -> Checked<u32> {
    let info = tcp_info(session.link().as_fd()).map_err(PeerError::Harness)?;
    Ok(info.data_segments.0.saturating_sub(info.total_retrans))
}
