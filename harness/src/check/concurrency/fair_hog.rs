//! A client that pipelines as fast as it can.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::backlog_burst::serves_one_at_a_time;
use crate::check::fair::FairClock;
use crate::check::{
    Check, Checked, Cx, FailureKind, Need, Runs, Shortfall, Weight, failed, skip, warned,
};
use crate::session::PeerError;

/// Compares the latency of other clients beside a hog and without it.
pub(super) const ENTRY: Check = Check {
    id: "fair-hog",
    group: super::GROUP,
    battery: 1,
    requirement: "a client that sends requests as fast as the server takes them does not keep others waiting: a loop that empties one socket before it turns to the next one never ends",
    stimulus: "three clients exchange one request at a time; then again while a fourth one pipelines requests without a pause and reads all replies: the 99th percentile may grow to 10 times what it was, or 50 ms (otherwise a warning), and nobody waits for a second; time in which the server waits for a CPU does not count",
    needs: &[
        Need::Frame,
        Need::ManyTurns,
        Need::Reply,
        Need::Pipelining,
        Need::Tcp,
        Need::Accepts,
    ],
    runs: Runs::AloneOnMachine,
    weight: Weight::Fails,
    control: true,
    limit: Duration::from_secs(60),
    by_hand: "python3 -c \"import socket,time,threading; r={request}; c=lambda: socket.create_connection(('{host}',{port})); h=c(); threading.Thread(target=lambda: [h.sendall(r*1000) for _ in range(100000)], daemon=True).start(); threading.Thread(target=lambda: [h.recv(1<<20) for _ in range(1<<30)], daemon=True).start(); s=c(); f=lambda b: (s.sendall(r), s.recv(4096), print(time.time()-b)); [f(time.time()) for _ in range(200)]\"",
    run: |cx| Box::pin(run(cx)),
};

/// Number of clients beside the hog.
const CLIENTS: usize = 3;
/// Duration of the measurement without the hog, and beside it.
const ALONE: Duration = Duration::from_millis(500);
const BESIDE: Duration = Duration::from_millis(1500);
/// Factor by which the 99th percentile may grow.
const FACTOR: u32 = 10;
/// The 99th percentile may always be this long.
const ALLOWED: Duration = Duration::from_millis(50);
/// Maximum time for which a client is not served.
const UNSERVED: Duration = Duration::from_secs(1);
/// Size of one write of the hog in bytes, unless a request is longer.
const PIECE_BYTES: usize = 256 * 1024;
/// Minimum number of bytes that the hog must get through, of requests and replies.
const HOG_BYTES_MIN: u64 = 1 << 20;

async fn run(cx: &Cx) -> Checked {
    if cx.server().endpoint().transport.tls.is_some() {
        return skip("the client that pipelines speaks no TLS");
    }
    if serves_one_at_a_time(cx).await? {
        return skip("the server serves one client at a time, see hol-idle");
    }
    let before = latencies(cx, ALONE).await?;
    let hog = Hog::start(cx).await?;
    let beside = latencies(cx, BESIDE).await;
    let hog = hog.end();
    cx.note("hog_bytes_sent", hog.sent);
    cx.note("hog_bytes_received", hog.received);
    if hog.was_closed {
        return skip(format!(
            "the server closed the connection of the client that pipelines after {} bytes of requests",
            hog.sent
        ));
    }
    // A server that is blocked takes little of the hog either.
    if beside.is_ok() && hog.sent.min(hog.received) < HOG_BYTES_MIN {
        return skip(format!(
            "the server takes few requests in advance: {} bytes in {BESIDE:?}",
            hog.sent
        ));
    }
    cx.proved(format!(
        "{CLIENTS} clients waited for replies while another one sent {} bytes of requests and got {} bytes of replies",
        hog.sent, hog.received
    ));
    let beside = beside?;
    cx.note("p99_alone_ms", ms(before.p99));
    cx.note("p99_beside_ms", ms(beside.p99));
    cx.note("longest_beside_ms", ms(beside.longest));
    let allowed = ALLOWED.max(before.p99 * FACTOR);
    let expected = format!(
        "beside a client that pipelines, others wait at most {allowed:.1?} (99th percentile), and never {UNSERVED:?}"
    );
    let actual = format!(
        "the 99th percentile went from {:.1?} to {:.1?}, and the longest wait was {:.1?}",
        before.p99, beside.p99, beside.longest
    );
    match beside.longest > UNSERVED {
        true => failed(FailureKind::Blocked, expected, actual),
        // Slow for the others, but they are served: what one read brings is worked off before the next client's turn.
        false if beside.p99 > allowed => warned(FailureKind::Blocked, expected, actual),
        false => Ok(()),
    }
}

fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e5).round() / 100.0
}

/// How long a reply took. Of one that took long, the time does not count in which other programs had the server's CPU: what
/// is slow then is the machine.
fn waited(cx: &Cx, clock: &FairClock) -> Duration {
    let wall = clock.wall();
    if wall > ALLOWED {
        clock.elapsed(cx)
    } else {
        wall
    }
}

/// How long replies took.
struct Latencies {
    p99: Duration,
    longest: Duration,
}

/// Some clients exchange one request at a time for this long.
async fn latencies(cx: &Cx, time: Duration) -> Checked<Latencies> {
    let clients = cx.crowd(CLIENTS, |cx, _| async move {
        let begun = Instant::now();
        let mut took = Vec::new();
        let mut client = cx.open().await?;
        while begun.elapsed() < time {
            let turn = client.turn()?;
            let clock = FairClock::of_server(&cx);
            let reply = client.exchange(&turn).await?;
            took.push(waited(&cx, &clock));
            if cx.talk().announces_close(&reply.bytes) || took.len() % cx.requests(usize::MAX) == 0
            {
                client = cx.open().await?;
            }
        }
        Ok(took)
    });
    let mut took = Vec::new();
    for client in clients.await {
        match client {
            Ok(more) => took.extend(more),
            Err(Shortfall::Failed(failure)) => {
                return failed(
                    FailureKind::Blocked,
                    "others are served beside a client that pipelines",
                    failure.mismatch.actual,
                );
            }
            Err(other) => return Err(other),
        }
    }
    took.sort_unstable();
    let at = |part: usize| took.get(took.len() * part / 100).or(took.last()).copied();
    Ok(Latencies {
        p99: at(99).unwrap_or_default(),
        longest: took.last().copied().unwrap_or_default(),
    })
}

/// A client that sends and reads in threads of its own, so that it takes no time of the others here.
struct Hog {
    socket: TcpStream,
    state: Arc<HogState>,
    threads: [JoinHandle<()>; 2],
}

#[derive(Default)]
struct HogState {
    ends: AtomicBool,
    closed: AtomicBool,
    sent: AtomicU64,
    received: AtomicU64,
}

/// What became of a hog.
struct HogEnd {
    sent: u64,
    received: u64,
    was_closed: bool,
}

impl Hog {
    async fn start(cx: &Cx) -> Checked<Self> {
        let request = cx.voice().turn()?.request;
        let piece = request.repeat((PIECE_BYTES / request.len().max(1)).max(1));
        let mut client = cx.open().await?;
        let fd = client.link().as_fd().try_clone_to_owned();
        let socket = TcpStream::from(fd.map_err(PeerError::Harness)?);
        let socket_of = |socket: &TcpStream| socket.try_clone().map_err(PeerError::Harness);
        let (mut writer, mut reader) = (socket_of(&socket)?, socket_of(&socket)?);
        socket.set_nonblocking(false).map_err(PeerError::Harness)?;
        // The connection stays open through the other descriptors.
        drop(client);
        let state = Arc::new(HogState::default());
        let (writing, reading) = (Arc::clone(&state), Arc::clone(&state));
        let write = std::thread::spawn(move || {
            while !writing.ends.load(Ordering::Relaxed) {
                match writer.write(&piece) {
                    Ok(count) if count == piece.len() => writing.add_sent(count),
                    // The rest of a request comes first.
                    Ok(count) => {
                        let rest = writer.write_all(&piece[count..]);
                        writing.add_sent(piece.len());
                        if rest.is_err() {
                            return writing.close();
                        }
                    }
                    Err(_) => return writing.close(),
                }
            }
        });
        let read = std::thread::spawn(move || {
            let mut buffer = vec![0; 256 * 1024];
            loop {
                match reader.read(&mut buffer) {
                    Ok(0) | Err(_) => return reading.close(),
                    Ok(count) => {
                        reading.received.fetch_add(count as u64, Ordering::Relaxed);
                    }
                }
            }
        });
        Ok(Self {
            socket,
            state,
            threads: [write, read],
        })
    }

    fn end(self) -> HogEnd {
        let was_closed = self.state.closed.load(Ordering::Relaxed);
        self.state.ends.store(true, Ordering::Relaxed);
        // An error means that the server has closed the connection.
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
        for thread in self.threads {
            // Neither thread panics.
            let _ = thread.join();
        }
        HogEnd {
            sent: self.state.sent.load(Ordering::Relaxed),
            received: self.state.received.load(Ordering::Relaxed),
            was_closed,
        }
    }
}

impl HogState {
    fn add_sent(&self, count: usize) {
        self.sent.fetch_add(count as u64, Ordering::Relaxed);
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }
}
