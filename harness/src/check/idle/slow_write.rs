//! A request that never ends, a byte at a time.

use std::time::{Duration, Instant};

use crate::check::{Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed, skip};
use crate::session::{ConnectionEnd, PeerError};

/// Sends a request one byte at a time.
pub(super) const ENTRY: Check = Check {
    id: "slow-write",
    group: super::GROUP,
    battery: 1,
    requirement: "promise.idle_timeout also for a client that sends a byte now and then: if each byte starts the time-out again, one client can hold all connections for days (slowloris; CWE-400)",
    stimulus: "a request one byte at a time, eight bytes or more in the time of the idle time-out, for twice that time and 5 seconds; then the connection must be closed or the request be refused",
    needs: &[Need::IdleTimeout, Need::Frame, Need::Tcp],
    runs: Runs::OwnServer,
    weight: Weight::Warns,
    control: false,
    limit: Duration::from_secs(1200),
    by_hand: "python3 -c \"import socket,time; s=socket.create_connection(('{host}',{port})); s.setsockopt(6,1,1); b=time.time(); [(s.send(b'x'), time.sleep(.5), print(time.time()-b)) for _ in range(1000)]\"",
    run: |cx| Box::pin(run(cx)),
};

/// Minimum number of bytes in the time of the time-out.
const BYTES_PER_TIMEOUT: u32 = 8;
/// Minimum time by which the server may close later than it promises.
const SLACK: Duration = Duration::from_secs(5);

async fn run(cx: &Cx) -> Checked {
    let promised = cx.promise().idle_timeout.unwrap_or_default();
    super::in_reach(cx, promised)?;
    let interval = promised / BYTES_PER_TIMEOUT;
    let time = promised * 2 + SLACK.max(promised / 4);
    let bytes = (time.as_secs_f64() / interval.as_secs_f64().max(1e-3)) as usize + 1;
    let mut client = cx.open_for_payload().await?;
    let request = match client.payload_turn(&vec![b'x'; bytes]) {
        Ok(Some(turn)) if cx.talk().payload_is_safe(b"x") => turn.request,
        Ok(_) | Err(_) => client.turn()?.request,
    };
    if request.len() <= bytes
        || cx
            .promise()
            .max_message
            .is_some_and(|most| request.len() > most)
    {
        return skip(format!(
            "no request is long enough for {bytes} bytes, one each {interval:?}"
        ));
    }
    let begun = Instant::now();
    for byte in &request[..bytes] {
        match client.send(&[*byte]).await {
            Ok(()) => {}
            Err(PeerError::Reset { .. }) => break,
            Err(error) => return Err(error.into()),
        }
        // An answer to half a request is a refusal.
        let (answer, end) = client.hear(interval, Duration::ZERO, 1).await;
        let took = begun.elapsed();
        cx.proved(format!(
            "the beginning of a request of {} bytes was sent for {took:.1?}, one byte each {interval:?}",
            request.len()
        ));
        if end != ConnectionEnd::StillOpen || !answer.is_empty() {
            cx.note("ended_after_ms", took.as_secs_f64() * 1e3);
            return cx.others_are_served().await;
        }
        if took > time {
            break;
        }
    }
    if begun.elapsed() < time {
        return cx.others_are_served().await;
    }
    failed(
        FailureKind::NotClosed,
        format!(
            "a request that does not become complete ends within {promised:?}, and {SLACK:?} for timers"
        ),
        format!(
            "after {:.1?} of a byte each {interval:?} the connection is still open: each byte starts the time-out again",
            begun.elapsed()
        ),
    )
}
