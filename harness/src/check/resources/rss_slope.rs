//! Memory does not grow with the requests that were answered.
//!
//! The kernel shows what a process has taken, not what it still needs: growth inside a heap that a runtime had taken before
//! (a JVM) is not seen.

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::mixed::settled;
use super::slope::{Level, Slope, Trend};
use crate::check::backpressure::bulk;
use crate::check::fair::FairClock;
use crate::check::{
    Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed, inconclusive, skip,
};
use crate::process::Usage;
use crate::session::After;
use crate::talk::Exchange;

/// Measures the server's memory over batches of connections.
pub(super) const ENTRY: Check = Check {
    id: "rss-slope",
    group: super::GROUP,
    battery: 1,
    requirement: "a server keeps nothing of a request that it has answered, and nothing of a connection that has ended (CWE-401: missing release of memory)",
    stimulus: "equal batches of connections, each with some requests of which all replies are read; half of the clients close them by FIN, the others by RST; memory is measured after each batch, until three batches in a row leave nothing behind",
    needs: &[Need::Process, Need::Reply],
    runs: Runs::AloneOnMachine,
    weight: Weight::Fails,
    control: true,
    limit: Duration::from_secs(120),
    by_hand: "for i in 1 2 3 4 5; do python3 -c \"import socket; [(lambda s: (s.sendall({request}), s.recv(65536), s.close()))(socket.create_connection(('{host}',{port}))) for _ in range(3000)]\"; grep RssAnon /proc/$p/status; done",
    run: |cx| Box::pin(run(cx)),
};

/// Number of clients at the same time.
const CLIENTS: usize = 8;
/// Payload of a request, in bytes, if the server accepts that much.
const PAYLOAD_MAX: usize = 16_384;
/// Bytes sent on a connection, in whole requests: about one buffer, so that buffers that are kept weigh as much as
/// requests that are kept.
const CONNECTION_BYTES: usize = 16_384;
/// Maximum number of requests on a connection.
const REQUESTS_MAX: usize = 100;
/// Minimum duration of the first batch. The others have the same number of connections.
const BATCH_TIME: Duration = Duration::from_millis(150);
/// Number of bytes of a batch by which little things do not count, and how long the first batch goes on for that: what a garbage
/// collector has not collected yet (a sound server on Node took up to 0.7 MB more during a batch of 0.3 MB).
const BATCH_BYTES_GOOD: u64 = 1 << 20;
const BATCH_TIME_GOOD: Duration = Duration::from_millis(600);
/// Minimum and maximum number of bytes of a batch.
const BATCH_BYTES_MIN: u64 = 128 << 10;
const BATCH_BYTES_MAX: u64 = 16 << 20;
/// A connection counts as at least this many bytes towards the minimum: what a server keeps of it is seen with a few hundred of
/// them, however small its requests are.
const CONNECTION_WEIGHT: u64 = 256;
/// Maximum duration of a batch, without and with `--slow`.
const BATCH_TIME_MAX: Duration = Duration::from_secs(3);
const BATCH_TIME_SLOW: Duration = Duration::from_secs(8);
/// A first batch that has reached this part of its minimum by then goes on for this many times as long, so that what else the
/// machine does does not decide whether there is a verdict.
const NEARLY: u64 = 5;
const LONGER: u32 = 10;
/// No batch starts after this time, without and with `--slow`.
const TIME_MAX: Duration = Duration::from_secs(30);
const TIME_SLOW: Duration = Duration::from_secs(60);

async fn run(cx: &Cx) -> Checked {
    let load = Rc::new(Load::of(cx)?);
    let size = first(cx, &load).await?;
    let mut slope = Slope::from(level(cx, 0).await?);
    let (clock, time_max) = (FairClock::start(cx), patience(cx, TIME_MAX, TIME_SLOW));
    loop {
        let sent = batch(cx, &load, Until::Connections(size)).await?.bytes;
        slope.add(sent, level(cx, slope.flat_below(sent)).await?);
        let batches = slope.growth().len();
        cx.note("connections_per_batch", size);
        cx.note("bytes_sent", slope.sent());
        cx.note("growth_bytes_of_each_batch", slope.growth());
        cx.proved(format!(
            "{batches} batches of {size} connections with {} requests each, all of them answered: {} bytes sent",
            load.requests,
            slope.sent()
        ));
        let elapsed = clock.elapsed(cx);
        match slope.trend() {
            Trend::Flat => return Ok(()),
            Trend::Open if slope.is_store() && load.may_be_stored() => return stored(&slope),
            Trend::Grows if load.may_be_stored() => return stored(&slope),
            Trend::Open if elapsed < time_max => {}
            Trend::Open if slope.is_flattening() && elapsed < time_max * 3 / 2 => {}
            Trend::Open => return unsettled(cx, &slope),
            Trend::Grows => {
                return failed(
                    FailureKind::Growth,
                    "memory no longer grows once the server has answered many equal requests",
                    grown(&slope),
                );
            }
        }
    }
}

/// The server's memory once it has settled, or as soon as it is at most `flat`. Memory that is mapped from files, such as
/// the program itself, depends on the page cache and does not count.
async fn level(cx: &Cx, flat: u64) -> Checked<Level> {
    let own = |usage: &Usage| usize::try_from(usage.own_bytes).unwrap_or(usize::MAX);
    let flat = usize::try_from(flat).unwrap_or(usize::MAX);
    let used = settled(cx, own, flat).await? as u64;
    Ok(Level {
        used,
        taken: cx.usage()?.vm_data_bytes,
    })
}

fn patience(cx: &Cx, usual: Duration, slow: Duration) -> Duration {
    if cx.is_slow() { slow } else { usual }
}

fn grown(slope: &Slope) -> String {
    format!(
        "memory grew by {:.1} MB while {:.1} MB were sent, in the last batches by {:.2} bytes for each byte sent",
        slope.kept() as f64 / 1e6,
        slope.sent() as f64 / 1e6,
        slope.per_byte()
    )
}

/// Growth that may be the purpose of the server.
fn stored(slope: &Slope) -> Checked {
    skip(format!(
        "{}; storing what it is sent may be the purpose of the server, since no reply repeats a {{payload}}",
        grown(slope)
    ))
}

/// Neither flat nor enough growth in time: a collector may let a heap grow to twice its size first.
fn unsettled(cx: &Cx, slope: &Slope) -> Checked {
    let heap = if slope.is_inside_heap() {
        ", within the heap that the server had taken from the kernel before"
    } else {
        ""
    };
    let reason = format!("memory did not settle: {}{heap}", grown(slope));
    if cx.is_slow() {
        inconclusive(reason)
    } else {
        cx.skip_as_slow(reason)
    }
}

/// What the clients of a batch do.
struct Load {
    exchange: Exchange,
    payload: Vec<u8>,
    /// Number of requests on a connection.
    requests: usize,
    /// Whether they are sent all at once.
    pipelined: bool,
    /// The tokens of each client: the same on all its connections, so that a server whose purpose is to store things
    /// stores nothing new.
    tokens: Vec<Vec<String>>,
}

impl Load {
    fn of(cx: &Cx) -> Checked<Self> {
        let exchange = bulk::echo(cx).clone();
        let payload = bulk::payload(cx, &exchange, PAYLOAD_MAX)?;
        let request = cx.voice().render(&exchange, &payload)?.request;
        let requests = if cx.talk().repeats(&exchange) {
            (CONNECTION_BYTES / request.len().max(1)).clamp(1, REQUESTS_MAX)
        } else {
            1
        };
        let requests = cx.requests(requests).max(1);
        let of_one = || (0..requests).map(|_| cx.voice().token()).collect();
        Ok(Self {
            exchange,
            payload,
            requests,
            pipelined: cx.promise().pipelining == Some(true),
            // Half of the places are for clients whose end the server has not noticed yet.
            tokens: (0..cx.connections(2 * CLIENTS).div_ceil(2))
                .map(|_| of_one())
                .collect(),
        })
    }

    /// Whether the requests may be such that the server has to keep them.
    fn may_be_stored(&self) -> bool {
        !self.exchange.expects_payload()
    }
}

/// The size of a batch.
#[derive(Clone, Copy, Default)]
struct Batch {
    connections: usize,
    bytes: u64,
}

impl Batch {
    /// How much it can show, in bytes.
    fn weight(self) -> u64 {
        self.bytes.max(self.connections as u64 * CONNECTION_WEIGHT)
    }
}

/// When a batch ends.
#[derive(Clone, Copy)]
enum Until {
    /// After this number of connections.
    Connections(usize),
    /// After [`BATCH_TIME`], or the limits of its size.
    Time { begun: Instant, time_max: Duration },
}

impl Until {
    /// Whether a batch that the server answers too slowly is over, in the middle of a connection.
    fn is_late(self, batch: Batch) -> bool {
        match self {
            Self::Connections(_) => false,
            Self::Time { begun, time_max } => {
                let is_near = batch.weight() >= BATCH_BYTES_MIN / NEARLY;
                let longer = if is_near { LONGER } else { 1 };
                begun.elapsed() >= time_max * longer
            }
        }
    }

    fn goes_on(self, batch: Batch) -> bool {
        match self {
            Self::Connections(size) => batch.connections < size,
            Self::Time { begun, .. } if begun.elapsed() < BATCH_TIME => {
                batch.bytes < BATCH_BYTES_MAX
            }
            Self::Time { begun, .. } => {
                let is_good = begun.elapsed() >= BATCH_TIME_GOOD || batch.bytes >= BATCH_BYTES_GOOD;
                let is_enough = batch.weight() >= BATCH_BYTES_MIN || self.is_late(batch);
                !(is_good && is_enough)
            }
        }
    }
}

/// Runs the batch that warms up the server. Returns the number of connections of each batch.
async fn first(cx: &Cx, load: &Rc<Load>) -> Checked<usize> {
    let (begun, time_max) = (
        Instant::now(),
        patience(cx, BATCH_TIME_MAX, BATCH_TIME_SLOW),
    );
    let first = batch(cx, load, Until::Time { begun, time_max }).await?;
    if first.weight() >= BATCH_BYTES_MIN {
        return Ok(first.connections);
    }
    let reason = format!(
        "the server answers too slowly to see it grow: {} connections with {} bytes of requests within {:.0?}",
        first.connections,
        first.bytes,
        begun.elapsed()
    );
    if cx.is_slow() {
        skip(reason)
    } else {
        cx.skip_as_slow(reason)
    }
}

async fn batch(cx: &Cx, load: &Rc<Load>, until: Until) -> Checked<Batch> {
    let so_far = Rc::new(Cell::new(Batch::default()));
    let clients = cx.crowd(load.tokens.len(), |cx, client| {
        let (load, so_far) = (load.clone(), so_far.clone());
        async move {
            while until.goes_on(so_far.get()) {
                let mut batch = so_far.get();
                batch.connections += 1;
                so_far.set(batch);
                let is_late = || until.is_late(so_far.get());
                let bytes = connection(&cx, &load, client, is_late).await?;
                let mut batch = so_far.get();
                batch.bytes += bytes;
                so_far.set(batch);
            }
            Ok(())
        }
    });
    let results = clients.await;
    let batch = so_far.get();
    if batch.bytes > 0 {
        cx.proved(format!(
            "the server had answered requests of {} bytes in this batch",
            batch.bytes
        ));
    }
    results.into_iter().collect::<Checked<Vec<()>>>()?;
    Ok(batch)
}

/// One connection of a client. Returns the number of bytes sent.
async fn connection(
    cx: &Cx,
    load: &Load,
    client: usize,
    is_late: impl Fn() -> bool,
) -> Checked<u64> {
    let mut session = cx.open_for(&load.exchange).await?;
    let mut turns = VecDeque::with_capacity(load.requests);
    for token in &load.tokens[client] {
        let voice = session.voice();
        turns.push_back(voice.render_with(token, &load.exchange, &load.payload)?);
    }
    if load.pipelined {
        let requests: Vec<&[u8]> = turns.iter().map(|turn| turn.request.as_slice()).collect();
        session.send(&requests.concat()).await?;
    }
    while let Some(turn) = turns.pop_front() {
        let reply = if load.pipelined {
            session.expect(&turn).await?
        } else {
            session.exchange(&turn).await?
        };
        if reply.after != After::Open || is_late() {
            break;
        }
    }
    let sent = session.sent();
    if client.is_multiple_of(2) {
        session.close();
    } else {
        session.reset()?;
    }
    Ok(sent)
}
