//! Clients that never read what the server sends without a request.

use std::time::{Duration, Instant};

use crate::check::{
    Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed, inconclusive, skip, warned,
};
use crate::session::Session;

/// Leaves pushes unread.
pub(super) const ENTRY: Check = Check {
    id: "silent-reader",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 9293 section 3.8.6: a closed window stops the sender; what a server sends to all its clients, whether they read or not, needs a bound for each of them: a client that is asleep must not exhaust the memory (CWE-770; ws#999)",
    stimulus: "clients that send nothing and read all that the server sends by itself, for comparison; then as many that read nothing, until the kernel's queues are full and the server's memory is seen to stay or to grow",
    needs: &[Need::Push, Need::Process, Need::Tcp],
    runs: Runs::AloneOnMachine,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(600),
    by_hand: "python3 -c \"import socket,time; c=[socket.create_connection(('{host}',{port})) for _ in range(50)]; [(time.sleep(2), print([l for l in open('/proc/$p/status') if 'VmRSS' in l])) for _ in range(30)]\"",
    run: |cx| Box::pin(run(cx)),
};

/// Time for which pushes are counted.
const COUNTED: Duration = Duration::from_millis(1200);
/// Bytes per second that all clients together should get.
const BYTES_PER_S: f64 = 2e7;
/// Number of clients.
const CLIENTS: std::ops::RangeInclusive<usize> = 4..=100;
/// Time between two samples of the memory.
const WINDOW: Duration = Duration::from_millis(500);
/// The same with `--slow`, where a few pushes per second must be seen to add up.
const WINDOW_SLOW: Duration = Duration::from_secs(5);
/// Number of windows over which the memory must stay, or grow.
const WINDOWS: usize = 4;
/// Minimum growth in bytes for a failure.
const GROWTH_BYTES_MIN: u64 = 16 << 20;
/// Change in these windows that counts as none, and growth in each that counts, in bytes.
const FLAT_BYTES: u64 = 128 << 10;
/// Time for which the growth goes on for a warning: the server may have a bound that is not reached yet, and then drop
/// what it has queued, or the client.
const WATCH: Duration = Duration::from_secs(5);
/// The same with `--slow`: some servers let a client be slow for a minute.
const WATCH_SLOW: Duration = Duration::from_secs(70);
/// Growth for each client in bytes that is no bound any more: nats-server keeps up to 64 MiB.
const BOUND_BYTES_MAX: u64 = 80 << 20;
/// What a kernel may queue for one client, in bytes (`tcp_wmem` and `tcp_rmem`).
const KERNEL_BYTES: f64 = 5e6;
/// Time in which the queues must be full.
const TIME_MAX: Duration = Duration::from_secs(12);
/// The same with `--slow`.
const TIME_MAX_SLOW: Duration = Duration::from_secs(240);

async fn run(cx: &Cx) -> Checked {
    let rate = rate(cx).await?;
    cx.note("bytes_pushed_per_s", rate.round());
    let time_max = if cx.is_slow() {
        TIME_MAX_SLOW
    } else {
        TIME_MAX
    };
    if KERNEL_BYTES / rate.max(1.0) > time_max.as_secs_f64() {
        let reason = format!(
            "the server sends {rate:.0} bytes per second by itself, too few to fill the kernel's queues in {time_max:?}"
        );
        return if cx.is_slow() {
            skip(reason)
        } else {
            cx.skip_as_slow(reason)
        };
    }
    let wanted = (BYTES_PER_S / rate) as usize;
    let count = cx.connections(wanted.clamp(*CLIENTS.start(), *CLIENTS.end()));
    readers(cx, count).await?;
    let mut silent = Vec::with_capacity(count);
    for _ in 0..count {
        silent.push(cx.open_small(cx.talk().plain()).await?);
    }
    judged(cx, silent, time_max).await?;
    cx.others_are_served().await
}

/// Bytes per second that the server sends to one client by itself.
async fn rate(cx: &Cx) -> Checked<f64> {
    let mut client = cx.open().await?;
    client.leftover(Duration::ZERO).await;
    let begun = Instant::now();
    let got = client.leftover(COUNTED).await.len();
    let rate = got as f64 / begun.elapsed().as_secs_f64();
    client.close();
    Ok(rate)
}

/// Clients that read, so that what the server needs for any client is no growth.
async fn readers(cx: &Cx, count: usize) -> Checked {
    let read = cx.crowd(count, |cx, _| async move {
        let mut client = cx.open_small(cx.talk().plain()).await?;
        client.drained(COUNTED).await;
        Ok(client)
    });
    for client in read.await {
        client?.close();
    }
    Ok(())
}

/// The memory once the kernel's queues are full.
#[derive(Default)]
struct Memory {
    /// One sample per window.
    samples: Vec<u64>,
}

impl Memory {
    fn growth(&self) -> u64 {
        let first = self.samples.first().copied().unwrap_or_default();
        self.samples
            .last()
            .map_or(0, |last| last.saturating_sub(first))
    }

    /// The samples of the last windows, once there are enough.
    fn last_windows(&self) -> Option<&[u64]> {
        let from = self.samples.len().checked_sub(WINDOWS + 1)?;
        self.samples.get(from..)
    }

    fn stays(&self) -> bool {
        self.last_windows().is_some_and(|last| {
            let most = last.iter().max().zip(last.iter().min());
            most.is_some_and(|(most, least)| most - least <= FLAT_BYTES)
        })
    }

    /// Whether it has grown by much and still does.
    fn grows(&self) -> bool {
        let still = self
            .last_windows()
            .is_some_and(|last| last[WINDOWS] > last[0] + FLAT_BYTES * WINDOWS as u64);
        self.growth() >= GROWTH_BYTES_MIN && still
    }
}

/// Watches the memory while nobody reads.
async fn judged(cx: &Cx, silent: Vec<Session>, time_max: Duration) -> Checked {
    let (window, watch) = match cx.is_slow() {
        true => (WINDOW_SLOW, WATCH_SLOW),
        false => (WINDOW, WATCH),
    };
    let begun = Instant::now();
    let mut memory = Memory::default();
    let mut queued = 0;
    let mut growing = None;
    loop {
        tokio::time::sleep(window).await;
        let now = Queues::of(cx, &silent);
        if now.open == 0 {
            cx.proved(format!(
                "the server closed all {} connections whose clients did not read",
                silent.len()
            ));
            return Ok(());
        }
        // Until then the kernel takes what the server sends.
        let is_full = now.bytes > 0 && now.bytes <= queued + queued / 50;
        queued = queued.max(now.bytes);
        if is_full || !memory.samples.is_empty() {
            memory.samples.push(cx.usage()?.rss_bytes);
            cx.proved(format!(
                "{} clients read nothing; {} bytes waited in the kernel's queues for them, and no more were taken",
                now.open, now.bytes
            ));
        }
        cx.note("silent_clients", now.open);
        cx.note("bytes_in_kernel", now.bytes);
        cx.note("rss_growth_bytes", memory.growth());
        if memory.grows() {
            let per_client = memory.growth() / now.open as u64;
            let since = *growing.get_or_insert_with(Instant::now);
            if per_client > BOUND_BYTES_MAX || since.elapsed() > watch {
                return grew(&memory, now.open, window);
            }
        }
        if memory.stays() {
            return Ok(());
        }
        if begun.elapsed() > time_max * 2 {
            let seen = format!(
                "memory neither stays nor grows by {} MB in {:?}",
                GROWTH_BYTES_MIN >> 20,
                begun.elapsed()
            );
            return if cx.is_slow() {
                inconclusive(seen)
            } else {
                cx.skip_as_slow(seen)
            };
        }
    }
}

/// A failure if the growth exceeds what servers allow a client on purpose; otherwise a warning.
fn grew(memory: &Memory, count: usize, window: Duration) -> Checked {
    let time = window * u32::try_from(memory.samples.len() - 1).unwrap_or(u32::MAX);
    let growth = memory.growth();
    let expected = "the server drops what a client does not read, or closes its connection";
    let actual = format!(
        "while {count} clients read nothing, its resident memory grew by {} MB in {time:?}, after the kernel's queues were full, and went on growing",
        growth >> 20
    );
    if growth / count.max(1) as u64 > BOUND_BYTES_MAX {
        failed(FailureKind::Growth, expected, actual)
    } else {
        warned(
            FailureKind::Growth,
            expected,
            format!("{actual}: no bound was seen"),
        )
    }
}

/// What waits in the kernel for clients that do not read.
struct Queues {
    /// Number of connections that the server has not ended.
    open: usize,
    /// Bytes in the server's send queues.
    bytes: u64,
}

impl Queues {
    fn of(cx: &Cx, clients: &[Session]) -> Self {
        let peers = clients.iter().filter_map(|client| cx.peer(client));
        let open = peers.filter(|peer| !peer.has_sent_fin());
        let queues = open.map(|peer| u64::from(peer.send_q));
        let queues: Vec<u64> = queues.collect();
        Self {
            open: queues.len(),
            bytes: queues.iter().sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_must_go_on() {
        let memory = |mib: &[u64]| Memory {
            samples: mib.iter().map(|mib| mib << 20).collect(),
        };
        assert!(memory(&[10, 20, 30, 40, 50]).grows());
        assert!(!memory(&[10, 11, 12, 13, 14]).grows());
        let stopped = memory(&[10, 40, 40, 40, 40, 40]);
        assert!(!stopped.grows() && stopped.stays());
        let few = memory(&[10, 10, 10]);
        assert!(!few.grows() && !few.stays());
    }
}
