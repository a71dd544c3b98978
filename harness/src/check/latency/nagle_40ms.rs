//! Nagle's algorithm combined with delayed acknowledgements.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::check::{
    Check, Checked, Cx, FailureKind, Need, Runs, Shortfall, Weight, failed, inconclusive,
};
use crate::session::{PeerError, Session, set_quickack};
use crate::sys::tcp_info;
use crate::talk::Turn;

/// Times pairs of requests with delayed and with immediate acknowledgements.
pub(super) const ENTRY: Check = Check {
    id: "nagle-40ms",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 9293 section 3.7.4: Nagle's algorithm delays a second small write until the first is acknowledged, and the client may delay that acknowledgement (3.8.6.3): an application that writes twice must disable it (TCP_NODELAY)",
    stimulus: "20 pairs of requests, each pair in one write, from a client that delays its acknowledgements (TCP_QUICKACK off); then the same from a client that acknowledges immediately",
    needs: &[Need::Pipelining, Need::ManyTurns, Need::Accepts],
    runs: Runs::AloneOnMachine,
    weight: Weight::Fails,
    control: true,
    limit: Duration::from_secs(20),
    by_hand: "python3 -c \"import socket,time; r={request}; s=socket.create_connection(('{host}',{port})); s.setsockopt(6,1,1); s.send(r); time.sleep(.2); n=2*len(s.recv(65536)); f=lambda b: (s.setsockopt(6,12,0), s.send(r+r), s.recv(n,256), print(round((time.time()-b)*1000), 'ms')); [f(time.time()) for _ in range(20)]\"",
    run: |cx| Box::pin(run(cx)),
};

/// Number of pairs of requests per mode.
const PAIRS: usize = 20;
/// Range of a delay, in milliseconds, that a delayed acknowledgement explains. Linux delays by 40
/// to 200 ms.
const HELD_MS: std::ops::RangeInclusive<f64> = 30.0..=250.0;
/// Interval at which the client in immediate mode sends its acknowledgements.
const TICK: Duration = Duration::from_millis(1);

async fn run(cx: &Cx) -> Checked {
    let mut session = cx.open().await?;
    pair(cx, &mut session, false).await?;
    let segments = data_segments(&mut session)?;
    let mut delaying = Vec::new();
    for _ in 0..PAIRS {
        delaying.push(pair(cx, &mut session, false).await?);
    }
    let sent = data_segments(&mut session)? - segments;
    cx.note("pair_ms_when_acks_are_delayed", rounded(&delaying));
    if sent as usize != PAIRS {
        return inconclusive(format!(
            "unproven: {PAIRS} pairs left in {sent} segments, not one each"
        ));
    }
    cx.proved(format!(
        "TCP_INFO: {PAIRS} pairs of requests left in {sent} segments; TCP_QUICKACK was set to 0 before each"
    ));
    let held = held(&delaying);
    if held * 2 < PAIRS {
        return Ok(());
    }
    let mut prompt = Vec::new();
    for _ in 0..PAIRS {
        prompt.push(pair(cx, &mut session, true).await?);
    }
    cx.note("pair_ms_when_acks_are_sent_at_once", rounded(&prompt));
    if self::held(&prompt) * 4 > PAIRS {
        return inconclusive(
            "pairs of requests take long even if acknowledged immediately, so Nagle's algorithm is not the cause",
        );
    }
    failed(
        FailureKind::Slow,
        "both replies to two requests in one write arrive immediately",
        format!(
            "{held} of {PAIRS} pairs took {:.0} ms (median) when acknowledgements were delayed, and {:.1} ms when they were not: the server writes a reply in several pieces without TCP_NODELAY",
            median(&delaying),
            median(&prompt)
        ),
    )
}

/// Sends two requests in one write. Returns the time until both replies have arrived, in
/// milliseconds.
async fn pair(cx: &Cx, session: &mut Session, prompt: bool) -> Checked<f64> {
    let turns = [session.turn()?, session.turn()?];
    let both = turns
        .iter()
        .map(|turn| &turn.request[..])
        .collect::<Vec<_>>()
        .concat();
    let socket = session
        .stream()
        .as_fd()
        .try_clone_to_owned()
        .map_err(PeerError::Harness)?;
    set_quickack(&socket, prompt).map_err(PeerError::Harness)?;
    let begun = Instant::now();
    session.send(&both).await?;
    if prompt {
        tokio::select! {
            replies = replies(session, &turns) => replies?,
            error = acknowledging(&socket) => return Err(Shortfall::from(PeerError::Harness(error))),
        }
    } else {
        replies(session, &turns).await?;
    }
    let took = begun.elapsed();
    // Sends pending acknowledgements now, so that the next pair starts with nothing unacknowledged.
    set_quickack(&socket, true).map_err(PeerError::Harness)?;
    cx.eventually(TICK * 5, || {
        cx.peer(session).is_none_or(|peer| peer.send_q == 0)
    })
    .await;
    Ok(took.as_secs_f64() * 1e3)
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

fn data_segments(session: &mut Session) -> Checked<u32> {
    Ok(tcp_info(session.stream().as_fd())
        .map_err(PeerError::Harness)?
        .data_segments
        .0)
}

fn held(pairs: &[f64]) -> usize {
    pairs.iter().filter(|took| HELD_MS.contains(took)).count()
}

fn median(pairs: &[f64]) -> f64 {
    let mut sorted = pairs.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn rounded(pairs: &[f64]) -> Vec<f64> {
    pairs
        .iter()
        .map(|took| (took * 10.0).round() / 10.0)
        .collect()
}
