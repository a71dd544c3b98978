//! No descriptor left while serving.

use crate::check::{
    Ascribe, Check, Checked, Cx, Kind, Need, Runs, Weight, failed, inconclusive, skip,
};
use crate::process::{Server, StartOptions};
use crate::session::Session;
use std::time::{Duration, Instant};

/// Fills the server's table of descriptors, watches it, and empties the table again.
pub const ENTRY: Check = Check {
    id: "emfile-live",
    group: super::GROUP,
    battery: 1,
    requirement: "POSIX accept(): EMFILE, all file descriptors are in use; it stays so until one is closed, so a server that calls again at once spins (redis: 40 % of a core, 6.7 MB/s of log), and one that gives up is gone",
    stimulus: "once it is ready its limit of descriptors is set to those open + 20; idle connections fill its table, further ones wait; after a while all leave",
    needs: &[Need::Spawned],
    runs: Runs::AloneOnMachine,
    weight: Weight::Fails,
    control: true,
    limit: Duration::from_secs(60),
    by_hand: "n=$(($(ls /proc/$p/fd | wc -l)+20)); prlimit --pid $p --nofile=$n:$n; python3 -c \"import socket,time; c=[socket.create_connection(('{host}',{port}), 2) for _ in range(24)]; time.sleep(4)\" & top -b -d 2 -n 2 -p $p | tail -1",
    run: |cx| Box::pin(run(cx)),
};

/// Descriptors that each process may open beyond those it has.
const ROOM: u64 = 20;
/// Connections that wait when the table is full, so that accept has something to fail at.
const WAITING: usize = 3;
/// A server that accepts at all has accepted by then.
const ACCEPTS: Duration = Duration::from_millis(250);
/// What follows a full table at once (a log line, a pool that grows) is not counted.
const SETTLE: Duration = Duration::from_millis(100);
/// CPU and log are measured over this.
const WINDOW: Duration = Duration::from_millis(800);
/// Cores that a server with nothing to do but wait may use. Sound ones were seen below 0.01, a loop
/// without a pause uses a core, and got 0.21 of one on a machine with much else to do.
const CORES_MAX: f64 = 0.15;
/// How long the end of a server may take to be seen.
const DYING: Duration = Duration::from_millis(500);
/// Bytes that it may print in a second.
const LOG_RATE_MAX: f64 = 1e6;

async fn run(cx: &Cx) -> Checked {
    let (cx, limit) = &lower_the_limit(cx).await?;
    let held = fill(cx, *limit).await?;
    alive(cx, "with no descriptor left")?;
    let calm = watch(cx).await?;
    let connections = held.len();
    held.into_iter().for_each(Session::close);
    cx.step(format!("all {connections} clients leave"));
    calm.judge()?;
    recovers(cx).await
}

/// Soft and hard, so that it cannot be raised again. The server under the limit, and the limit.
async fn lower_the_limit(cx: &Cx) -> Checked<(Cx, u64)> {
    let limit = fullest(cx)? + ROOM;
    cx.note("descriptors_max", limit);
    match cx.server().set_nofile(limit, limit) {
        Ok(()) => {
            cx.step(format!(
                "prlimit: at most {limit} descriptors for each process of the server"
            ));
            Ok((cx.clone(), limit))
        }
        // Its workers run as another user, whose limits only a privileged process may set.
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            let options = StartOptions {
                nofile: Some((limit, limit)),
                ..StartOptions::default()
            };
            cx.step(format!(
                "start the server with a limit of {limit} descriptors"
            ));
            match cx.start(options).await {
                Ok(server) => Ok((cx.on(server), limit)),
                Err(_) => skip(
                    "its processes belong to another user, so their limits cannot be lowered once it is ready; and it does not start with low ones (see emfile-start)",
                ),
            }
        }
        Err(error) => inconclusive(format!(
            "the server's limit of descriptors could not be set: {error}"
        )),
    }
}

/// The descriptors of the process that has most.
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
    let wanted = (ROOM as usize + 5) * processes + WAITING;
    let most = cx.connections(wanted);
    let mut held: Vec<Session> = Vec::new();
    let (mut peak, mut refused, mut waiting) = (0, 0, 0);
    while held.len() < most && waiting < WAITING && refused < WAITING {
        // The table may be full by now: how this one fares is no verdict yet.
        let Ok(Ok(client)) = tokio::time::timeout(ACCEPTS, cx.try_connect()).await else {
            refused += 1;
            peak = peak.max(fullest(cx)?);
            alive(cx, "while its table of descriptors fills up")?;
            continue;
        };
        let limit_of_wait = if waiting > 0 { SETTLE / 10 } else { ACCEPTS };
        match fate(cx.server(), &client, limit_of_wait).await {
            Fate::Held => held.push(client),
            Fate::Waits => {
                waiting += 1;
                held.push(client);
            }
            Fate::Refused => refused += 1,
        }
        peak = peak.max(fullest(cx)?);
    }
    tokio::time::sleep(SETTLE).await;
    peak = peak.max(fullest(cx)?);
    cx.note("connections", held.len());
    cx.note("descriptors_peak", peak);
    let queued = cx.server().listener().map_or(0, |listener| listener.queued);
    if peak < limit {
        return not_full(held.len(), most < wanted, peak, limit, waiting, refused);
    }
    cx.proved(format!("a process of the server had {peak} of {limit} descriptors open, with {queued} connections in its accept queue"));
    Ok(held)
}

/// Why the table could not be filled; nothing is said about the server.
fn not_full(
    held: usize,
    capped: bool,
    peak: u64,
    limit: u64,
    waiting: usize,
    refused: usize,
) -> Checked<Vec<Session>> {
    let seen = format!("{held} connections, {peak} of {limit} descriptors");
    if capped {
        return skip(format!(
            "promise.max_connections is too low to fill the server's table: {seen}"
        ));
    }
    if waiting > 0 {
        return skip(format!(
            "the server accepts no more before its table is full: {seen}"
        ));
    }
    if refused > 0 {
        return skip(format!(
            "the server refuses connections before its table is full: {seen}"
        ));
    }
    skip(format!(
        "the server's connections do not fill one table, as where each has a process of its own: {seen}"
    ))
}

/// What became of a connection.
enum Fate {
    /// The server has accepted it.
    Held,
    /// It is in the accept queue.
    Waits,
    /// It was closed.
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
            _ => crate::session::pause(round).await,
        }
        round += 1;
    }
}

/// What the server did with no descriptor left.
struct Calm {
    cores: f64,
    log_rate: f64,
    last_line: String,
}

async fn watch(cx: &Cx) -> Checked<Calm> {
    let server = cx.server();
    let begun = Instant::now();
    let (cpu, printed) = (server.cpu().unwrap_or_default(), server.printed());
    let gone = server.wait_exit(WINDOW).await;
    if gone.is_some() {
        alive(cx, "with no descriptor left")?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let output = server.output().since(printed);
    let used = server.cpu().unwrap_or_default().saturating_sub(cpu);
    let calm = Calm {
        cores: used.as_secs_f64() / seconds,
        log_rate: (output.stdout_bytes + output.stderr_bytes) as f64 / seconds,
        last_line: last_line(&output.stderr_tail, &output.stdout_tail),
    };
    cx.note("cores", (calm.cores * 1e4).round() / 1e4);
    cx.note("log_bytes_per_s", calm.log_rate.round());
    Ok(calm)
}

fn last_line(stderr: &str, stdout: &str) -> String {
    let line = crate::text::last_line(stderr).or_else(|| crate::text::last_line(stdout));
    line.unwrap_or_default()
}

impl Calm {
    fn judge(&self) -> Checked {
        let log = match self.log_rate {
            rate if rate >= 1e5 => format!(
                ", and prints {:.1} MB/s (\"{}\")",
                rate / 1e6,
                self.last_line
            ),
            _ => String::new(),
        };
        if self.cores > CORES_MAX {
            return failed(
                Kind::Spin,
                format!("with no descriptor left it waits: at most {CORES_MAX} of a core"),
                format!("it uses {:.2} of a core for nothing{log}", self.cores),
            );
        }
        if self.log_rate > LOG_RATE_MAX {
            return failed(
                Kind::LogFlood,
                format!(
                    "with no descriptor left it prints at most {:.0} MB/s",
                    LOG_RATE_MAX / 1e6
                ),
                format!(
                    "it prints {:.1} MB/s (\"{}\")",
                    self.log_rate / 1e6,
                    self.last_line
                ),
            );
        }
        Ok(())
    }
}

/// A client who comes after the others have left is served.
async fn recovers(cx: &Cx) -> Checked {
    let served = cx.exchange().await.ascribe(
        Kind::Blocked,
        "a new client is served once the others have left",
    );
    if served.is_err() && cx.server().wait_exit(DYING).await.is_some() {
        alive(cx, "with no descriptor left, and after that")?;
    }
    served.map(|_| ())
}

fn alive(cx: &Cx, when: &str) -> Checked {
    let Some(exit) = cx.server().exit() else {
        return Ok(());
    };
    let output = cx.server().output();
    let actual = format!(
        "the server {exit}: {}",
        last_line(&output.stderr_tail, &output.stdout_tail)
    );
    failed(Kind::Died, format!("the server lives {when}"), actual)
}
