//! Running out of descriptors while serving.

use std::time::{Duration, Instant};

use super::calm::{alive, watch};
use super::recovery::recovers;
use crate::check::{
    Check, Checked, Cx, FailureKind, Need, Runs, Shortfall, Weight, failed, inconclusive, skip,
};
use crate::process::{Server, StartOptions};
use crate::session::{Session, pause};

/// Fills the server's descriptor table, measures the server, and empties the table again.
pub(super) const ENTRY: Check = Check {
    id: "emfile-live",
    group: super::GROUP,
    battery: 1,
    requirement: "POSIX accept(): EMFILE, all file descriptors are in use; a server that retries immediately is in a busy loop until one is closed (tarantool, gearmand), and one that exits serves nobody",
    stimulus: "the server starts with a limit of few descriptors; idle connections fill its table, further ones wait; after a while all clients leave",
    needs: &[Need::Spawned, Need::Accepts, Need::Tcp],
    runs: Runs::AloneOnMachine,
    weight: Weight::Fails,
    control: true,
    limit: Duration::from_secs(60),
    by_hand: "(ulimit -n 40; exec {cmd}) & p=$!; sleep 1; python3 -c \"import socket,time; c=[socket.create_connection(('{host}',{port}), 2) for _ in range(44)]; time.sleep(4)\" & {top}; kill $p",
    run: |cx| Box::pin(run(cx)),
};

/// Number of descriptors that each process may open in addition to those that it has when it is ready. Fewer, if the server
/// accepts so few connections that they would not fill its table.
const ROOM: usize = 20;
const ROOM_MIN: usize = 4;
/// Higher limits, for a server that does not work with such a low one.
const HIGHER: [u64; 3] = [64, 128, 256];
/// Number of connections that wait once the table is full, so that accept fails.
const WAITING: usize = 3;
/// A connection may need several descriptors, such as its own, a pipe and a log: then not the last one is missing.
const AT_ONCE_MAX: u64 = 4;
/// Time limit for the server to accept, and for one on a busy machine.
const ACCEPTS: Duration = Duration::from_millis(250);
const ACCEPTS_LATE: Duration = Duration::from_secs(2);
/// Time after filling the table: the immediate reaction (a log line, a growing pool) is not
/// measured.
const SETTLE: Duration = Duration::from_millis(100);
/// Maximum number of such times until no more connections are closed.
const SETTLES_MAX: usize = 10;
/// What the server lacks.
const LACK: &str = "with no descriptor left";

async fn run(cx: &Cx) -> Checked {
    let (cx, limit) = &limited(cx).await?;
    let held = fill(cx, *limit).await?;
    alive(cx, LACK)?;
    let calm = watch(cx, LACK).await?;
    let connections = held.len();
    held.into_iter().for_each(Session::close);
    cx.step(format!("all {connections} clients leave"));
    calm.judge(LACK)?;
    recovers(cx, LACK).await
}

/// A server that was started with few descriptors, and its limit. Many servers size themselves by the limit that they find, so
/// one that is lowered later would be unfair.
async fn limited(cx: &Cx) -> Checked<(Cx, u64)> {
    let room = ROOM.min(cx.connections(3 * ROOM) / 3).max(ROOM_MIN);
    let lowest = fullest(cx)? + room as u64;
    let higher = HIGHER.into_iter().filter(|limit| *limit > lowest);
    for limit in [lowest].into_iter().chain(higher) {
        let options = StartOptions {
            nofile: Some((limit, limit)),
            ..StartOptions::default()
        };
        if let Ok(server) = cx.try_start(options).await? {
            let limited = cx.on(server.into());
            if limited.exchange().await.is_ok() {
                cx.step(format!(
                    "start the server with a limit of {limit} descriptors"
                ));
                cx.note("descriptors_max", limit);
                return Ok((limited, limit));
            }
        }
    }
    let most = HIGHER[HIGHER.len() - 1];
    skip(format!(
        "the server does not work with {most} descriptors (see emfile-start)"
    ))
}

/// Number of descriptors of the process that has the most.
fn fullest(cx: &Cx) -> Checked<u64> {
    let usage = cx.usage()?;
    let counts = usage
        .per_process
        .iter()
        .filter_map(|process| process.descriptors);
    counts.max().map_or_else(
        || inconclusive("the server's descriptors cannot be counted"),
        |most| Ok(most as u64),
    )
}

/// Opens connections until the table of a process is full and connections wait to be accepted.
async fn fill(cx: &Cx, limit: u64) -> Checked<Vec<Session>> {
    let processes = cx.usage()?.processes;
    let room = limit.saturating_sub(counted(cx).await?) as usize;
    let wanted = (room + 5) * processes + WAITING;
    let most = cx.connections(wanted);
    let mut held: Vec<Session> = Vec::new();
    let (mut peak, mut refused, mut waiting) = (0, 0, 0);
    while held.len() < most && waiting < WAITING && refused < WAITING {
        // The table may be full by now, so a failed connection is not a verdict yet.
        let Ok(Ok(client)) = tokio::time::timeout(ACCEPTS, cx.try_connect()).await else {
            refused += 1;
            peak = peak.max(counted(cx).await?);
            alive(cx, "while its descriptor table fills up")?;
            continue;
        };
        let limit_of_wait = if waiting > 0 { SETTLE / 10 } else { ACCEPTS };
        match fate(cx.server(), &client, limit_of_wait).await {
            Fate::Held => {
                held.push(client);
                // A thread that counts the client may run later than the accept.
                cx.eventually(ACCEPTS, || !cx.server().is_computing()).await;
            }
            Fate::Waits => {
                waiting += 1;
                held.push(client);
            }
            Fate::Refused => refused += 1,
        }
        peak = peak.max(counted(cx).await?);
        if waiting == WAITING && peak + AT_ONCE_MAX < limit && accepts_late(cx).await {
            waiting = 0;
        }
    }
    // Closed as soon as they were accepted.
    refused += drop_closed(cx, &mut held).await;
    let lasting = counted(cx).await?;
    peak = peak.max(lasting);
    cx.note("connections", held.len());
    cx.note("descriptors_peak", peak);
    let queued = cx.server().listener().map_or(0, |listener| listener.queued);
    if peak < limit && lasting + AT_ONCE_MAX >= limit && refused.max(waiting) >= WAITING {
        let how = if refused >= WAITING {
            format!("it closed {refused} at once")
        } else {
            format!("{waiting} wait in its accept queue")
        };
        cx.proved(format!("a process of the server had {lasting} of {limit} descriptors open, too few free ones for another connection: {how}"));
        return Ok(held);
    }
    if peak < limit {
        return not_full(held.len(), most < wanted, lasting, limit, waiting, refused);
    }
    cx.proved(format!("a process of the server had {peak} of {limit} descriptors open, with {queued} connections in its accept queue"));
    Ok(held)
}

/// Whether the server accepts those that wait after all.
async fn accepts_late(cx: &Cx) -> bool {
    let is_empty = || {
        let listener = cx.server().listener();
        listener.is_none_or(|listener| listener.queued == 0)
    };
    cx.eventually(ACCEPTS_LATE, is_empty).await
}

/// Drops the connections that the server closes, until it closes no more: a busy one may do so late. Returns their number.
async fn drop_closed(cx: &Cx, held: &mut Vec<Session>) -> usize {
    let before = held.len();
    for _ in 0..SETTLES_MAX {
        let open = held.len();
        tokio::time::sleep(SETTLE).await;
        held.retain(|client| is_open(cx, client));
        if held.len() == open {
            break;
        }
    }
    before - held.len()
}

/// Whether the server has not closed this connection.
fn is_open(cx: &Cx, client: &Session) -> bool {
    use crate::process::TcpState::{Established, SynRecv};
    cx.peer(client)
        .is_some_and(|peer| matches!(peer.state, Established | SynRecv))
}

/// Like [`fullest`], for a server that may end meanwhile.
async fn counted(cx: &Cx) -> Checked<u64> {
    match fullest(cx) {
        Err(Shortfall::Inconclusive(reason)) => match cx.server().wait_exit(SETTLE).await {
            Some(exit) => failed(
                FailureKind::Died,
                "the server keeps running while its descriptor table fills up",
                format!("the server {exit}"),
            ),
            None => inconclusive(reason),
        },
        counted => counted,
    }
}

/// Why the table could not be filled. This is no statement about the server.
fn not_full(
    held: usize,
    capped: bool,
    lasting: u64,
    limit: u64,
    waiting: usize,
    refused: usize,
) -> Checked<Vec<Session>> {
    let seen = format!("{held} connections, {lasting} of {limit} descriptors");
    if capped {
        return skip(format!(
            "the server accepts too few connections to fill its descriptor table: {seen}"
        ));
    }
    if waiting > 0 {
        return skip(format!(
            "the server stops accepting before its descriptor table is full: {seen}"
        ));
    }
    if refused > 0 {
        return skip(format!(
            "the server refuses connections before its descriptor table is full: {seen}"
        ));
    }
    skip(format!(
        "the connections do not fill one process's descriptor table (does each connection have its own process?): {seen}"
    ))
}

/// The state of a new connection.
enum Fate {
    /// The server accepted it.
    Held,
    /// It is in the accept queue.
    Waits,
    /// The server closed it.
    Refused,
}

async fn fate(server: &Server, client: &Session, limit: Duration) -> Fate {
    use crate::process::TcpState::{Established, SynRecv};
    let begun = Instant::now();
    let mut round = 0;
    loop {
        match server.peer_socket(client.local()) {
            Some(peer) if peer.state == Established && peer.is_held() => return Fate::Held,
            Some(peer) if !matches!(peer.state, Established | SynRecv) => return Fate::Refused,
            None if round > 50 => return Fate::Refused,
            _ if begun.elapsed() >= limit => return Fate::Waits,
            _ => pause(round).await,
        }
        round += 1;
    }
}
