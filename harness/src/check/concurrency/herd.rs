//! Many clients that come at the same moment.

use std::time::Duration;

use tokio::time::Instant;

use super::served;
use crate::check::{
    Check, Checked, Cx, Failure, FailureKind, Need, Runs, Shortfall, Weight, failed, skip,
};

/// Lets a crowd connect at once.
pub(super) const ENTRY: Check = Check {
    id: "herd",
    group: super::GROUP,
    battery: 1,
    requirement: "select(2): a listening socket is readable as long as a connection waits; the server accepts all that wait, and not one each time that it looks",
    stimulus: "400 clients connect at the same moment, or as many as the accept queue has room for; each sends a request as soon as it is connected",
    needs: &[Need::Reply, Need::Accepts, Need::Tcp],
    runs: Runs::OwnServer,
    weight: Weight::Fails,
    control: true,
    limit: Duration::from_secs(60),
    by_hand: "python3 -c \"import socket,threading as t,time; r={request}; b=time.time(); f=lambda: (lambda s: (s.settimeout(20), s.send(r), s.recv(4096)))(socket.create_connection(('{host}',{port}),20)); a=[t.Thread(target=f) for _ in range(100)]; [x.start() for x in a]; [x.join() for x in a]; print(time.time()-b,'s')\"",
    run: |cx| Box::pin(run(cx)),
};

/// Number of clients.
const CLIENTS: usize = 400;
/// Fewer clients are no crowd.
const CLIENTS_MIN: usize = 10;
/// Time limit for serving all of them, and the longest that it may be for a server that takes long for each.
const SERVED_WITHIN: Duration = Duration::from_secs(15);
const SERVED_WITHIN_MAX: Duration = Duration::from_secs(30);
/// Time after which a client without a reply connects again, as real clients do: what is behind the server may have lost
/// its request. With each a slow server has more to do.
const RECONNECT_AFTER: Duration = Duration::from_secs(4);
/// Time limit for the end of the server to become visible.
const DYING: Duration = Duration::from_millis(300);

async fn run(cx: &Cx) -> Checked {
    // What happens to clients beyond the queue is a matter of the kernel: see backlog-burst.
    let Some(listener) = cx.server().listener() else {
        return skip("the server's listening socket is not in this machine's socket table");
    };
    let clients = cx.connections(CLIENTS.min(listener.backlog as usize));
    if clients < CLIENTS_MIN {
        return skip(format!(
            "the server has room for only {clients} clients that connect at the same moment"
        ));
    }
    cx.exchange().await?;
    let one_by_one = cx.pace().exchange * u32::try_from(clients).unwrap_or(u32::MAX);
    // On a busy machine all of them at once take longer than one after the other.
    let within = (one_by_one * 3).clamp(SERVED_WITHIN, SERVED_WITHIN_MAX);
    let reconnect_after = RECONNECT_AFTER.max(within / 2);
    let begun = Instant::now();
    let crowd = cx.crowd(clients, |cx, _| async move {
        patient(&cx, begun + within, reconnect_after).await
    });
    let results: Checked<Vec<Option<Failure>>> = crowd.await.into_iter().collect();
    let lasted = begun.elapsed();
    let failures: Vec<Failure> = results?.into_iter().flatten().collect();
    let served = clients - failures.len();
    cx.note("clients", clients);
    cx.note("served", served);
    cx.note(
        "lasted_ms",
        u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX),
    );
    cx.proved(format!(
        "{clients} clients began to connect within one round of the event loop; {served} had a reply to their own request"
    ));
    let Some(first) = failures.first() else {
        return Ok(());
    };
    let actual = &first.mismatch.actual;
    if let Some(exit) = cx.server().wait_exit(DYING).await {
        return failed(
            FailureKind::Died,
            "the server keeps running",
            format!("the server {exit} ({actual})"),
        );
    }
    let expected =
        format!("{clients} clients that connect at the same moment are served within {within:.0?}");
    let actual = format!("{served} of {clients} are served; the first one that is not: {actual}");
    Err(Shortfall::Failed(Failure {
        seen: first.seen,
        ..Failure::new(FailureKind::Blocked, expected, actual)
    }))
}

/// A client that connects again if it has no reply for a while.
async fn patient(
    cx: &Cx,
    deadline: Instant,
    reconnect_after: Duration,
) -> Checked<Option<Failure>> {
    loop {
        let again = deadline.min(Instant::now() + reconnect_after);
        match served::once(cx, again).await? {
            Some(failure) if failure.kind == FailureKind::Blocked && again < deadline => {}
            done => return Ok(done),
        }
    }
}
