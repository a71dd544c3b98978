//! The time after which the server closes idle connections.

use std::time::{Duration, Instant};

use crate::check::{
    Ascribe, Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed, inconclusive,
};
use crate::session::{ConnectionEnd, Session};

/// Stays active for longer than the idle time-out, then silent.
pub(super) const ENTRY: Check = Check {
    id: "idle-timeout",
    group: super::GROUP,
    battery: 1,
    requirement: "promise.idle_timeout: a silent client is closed by then, because a peer that has vanished never sends a FIN (RFC 1122 section 4.2.3.6); one that keeps sending requests is not",
    stimulus: "a client sends a request each half of the idle time-out, four times, and then nothing; another one sends nothing from the start",
    needs: &[Need::IdleTimeout, Need::Reply],
    runs: Runs::OwnServer,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(1200),
    by_hand: "python3 -c \"import socket,time; s=socket.create_connection(('{host}',{port})); s.sendall({request}); print(s.recv(4096)); b=time.time(); print(s.recv(4096)); print('closed after', time.time()-b, 's')\"",
    run: |cx| Box::pin(run(cx)),
};

/// Number of requests of the active client after its first one.
const REQUESTS: usize = 4;
/// Minimum time by which a connection may outlive the time-out: many servers look at their timers once per second, and
/// memcached adds up to 4 s by clocks and pauses of whole seconds.
const SLACK_MIN: Duration = Duration::from_secs(5);

async fn run(cx: &Cx) -> Checked {
    let promised = cx.promise().idle_timeout.unwrap_or_default();
    super::in_reach(cx, promised)?;
    if cx.talk().carries_many_turns() {
        let mut client = cx.open().await?;
        stays_active(cx, &mut client, promised).await?;
        is_closed(cx, client, promised, "after its last reply").await?;
    }
    let client = cx.open().await?;
    cx.eventually(cx.pace().reply_limit(), || {
        client.local().is_none() || cx.peer(&client).is_none_or(|peer| peer.is_held())
    })
    .await;
    is_closed(cx, client, promised, "after it connected").await?;
    cx.others_are_served().await
}

/// Sends a request each half of the time-out, for twice its length.
async fn stays_active(cx: &Cx, client: &mut Session, promised: Duration) -> Checked {
    let mut last = exchange(client).await?;
    for _ in 0..REQUESTS {
        tokio::time::sleep(promised / 2).await;
        let pause = last.elapsed();
        if pause > promised * 9 / 10 {
            return inconclusive(format!(
                "unproven: a request was to be sent after {:?}, and this machine sent it after {pause:?}",
                promised / 2
            ));
        }
        cx.proved(format!(
            "a request was sent {pause:?} after the reply to the one before"
        ));
        last = exchange(client).await.at(|| {
            format!(
                "a request {pause:?} after the last reply, with promise.idle_timeout = {promised:?}"
            )
        })?;
    }
    Ok(())
}

/// One exchange. Returns when its reply arrived.
async fn exchange(client: &mut Session) -> Checked<Instant> {
    let turn = client.turn()?;
    client.exchange(&turn).await?;
    Ok(Instant::now())
}

/// Fails unless the server ends the connection of a silent client in time.
async fn is_closed(cx: &Cx, client: Session, promised: Duration, since: &str) -> Checked {
    let mut client = client;
    let slack = SLACK_MIN.max(promised / 4).max(cx.pace().exchange * 20);
    let begun = Instant::now();
    let end = client.drained(promised + slack).await;
    let waited = begun.elapsed();
    cx.proved(format!(
        "a connection was open, and nothing was sent on it for {waited:?}"
    ));
    let ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
    match end {
        ConnectionEnd::StillOpen => failed(
            FailureKind::NotClosed,
            format!(
                "the server closes a silent client's connection within {promised:?} (and {slack:?} for its timers)"
            ),
            format!(
                "{since} the client was silent for {waited:?}, and its connection is still open"
            ),
        ),
        ConnectionEnd::Eof | ConnectionEnd::Reset => {
            cx.note(&format!("closed_{}_ms", since.replace(' ', "_")), ms);
            Ok(())
        }
    }
}
