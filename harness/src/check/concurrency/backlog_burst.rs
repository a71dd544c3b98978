//! A burst of clients larger than the accept queue.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::stopped::Stopped;
use crate::check::{Check, Checked, Cx, FailureKind, Need, Runs, Shortfall, Weight, failed, skip};

/// Lets a burst of clients connect while the server is stopped.
pub(super) const ENTRY: Check = Check {
    id: "backlog-burst",
    group: super::GROUP,
    battery: 1,
    requirement: "listen(2): connections that find the queue full are dropped and retried after 1, 3 and 7 s; all clients of a burst must be served by then. With a backlog below 16 whoever comes with a few others waits for a second and more",
    stimulus: "the server is stopped (SIGSTOP), 400 clients connect (fewer if it takes long for each), the server is continued (SIGCONT); each client sends its request as soon as it is connected",
    needs: &[Need::Spawned, Need::Tcp],
    runs: Runs::OwnServer,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(75),
    by_hand: "{cmd} & p=$!; sleep 1; kill -STOP $p; (sleep 1; kill -CONT $p) & python3 -c \"import socket,threading as t,time; r={request}; b=time.time(); f=lambda: (lambda s: (s.settimeout(20), s.send(r), s.recv(4096)))(socket.create_connection(('{host}',{port}))); a=[t.Thread(target=f) for _ in range(400)]; [x.start() for x in a]; [x.join() for x in a]; print(time.time()-b,'s')\"; kill $p",
    run: |cx| Box::pin(run(cx)),
};

/// Number of clients, and the minimum of it for a slow server.
const CLIENTS: usize = 400;
const CLIENTS_MIN: usize = 40;
/// Time limit for serving all clients, from SIGCONT on: the kernel repeats a SYN that found the queue full after 1, 3, 7 and
/// 15 s, and this lies between the last two. A server that needs long for each client gets more.
const SERVED_WITHIN: Duration = Duration::from_secs(11);
/// Maximum of the time that a slow server gets beyond that.
const LONGER_MAX: Duration = Duration::from_secs(11);
/// Time after which a client without a reply connects again: after the kernel's third SYN, so that
/// a short backlog is still visible.
const RECONNECT_AFTER: Duration = Duration::from_secs(4);
/// Time between two attempts of a client.
const PAUSE: Duration = Duration::from_millis(100);
/// Number of clients that are timed before.
const TIMED: usize = 12;
/// Time limit for an idle server to serve a second client.
const SERVED_ALONE_WITHIN: Duration = Duration::from_millis(500);
/// The backlog from which on it depends on the speed of the server whether a burst is served in time. With a shorter one it is
/// chance: of 400 clients 38 were left when mpd (5) had been continued for 11 s, and in another run none after 4.
const BACKLOG_MIN: u32 = 16;
/// Time for the clients to send their SYNs.
const BURST: Duration = Duration::from_millis(500);

async fn run(cx: &Cx) -> Checked {
    if serves_one_at_a_time(cx).await? {
        return skip(
            "the server serves one client at a time, so a client whose request was dropped with the burst blocks the others (see hol-idle)",
        );
    }
    let each = time_for_one_of_many(cx).await.max(cx.pace().exchange);
    let judged = burst(cx, each).await;
    let listener = cx.server().listener();
    if let Err(Shortfall::Failed(failure)) = &judged
        && failure.kind == FailureKind::Blocked
        && listener.is_some_and(|listener| listener.backlog >= BACKLOG_MIN)
    {
        // The machine may have become busy, so that all of them are too many.
        let now = time_for_one_of_many(cx).await;
        if now > each * 3 / 2 {
            cx.step(format!(
                "again: each of several clients takes {now:.0?} now"
            ));
            return burst(cx, now).await;
        }
    }
    judged
}

/// A burst of clients, given the time that the server takes for each of several.
async fn burst(cx: &Cx, each: Duration) -> Checked {
    let clients = cx.waiting_connections(clients_at(each));
    // The server may do the work of all clients at the same time, or of one after the other.
    let longer = (each * u32::try_from(clients).unwrap_or(u32::MAX)).min(LONGER_MAX);
    let stopped = Stopped::hold(cx).await?;
    let deadline = Instant::now() + BURST + SERVED_WITHIN + longer;
    let tried = Rc::new(Cell::new(0));
    let crowd = cx.crowd(clients, |cx, _| {
        let tried = tried.clone();
        async move {
            tried.set(tried.get() + 1);
            timeout_at(deadline, served(&cx, RECONNECT_AFTER + longer))
                .await
                .unwrap_or_else(|_| failed(FailureKind::Blocked, "", "no reply within the limit"))
        }
    });
    let listener = cx.server().listener();
    let backlog = listener.map_or(0, |listener| listener.backlog);
    let full = (backlog as usize + 1).min(clients);
    let goes_on = async {
        let server = cx.server();
        let is_full = || tried.get() == clients && server.waiting_for_accept() >= full;
        cx.eventually(BURST, is_full).await;
        let waiting = server.waiting_for_accept();
        stopped.resume();
        (waiting, Instant::now())
    };
    let (results, (waiting, began)) = tokio::join!(crowd, goes_on);
    let lasted = began.elapsed();
    let served = results.iter().filter(|result| result.is_ok()).count();
    if let Some(Err(Shortfall::Failed(failure))) = results.iter().find(|result| result.is_err()) {
        cx.note("first_not_served", failure.mismatch.actual.clone());
    }
    cx.note("clients", clients);
    cx.note("served", served);
    cx.note("backlog", backlog);
    cx.note("waiting_for_accept", waiting);
    cx.note(
        "all_served_ms",
        u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX),
    );
    if waiting > 0 {
        cx.proved(format!(
            "all processes of the server were stopped (state T) while {clients} clients connected; {waiting} connections waited for accept, with a backlog of {backlog}"
        ));
    }
    if let Some(exit) = cx.server().exit() {
        return failed(
            FailureKind::Died,
            "the server keeps running",
            format!("the server {exit}"),
        );
    }
    if served < clients {
        return failed(
            FailureKind::Blocked,
            format!(
                "{clients} clients that connected while the server was stopped are served within {:?}",
                SERVED_WITHIN + longer
            ),
            format!(
                "{served} of {clients} were served; {}",
                cause(clients, waiting, backlog)
            ),
        );
    }
    if (1..BACKLOG_MIN).contains(&backlog) && waiting > backlog as usize && waiting < clients {
        return failed(
            FailureKind::Blocked,
            format!("a backlog of at least {BACKLOG_MIN}"),
            format!(
                "{} of {clients} clients found no room, and were served only because they tried again: the last one after {:.1} s; {}",
                clients - waiting,
                lasted.as_secs_f64(),
                cause(clients, waiting, backlog)
            ),
        );
    }
    cx.is_alive().await
}

/// How long the server takes for each of several clients that come at once: connection, opening and exchange.
async fn time_for_one_of_many(cx: &Cx) -> Duration {
    let begun = Instant::now();
    let clients = cx.connections(TIMED);
    let crowd = cx.crowd(clients, |cx, _| async move { one_try(&cx).await });
    // Whether they are served is for the burst to judge.
    crowd.await;
    begun.elapsed() / u32::try_from(clients.max(1)).unwrap_or(u32::MAX)
}

/// Number of clients of a burst: fewer where each takes the server so long that half of the longest time limit would not do
/// for all, one after the other.
fn clients_at(exchange: Duration) -> usize {
    let fit = LONGER_MAX.as_micros() / 2 / exchange.as_micros().max(1);
    usize::try_from(fit).map_or(CLIENTS, |fit| fit.clamp(CLIENTS_MIN, CLIENTS))
}

/// Why clients of a burst were not served, of which `waiting` found a place in the queue of the listening socket.
fn cause(clients: usize, waiting: usize, backlog: u32) -> String {
    // One more than the backlog may wait.
    if waiting >= clients || waiting <= backlog as usize {
        return format!(
            "{waiting} waited for accept, and the backlog of {backlog} had room for all"
        );
    }
    format!(
        "the cause is the backlog: listen(fd, {backlog}) lets {} connections wait, and the kernel drops the others until they retry",
        backlog + 1
    )
}

/// Whether a silent client prevents another one from being served.
pub(in crate::check) async fn serves_one_at_a_time(cx: &Cx) -> Checked<bool> {
    let silent = cx.connect().await?;
    let accepted = || cx.peer(&silent).is_some_and(|peer| peer.is_held());
    cx.eventually(SERVED_ALONE_WITHIN, accepted).await;
    let served = timeout(SERVED_ALONE_WITHIN + cx.pace().exchange * 20, cx.exchange()).await;
    silent.close();
    Ok(served.is_err())
}

/// One client of the burst: connects, however long it takes, and is served. A client may consider
/// itself connected although the server's kernel had no room for it and dropped it, or resets it
/// later (SYN cookies). Like real clients, it then connects again.
async fn served(cx: &Cx, reconnect_after: Duration) -> Checked {
    loop {
        match timeout(reconnect_after, one_try(cx)).await {
            Ok(Err(Shortfall::Failed(failure))) if failure.kind == FailureKind::Reset => {}
            Ok(done) => return done,
            Err(_) => {}
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn one_try(cx: &Cx) -> Checked {
    let mut session = cx.try_connect_within(BURST + SERVED_WITHIN).await?;
    session.opening().await?;
    let turn = session.turn()?;
    session.exchange(&turn).await?;
    session.close();
    Ok(())
}
