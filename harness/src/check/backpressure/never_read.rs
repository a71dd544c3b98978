//! A client that sends requests and never reads.

use std::time::{Duration, Instant};

use super::bulk;
use crate::check::fair::FairClock;
use crate::check::stall::{self, flood_on_until_asleep};
use crate::check::{
    Ascribe, Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed, inconclusive, skip,
};
use crate::process::StartOptions;
use crate::session::{Flood, FloodEnd, Session};

/// Sends requests without a pause and reads nothing.
pub(super) const ENTRY: Check = Check {
    id: "never-read",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 9293 section 3.8.6: a closed window stops the sender; a server whose replies are not read must stop reading or close, not buffer them all",
    stimulus: "one client sends up to 192 MB of requests without a pause and reads no reply; then another client sends one request; if the server stopped reading, 8 more clients do the same at once, read a part of the replies and go on, 6 times, and reset their connections",
    needs: &[Need::ManyTurns, Need::Reply, Need::Process, Need::Tcp],
    runs: Runs::AloneOnMachine,
    weight: Weight::Fails,
    control: true,
    limit: Duration::from_secs(60),
    by_hand: "{cmd} & p=$!; sleep 1; for q in $p $(pgrep -P $p); do grep VmHWM /proc/$q/status; done; python3 -c \"import socket; r={request}; s=socket.create_connection(('{host}',{port})); s.settimeout(2); r=r*(100000//len(r)); [s.sendall(r) for _ in range(2000)]\" 2>&1 | tail -n1; for q in $p $(pgrep -P $p); do grep VmHWM /proc/$q/status; done; kill $p && echo 'VmHWM is the peak of memory, before and after; TimeoutError means that the server stopped reading'",
    run: |cx| Box::pin(run(cx)),
};

const MB: u64 = 1_000_000;
/// Maximum number of bytes sent.
const FLOOD_BYTES: u64 = 192 * MB;
/// The server applies backpressure if it reads nothing for this long.
const PAUSE: Duration = Duration::from_millis(400);
/// Maximum duration of the flood, and of the rest of it if a slow server has not shown enough by then.
const FLOOD_TIME_MAX: Duration = Duration::from_secs(8);
const SLOW_TIME_MAX: Duration = Duration::from_secs(12);
/// Time between two looks at a slow server.
const SLOW_TIME_PART: Duration = Duration::from_secs(4);
/// Interval between memory samples before the flood.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(20);
/// The memory is settled after this many equal samples in a row.
const EQUAL_SAMPLES: u32 = 4;
/// Maximum number of samples: a busy server never settles.
const SAMPLES_MAX: u32 = 50;
/// Time after the flood for the server to release memory.
const SETTLES: Duration = Duration::from_millis(200);
/// Minimum growth in bytes that counts as a failure. (A sound JVM grows by tens of megabytes as it
/// warms up, but not by half of what it receives.)
const GROWTH_BYTES_MIN: u64 = 24 * MB;
/// Minimum growth per byte sent that counts as a failure.
const KEPT_RATIO: f64 = 0.5;
/// Bytes sent between two reads by the client that reads. Fits into the queues of both ends.
const PART_BYTES: usize = 64 * 1024;
/// Minimum number of bytes sent for a pass if the server applied no backpressure: what has to be kept of them for a failure, twice
/// (see [`KEPT_RATIO`]), and what the kernels hold.
const VERDICT_BYTES_MIN: u64 = 2 * GROWTH_BYTES_MIN + 8 * MB;
/// Of a slower server, minimum number of bytes sent for a pass, if memory grows by less than this per byte.
const FLAT_BYTES_MIN: u64 = 4 * MB;
const FLAT_RATIO: f64 = 0.1;
/// The kernel takes replies if it takes more than one byte of them for this many bytes of requests.
const KERNEL_SHARE_MIN: u64 = 20;
/// Growth in bytes that is never counted.
const FLAT_NOISE_BYTES: f64 = 1.5e6;
/// Minimum growth in bytes that counts as a failure of a server that then stopped reading or closed, and so stopped growing: until
/// then a runtime may take several times what was sent as garbage (a sound application on Node took 54 MB for 7 MB; nsd's processes,
/// 26 MB before 0.8 MB had been sent), but not as much as the whole flood.
const BLOCKED_GROWTH_BYTES_MIN: u64 = FLOOD_BYTES;
/// Minimum growth in bytes that counts as a failure of a slower server.
const SLOW_GROWTH_BYTES_MIN: u64 = 4 * MB;

async fn run(cx: &Cx) -> Checked {
    let exchange = bulk::echoed(cx)?;
    let piece = bulk::piece(&bulk::turn(cx, exchange)?);
    // A small window: what the kernel takes of the replies costs the server nothing.
    let mut client = cx.open_tight(exchange).await?;
    let before = memory_at_rest(cx).await?;
    let clock = FairClock::start(cx);
    client.announce_flood(&piece, FLOOD_BYTES);
    let from = client.sent();
    let mut flood = flooded(cx, &mut client, &piece, from, FLOOD_TIME_MAX).await;
    let mut taken = Taken::of(cx, &client);
    let mut is_settled = false;
    while is_slow(flood) && !is_settled && clock.elapsed(cx) < FLOOD_TIME_MAX + slow_time(cx) {
        flood = flooded(cx, &mut client, &piece, from, SLOW_TIME_PART).await;
        let now = Taken::of(cx, &client);
        let grown = cx.usage()?.rss_bytes.saturating_sub(before);
        is_settled = is_flat(flood, grown) && now.is_no_more_than(taken);
        taken = now;
    }
    let proof = proof(cx, &client, flood);
    tokio::time::sleep(SETTLES).await;
    let after = cx.usage()?.rss_bytes;
    let grown = after.saturating_sub(before);
    cx.note("bytes_sent", flood.bytes);
    cx.note("flood_ended", format!("{:?}", flood.end).to_lowercase());
    cx.note("rss_bytes_before", before);
    cx.note("rss_bytes_after", after);
    if let Some(proof) = proof {
        cx.proved(proof);
    }
    let least = match flood.end {
        FloodEnd::Blocked | FloodEnd::Closed => BLOCKED_GROWTH_BYTES_MIN,
        _ if is_slow(flood) => SLOW_GROWTH_BYTES_MIN,
        _ => GROWTH_BYTES_MIN,
    };
    // The kernel has much of what a slow server was sent.
    let handed_over = match is_slow(flood) {
        true => taken.read,
        false => flood.bytes,
    };
    if grown >= least && grown as f64 >= KEPT_RATIO * handed_over as f64 {
        drop(client);
        return grew(cx, &piece, flood, grown).await;
    }
    cx.exchange().await.ascribe(
        FailureKind::Blocked,
        "another client is served while one does not read its replies",
    )?;
    if flood.end == FloodEnd::Blocked {
        client.reset()?;
        return stall::further_clients(cx, exchange, &piece).await;
    }
    if is_slow(flood) && !(is_settled && is_flat(flood, grown)) {
        let reason = format!(
            "the server read too slowly for a verdict: {} MB sent in {:?}, memory grew by {} MB",
            flood.bytes / MB,
            FLOOD_TIME_MAX + slow_time(cx),
            grown / MB
        );
        return if cx.is_slow() {
            inconclusive(reason)
        } else {
            cx.skip_as_slow(reason)
        };
    }
    Ok(())
}

/// Maximum duration of the rest of the flood.
fn slow_time(cx: &Cx) -> Duration {
    if cx.is_slow() {
        SLOW_TIME_MAX * 3
    } else {
        SLOW_TIME_MAX
    }
}

/// Whether the time was over before the server had read much.
fn is_slow(flood: Flood) -> bool {
    flood.end == FloodEnd::Sent && flood.bytes < VERDICT_BYTES_MIN
}

/// Whether the server has kept next to nothing of what it was sent.
fn is_flat(flood: Flood, grown: u64) -> bool {
    let flat = (FLAT_RATIO * flood.bytes as f64).max(FLAT_NOISE_BYTES);
    flood.bytes >= FLAT_BYTES_MIN && (grown as f64) < flat
}

/// How far the server has come, and what its kernel has taken of its replies.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    /// Bytes of requests that the server has read.
    read: u64,
    /// Bytes of replies that wait in its send queue.
    queued: u32,
}

impl Taken {
    fn of(cx: &Cx, client: &Session) -> Self {
        Self {
            read: stall::read(cx, client).unwrap_or_default(),
            queued: cx.peer(client).map_or(0, |peer| peer.send_q),
        }
    }

    /// Whether the server has read on meanwhile, and its kernel has not taken the replies: until it has no more room for them, the
    /// memory of a server that keeps all of them is as flat as that of a sound one.
    fn is_no_more_than(self, before: Self) -> bool {
        let read = self.read.saturating_sub(before.read);
        let queued = u64::from(self.queued.saturating_sub(before.queued));
        read > 0 && queued < read / KERNEL_SHARE_MIN
    }
}

/// Resident memory once the server has started completely: it may listen before its worker
/// processes exist, and their memory is not growth.
async fn memory_at_rest(cx: &Cx) -> Checked<u64> {
    let mut seen = cx.usage()?;
    let mut alike = 0;
    for _ in 0..SAMPLES_MAX {
        tokio::time::sleep(SAMPLE_INTERVAL).await;
        let now = cx.usage()?;
        let same = now.processes == seen.processes && now.rss_bytes == seen.rss_bytes;
        alike = if same { alike + 1 } else { 0 };
        seen = now;
        if alike == EQUAL_SAMPLES {
            break;
        }
    }
    Ok(seen.rss_bytes)
}

/// Goes on with the flood that began when `from` bytes had been sent, until the server applies backpressure or closes, everything is
/// sent, or the time is over.
async fn flooded(cx: &Cx, client: &mut Session, piece: &[u8], from: u64, most: Duration) -> Flood {
    let flood = flood_on_until_asleep(cx, client, piece, from, FLOOD_BYTES, PAUSE);
    let end = tokio::time::timeout(most, flood).await;
    Flood {
        bytes: client.sent() - from,
        end: end.unwrap_or(FloodEnd::Sent),
    }
}

/// Decides whether the unread replies are the cause: a fresh server receives the same from a client
/// that reads.
async fn grew(cx: &Cx, piece: &[u8], flood: Flood, grown: u64) -> Checked {
    let bytes = flood.bytes;
    let kept = grown as f64 / bytes as f64;
    let fresh = match cx.launch() {
        Ok(_) => Some(cx.on(cx.start(StartOptions::default()).await?)),
        Err(_) => None,
    };
    if let Some(fresh) = fresh {
        let kept_when_read = kept_when_read(&fresh, piece, bytes).await?;
        cx.note(
            "bytes_kept_per_byte_when_replies_are_read",
            (kept_when_read * 100.0).round() / 100.0,
        );
        if kept_when_read > KEPT_RATIO / 2.0 {
            if !bulk::echoed(cx)?.expects_payload() {
                return skip(format!(
                    "the server keeps {kept:.2} bytes for each byte sent, and {kept_when_read:.2} when its replies are read: storing what it is sent may be its purpose"
                ));
            }
            return failed(
                FailureKind::Growth,
                "the server keeps nothing of a request that it has answered",
                format!(
                    "it keeps {kept_when_read:.2} bytes for each byte sent when its replies are read, and {kept:.2} when they are not"
                ),
            );
        }
    }
    let how = match flood.end {
        FloodEnd::Blocked => "it stopped reading late",
        _ => "it kept reading",
    };
    failed(
        FailureKind::Growth,
        "the server stops reading, or closes, when its replies are not read",
        format!(
            "{how}: resident memory grew by {} MB while {} MB were sent ({kept:.2} bytes for each byte sent)",
            grown / MB,
            bytes / MB
        ),
    )
}

/// Sends the same requests and reads the replies. Returns the growth of resident memory per byte
/// sent.
async fn kept_when_read(cx: &Cx, piece: &[u8], bytes: u64) -> Checked<f64> {
    let mut client = cx.open_for(bulk::echoed(cx)?).await?;
    let before = memory_at_rest(cx).await?;
    let begun = Instant::now();
    let mut replies = Vec::with_capacity(PART_BYTES);
    while client.sent() < bytes && begun.elapsed() < FLOOD_TIME_MAX {
        for part in piece.chunks(PART_BYTES) {
            if client.send(part).await.is_err() {
                return Ok(0.0);
            }
            while matches!(client.link().try_read(&mut replies), Ok(1..)) {
                replies.clear();
            }
        }
    }
    client.leftover(SETTLES).await;
    let grown = cx.usage()?.rss_bytes.saturating_sub(before);
    Ok(grown as f64 / client.sent().max(1) as f64)
}

fn proof(cx: &Cx, client: &Session, flood: Flood) -> Option<String> {
    let bytes = flood.bytes;
    let peer = cx.peer(client);
    match (flood.end, peer) {
        (FloodEnd::Closed, _) => Some(format!(
            "{bytes} bytes were sent and no reply read; then the server closed the connection"
        )),
        (FloodEnd::Blocked, Some(peer)) if peer.send_q > 0 || peer.recv_q > 0 => Some(format!(
            "{bytes} bytes were sent and no reply read; then the server read no more: {} bytes wait in its send queue, {} in its receive queue",
            peer.send_q, peer.recv_q
        )),
        (FloodEnd::Sent, Some(peer)) if peer.bytes_received() > 0 => Some(format!(
            "{bytes} bytes were sent and no reply read; the server's kernel received {}, and {} bytes wait in its send queue",
            peer.bytes_received(),
            peer.send_q
        )),
        (FloodEnd::Blocked | FloodEnd::Sent, _) => None,
    }
}
