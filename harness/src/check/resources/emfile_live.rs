//! Running out of descriptors while serving.

use std::time::{Duration, Instant};

use crate::check::{
    Ascribe, Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed, inconclusive, skip,
};
use crate::process::{Server, StartOptions};
use crate::session::Session;

/// Fills the server's descriptor table, measures the server, and empties the table again.
pub(super) const ENTRY: Check = Check {
    id: "emfile-live",
    group: super::GROUP,
    battery: 1,
    requirement: "POSIX accept(): EMFILE, all file descriptors are in use; a server that retries immediately is in a busy loop until one is closed (redis: 40 % of a core, 6.7 MB/s of log), and one that exits serves nobody",
    stimulus: "once the server is ready its descriptor limit is set to those open + 20; idle connections fill its table, further ones wait; after a while all clients leave",
    needs: &[Need::Spawned, Need::Accepts],
    runs: Runs::AloneOnMachine,
    weight: Weight::Fails,
    control: true,
    limit: Duration::from_secs(60),
    by_hand: "n=$(($(ls /proc/$p/fd | wc -l)+20)); prlimit --pid $p --nofile=$n:$n; python3 -c \"import socket,time; c=[socket.create_connection(('{host}',{port}), 2) for _ in range(24)]; time.sleep(4)\" & top -b -d 2 -n 2 -p $p | tail -1",
    run: |cx| Box::pin(run(cx)),
};

/// Number of descriptors that each process may open in addition to those it has.
const ROOM: u64 = 20;
/// Number of connections that wait once the table is full, so that accept fails.
const WAITING: usize = 3;
/// Time limit for the server to accept.
const ACCEPTS: Duration = Duration::from_millis(250);
/// Time after filling the table: the immediate reaction (a log line, a growing pool) is not
/// measured.
const SETTLE: Duration = Duration::from_millis(100);
/// Length of the measurement of CPU time and log output.
const WINDOW: Duration = Duration::from_millis(800);
/// Maximum CPU usage in cores. Sound servers were measured below 0.01; a busy loop uses one core,
/// and got 0.21 on a loaded machine.
const CORES_MAX: f64 = 0.15;
/// Time limit for the end of the server to become visible.
const DYING: Duration = Duration::from_millis(500);
/// Maximum output in bytes per second.
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

/// Lowers the soft and hard limits, so that the server cannot raise them. Returns the limited
/// server and the limit.
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
        // Worker processes run as another user, whose limits only a privileged process may lower.
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
                    "the server's processes belong to another user, so their limits cannot be lowered while they run; and the server does not start with low limits (see emfile-start)",
                ),
            }
        }
        Err(error) => inconclusive(format!(
            "the server's descriptor limit could not be set: {error}"
        )),
    }
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
    let wanted = (ROOM as usize + 5) * processes + WAITING;
    let most = cx.connections(wanted);
    let mut held: Vec<Session> = Vec::new();
    let (mut peak, mut refused, mut waiting) = (0, 0, 0);
    while held.len() < most && waiting < WAITING && refused < WAITING {
        // The table may be full by now, so a failed connection is not a verdict yet.
        let Ok(Ok(client)) = tokio::time::timeout(ACCEPTS, cx.try_connect()).await else {
            refused += 1;
            peak = peak.max(fullest(cx)?);
            alive(cx, "while its descriptor table fills up")?;
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

/// Why the table could not be filled. This is no statement about the server.
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
            "promise.max_connections is too low to fill the server's descriptor table: {seen}"
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
            _ => crate::session::pause(round).await,
        }
        round += 1;
    }
}

/// What the server did with a full descriptor table.
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
                FailureKind::Spin,
                format!("with no descriptor left the server uses at most {CORES_MAX} of a core"),
                format!(
                    "it uses {:.2} of a core without serving anybody{log}",
                    self.cores
                ),
            );
        }
        if self.log_rate > LOG_RATE_MAX {
            return failed(
                FailureKind::LogFlood,
                format!(
                    "with no descriptor left the server prints at most {:.0} MB/s",
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

/// A new client is served after the others have left.
async fn recovers(cx: &Cx) -> Checked {
    let served = cx.exchange().await.ascribe(
        FailureKind::Blocked,
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
    failed(
        FailureKind::Died,
        format!("the server keeps running {when}"),
        actual,
    )
}
