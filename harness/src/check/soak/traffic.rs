//! Mixed traffic at a moderate pace.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::check::resources::mixed::settled;
use crate::check::{Checked, Cx};
use crate::process::Usage;

/// Number of clients at the same time.
const CLIENTS: usize = 4;
/// Number of requests of a connection.
const REQUESTS: usize = 20;
/// Pause of a client between two requests: the server must be able to keep up.
const PAUSE: Duration = Duration::from_millis(5);

/// Payload of a request that has one.
const PAYLOAD: &[u8] = b"ping";

/// What was seen of one third of the traffic.
pub(super) struct Third {
    /// Latencies of all requests, in order of size.
    latencies: Vec<Duration>,
    pub(super) connections: usize,
    /// Bytes sent.
    pub(super) sent: u64,
    /// CPU time that the server used.
    cpu: Duration,
    /// What the server used afterwards, without connections.
    pub(super) usage: Usage,
}

impl Third {
    pub(super) fn requests(&self) -> usize {
        self.latencies.len()
    }

    /// A quantile of the latency.
    pub(super) fn latency(&self, quantile: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        let place = (last as f64 * quantile).ceil() as usize;
        self.latencies.get(place).copied().unwrap_or_default()
    }

    /// CPU time of the server for each request.
    pub(super) fn cpu_each(&self) -> Duration {
        self.cpu.div_f64(self.requests().max(1) as f64)
    }

    pub(super) fn evidence(&self) -> Value {
        json!({
            "requests": self.requests(),
            "connections": self.connections,
            "p10_us": micros(self.latency(0.1)),
            "p50_us": micros(self.latency(0.5)),
            "p99_us": micros(self.latency(0.99)),
            "cpu_us_per_request": micros(self.cpu_each()),
            "memory_bytes": self.usage.own_bytes,
            "descriptors": self.usage.descriptors,
            "threads": self.usage.threads,
        })
    }
}

fn micros(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round()
}

#[derive(Default)]
struct Seen {
    latencies: Vec<Duration>,
    connections: usize,
    sent: u64,
}

/// The tokens of each client: the same on all its connections, so that a server whose purpose is to store things stores
/// nothing new.
pub(super) type Tokens = Rc<Vec<Vec<String>>>;

pub(super) fn tokens(cx: &Cx) -> Tokens {
    let requests = if cx.talk().carries_many_turns() {
        cx.requests(REQUESTS).max(1)
    } else {
        1
    };
    let of_one = || (0..requests).map(|_| cx.voice().token()).collect();
    let clients = 0..cx.connections(CLIENTS);
    Rc::new(clients.map(|_| of_one()).collect())
}

/// Sends traffic for a while, and waits until the server has settled.
pub(super) async fn third(cx: &Cx, tokens: &Tokens, length: Duration) -> Checked<Third> {
    let seen = Rc::new(RefCell::new(Seen::default()));
    let before = cx.usage()?.cpu;
    let end = Instant::now() + length;
    let clients = cx.crowd(tokens.len(), |cx, client| {
        let (seen, tokens) = (seen.clone(), tokens.clone());
        async move {
            let mut number = client;
            while Instant::now() < end {
                connection(&cx, number, &tokens[client], &seen).await?;
                number += 1;
            }
            Ok(())
        }
    });
    clients.await.into_iter().collect::<Checked<Vec<()>>>()?;
    let cpu = cx.usage()?.cpu.saturating_sub(before);
    settled(cx, |usage| usage.descriptors + usage.threads, 0).await?;
    let mut seen = seen.take();
    seen.latencies.sort_unstable();
    Ok(Third {
        latencies: seen.latencies,
        connections: seen.connections,
        sent: seen.sent,
        cpu,
        usage: cx.usage()?,
    })
}

/// One connection. They end in three ways, in turn.
async fn connection(cx: &Cx, number: usize, tokens: &[String], seen: &RefCell<Seen>) -> Checked {
    let mut client = cx.open().await?;
    for token in tokens {
        let plain = cx.talk().plain();
        let turn = client.voice().render_with(token, plain, PAYLOAD)?;
        let begun = Instant::now();
        client.exchange(&turn).await?;
        seen.borrow_mut().latencies.push(begun.elapsed());
        tokio::time::sleep(PAUSE).await;
        if client.has_ended() {
            break;
        }
    }
    if number % 3 == 2 && !client.has_ended() {
        let mut request = client.turn()?.request;
        request.truncate(request.len() / 2);
        // The server may have closed the connection after its last reply.
        let _ = client.send(&request).await;
    }
    let mut seen = seen.borrow_mut();
    seen.connections += 1;
    seen.sent += client.sent();
    match number % 3 {
        0 => client.close(),
        _ => client.reset()?,
    }
    Ok(())
}
