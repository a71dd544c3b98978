//! Clients that do not follow the protocol do not fill the disk.

use std::time::{Duration, Instant};

use crate::check::{Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed, skip};
use crate::process::{FileSizes, Mark, Output, open_files, written_since};
use crate::session::{ConnectionEnd, Session};
use crate::text::last_line;

/// Counts what the server logs about broken connections.
pub(super) const ENTRY: Check = Check {
    id: "log-flood",
    group: super::GROUP,
    battery: 1,
    requirement: "a client costs its server a few lines of log, not a part of its disk (CWE-779: logging of excessive data)",
    stimulus: "20 connections each: half a request and FIN, half a request and RST, garbage, requests of [[talk.bad]], and reset at once; the bytes on stdout, on stderr and in open files are counted",
    needs: &[Need::Spawned],
    runs: Runs::OwnServer,
    weight: Weight::Warns,
    control: false,
    limit: Duration::from_secs(60),
    by_hand: "{cmd} > log 2>&1 & p=$!; sleep 1; python3 -c \"import socket,struct,time; [(s:=socket.create_connection(('{host}',{port})), s.sendall({request}[:3]), time.sleep(.05), s.setsockopt(1,13,struct.pack('ii',1,0)), s.close()) for _ in range(20)]\"; wc -c log; kill $p",
    run: |cx| Box::pin(run(cx)),
};

/// Number of connections of each kind, fewer if the server takes long for each.
const CLIENTS: usize = 20;
const CLIENTS_MIN: usize = 3;
/// Time for the connections of one kind.
const WAY_TIME: Duration = Duration::from_secs(1);
/// Maximum number of bytes logged for a connection: several times a stack trace of Java, which is about 10 KB.
const PER_CLIENT_BYTES_MAX: u64 = 64 << 10;
/// The log is quiet if it grows by less than [`QUIET_BYTES`] in this time.
const QUIET: Duration = Duration::from_millis(100);
const QUIET_BYTES: u64 = 1_024;
/// Time limit for the log to become quiet after the clients have left.
const QUIET_WITHIN: Duration = Duration::from_secs(3);
/// Time for the server to react to garbage. Most close the connection.
const REACTION: Duration = Duration::from_millis(10);
/// Bytes that are no request in any protocol that tcprove knows: longer than a fixed header, with line ends.
const GARBAGE: &[u8] = b"\xff\xfe\x00\x01 no such request \x80\r\n\r\n\x00\xff\xff\xff\xff\r\n";

/// How a connection is broken.
#[derive(Clone, Copy)]
enum Way {
    ResetAtOnce,
    HalfAndFin,
    HalfAndReset,
    Garbage,
    Bad,
}

/// All ways. The last one leaves no trace by which it could be proved.
const WAYS: [Way; 5] = [
    Way::HalfAndFin,
    Way::HalfAndReset,
    Way::Garbage,
    Way::Bad,
    Way::ResetAtOnce,
];

impl Way {
    fn describe(self) -> &'static str {
        match self {
            Self::ResetAtOnce => "were reset at once",
            Self::HalfAndFin => "ended by FIN in the middle of a request",
            Self::HalfAndReset => "ended by RST in the middle of a request",
            Self::Garbage => "sent garbage",
            Self::Bad => "sent a request of [[talk.bad]]",
        }
    }
}

async fn run(cx: &Cx) -> Checked {
    cx.exchange().await?;
    let in_time = WAY_TIME.as_secs_f64() / cx.pace().exchange.as_secs_f64();
    let count = (in_time as usize).clamp(CLIENTS_MIN, CLIENTS);
    let start = Log::of(cx);
    let (mut seen, mut clients) = (0, 0);
    for way in WAYS {
        if matches!(way, Way::Bad) && cx.talk().bad.is_empty() {
            continue;
        }
        let before = Log::of(cx);
        for number in 0..count {
            seen += usize::from(broken(cx, way, number).await?);
            clients += 1;
        }
        if seen > 0 {
            cx.proved(format!(
                "{clients} connections were broken; of {seen} the server had read what they sent, or ended them itself"
            ));
        }
        quiet(cx, way).await?;
        judge(cx, way, count, &before)?;
    }
    cx.note("clients", clients);
    cx.note("bytes_logged", start.bytes_since(cx));
    if cx.server().exit().is_some() {
        return skip("the server ended: see the group abrupt peers");
    }
    Ok(())
}

/// One connection. Returns whether the server has seen something of it.
async fn broken(cx: &Cx, way: Way, number: usize) -> Checked<bool> {
    // A server that is no longer there is judged by other checks.
    let mut client = match way {
        Way::ResetAtOnce => {
            if let Ok(client) = cx.try_connect().await {
                client.reset()?;
            }
            return Ok(false);
        }
        Way::Garbage => match cx.try_connect().await {
            Ok(client) => client,
            Err(_) => return Ok(false),
        },
        _ => match cx.open().await {
            Ok(client) => client,
            Err(_) => return Ok(false),
        },
    };
    let request = match way {
        Way::Garbage => GARBAGE.to_vec(),
        Way::Bad => {
            let bad = &cx.talk().bad[number % cx.talk().bad.len()];
            client.voice().render(bad, b"")?.request
        }
        _ => {
            let mut request = client.turn()?.request;
            request.truncate(request.len() / 2);
            request
        }
    };
    let sent = client.send(&request).await.is_ok();
    let read = sent && client.until_read().await.is_ok();
    let seen = read || has_ended(&mut client).await;
    match way {
        Way::HalfAndReset => client.reset()?,
        Way::Garbage | Way::Bad => {
            client.drained(REACTION).await;
            client.close();
        }
        _ => client.close(),
    }
    Ok(seen)
}

async fn has_ended(client: &mut Session) -> bool {
    client.drained(Duration::ZERO).await != ConnectionEnd::StillOpen
}

/// The log at one moment.
struct Log {
    printed: Mark,
    files: FileSizes,
}

impl Log {
    fn of(cx: &Cx) -> Self {
        Self {
            printed: cx.server().printed(),
            files: open_files(&cx.server().pids()),
        }
    }

    /// Bytes logged since.
    fn bytes_since(&self, cx: &Cx) -> u64 {
        let now = Self::of(cx);
        let stdout = now.printed.stdout.saturating_sub(self.printed.stdout);
        let stderr = now.printed.stderr.saturating_sub(self.printed.stderr);
        stdout + stderr + written_since(&self.files, &now.files)
    }

    /// The last line printed since, if any.
    fn last_line(&self, cx: &Cx) -> Option<String> {
        let Output {
            stdout_tail,
            stderr_tail,
            ..
        } = cx.server().output().since(self.printed);
        last_line(&stderr_tail).or_else(|| last_line(&stdout_tail))
    }
}

/// Waits until the log is quiet. Fails if it never is, although all clients have left.
async fn quiet(cx: &Cx, way: Way) -> Checked {
    let begun = Instant::now();
    loop {
        let before = Log::of(cx);
        tokio::time::sleep(QUIET).await;
        let bytes = before.bytes_since(cx);
        if bytes < QUIET_BYTES {
            return Ok(());
        }
        if begun.elapsed() >= QUIET_WITHIN {
            return failed(
                FailureKind::LogFlood,
                "the server logs nothing more once all clients have left",
                format!(
                    "{QUIET_WITHIN:?} after connections that {} it still logs {bytes} bytes in {QUIET:?}{}",
                    way.describe(),
                    quoted(before.last_line(cx))
                ),
            );
        }
    }
}

fn judge(cx: &Cx, way: Way, count: usize, before: &Log) -> Checked {
    let each = before.bytes_since(cx) / count as u64;
    if each <= PER_CLIENT_BYTES_MAX {
        return Ok(());
    }
    failed(
        FailureKind::LogFlood,
        format!(
            "the server logs at most {} KiB for a broken connection",
            PER_CLIENT_BYTES_MAX >> 10
        ),
        format!(
            "it logs {} KiB for each of {count} connections that {}{}",
            each >> 10,
            way.describe(),
            quoted(before.last_line(cx))
        ),
    )
}

fn quoted(line: Option<String>) -> String {
    line.map_or(String::new(), |line| format!(" (\"{line}\")"))
}
