//! The stop signal in the middle of a request.

use std::time::{Duration, Instant};

use crate::check::{
    Ascribe, Check, Checked, Cx, FailureKind, Need, Promised, Runs, Weight, failed, inconclusive,
    skip,
};
use crate::process::StartOptions;

/// Stops a server that has read half a request.
pub(super) const ENTRY: Check = Check {
    id: "term-inflight",
    group: super::GROUP,
    battery: 1,
    requirement: "a stopping server first finishes the requests that it has started to read (promise.drains_on_stop); otherwise every rolling restart loses replies",
    stimulus: "half a request; once the server has read it, the stop signal; then the other half; on up to 5 servers, one after the other",
    needs: &[Need::Spawned, Need::Frame, Need::Reply],
    runs: Runs::OwnServer,
    weight: Weight::WarnsUnless(Promised::DrainsOnStop),
    control: false,
    limit: Duration::from_secs(60),
    by_hand: "{cmd} & p=$!; sleep 1; python3 -c \"import os,socket,time; m={request}; h=len(m)//2; s=socket.create_connection(('{host}',{port})); s.sendall(m[:h]); time.sleep(.2); os.kill($p,15); time.sleep(.2); s.sendall(m[h:]); print(s.recv(4096))\"",
    run: |cx| Box::pin(run(cx)),
};

/// Time between the signal and the other half, long enough for the server to act on the signal
/// (redis checks for it every 100 ms).
const ACTS: Duration = Duration::from_millis(300);
const EXPECTED: &str = "the request in progress is answered before the server exits";

/// Number of servers, one after the other: in some the end of one thread races with the work of another. A server that is slow
/// to start gets fewer.
const TRIES: u32 = 5;
/// Each gets the signal this much later than the one before: a server that looks for it once a second (memcached) would answer
/// whatever arrives before it looks.
const LATER: Duration = Duration::from_millis(200);
const TRIES_TIME: Duration = Duration::from_secs(5);

async fn run(cx: &Cx) -> Checked {
    let begun = Instant::now();
    one_try(cx, Duration::ZERO).await?;
    for number in 1..TRIES {
        if begun.elapsed() >= TRIES_TIME {
            break;
        }
        let fresh = cx.start(StartOptions::default()).await?;
        one_try(&cx.on(fresh), LATER * number).await?;
    }
    Ok(())
}

/// Asks a server to stop some time after it has read half of a request.
async fn one_try(cx: &Cx, later: Duration) -> Checked {
    let mut client = cx.open().await?;
    let turn = client.turn()?;
    let half = turn.request.len() / 2;
    if half == 0 {
        return skip("the request is a single byte and cannot be cut in half");
    }
    client.send(&turn.request[..half]).await?;
    client.until_read().await?;
    tokio::time::sleep(later).await;
    let asked = Instant::now();
    let delivered = super::ask_to_stop(cx)?;
    cx.proved(format!(
        "{delivered} when it had read {half} of {} bytes of a request",
        turn.request.len()
    ));
    if let Some(exit) = cx.server().wait_exit(ACTS).await {
        let actual = format!(
            "{} ms after the signal the server {exit}",
            asked.elapsed().as_millis()
        );
        return failed(FailureKind::LostReply, EXPECTED, actual);
    }
    client
        .send(&turn.request[half..])
        .await
        .ascribe(FailureKind::LostReply, EXPECTED)?;
    client
        .expect(&turn)
        .await
        .ascribe(FailureKind::LostReply, EXPECTED)?;
    client.close();
    let limit = super::stop_limit(cx);
    let Some(exit) = cx.server().wait_exit(limit).await else {
        return inconclusive(format!(
            "the reply arrived, but {limit:?} later the server still runs: see term-idle"
        ));
    };
    cx.note("exit", exit.to_string());
    cx.note("stopped_after_ms", asked.elapsed().as_millis() as u64);
    Ok(())
}
