//! What a server does and keeps while nobody asks it anything: CPU time and wake-ups with one silent client, then CPU time and
//! memory for each further one.

use std::time::{Duration, Instant};

use crate::gate::side::{Pair, Side};
use crate::process::{Server, Wakeups, wakeups, wakeups_since};
use crate::session::BlockingLink;

/// Time for threads to go to sleep after the last exchange.
const SETTLE: Duration = Duration::from_millis(10);
/// How long both servers are left alone: each session of a gate takes that much longer.
const IDLE: Duration = Duration::from_millis(50);
/// Maximum number of silent clients, and the time for them to connect.
const CLIENTS_MAX: usize = 250;
const CONNECT_TIME_MAX: Duration = Duration::from_millis(40);
/// Time limit for a connection, and for the server to accept those that wait.
const ACCEPTED_WITHIN: Duration = Duration::from_millis(50);
const LOOK: Duration = Duration::from_millis(2);

/// What was seen of one server.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rest {
    /// CPU usage, in cores.
    pub(super) cores: f64,
    /// Voluntary context switches of all threads per second.
    pub(super) wakeups_per_s: f64,
    /// Of each further client.
    pub(super) connection: Connection,
}

/// What a connection takes on which nothing happens; 0 if none can be made.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Connection {
    /// CPU time, with the TLS handshake if there is one, in microseconds.
    pub(super) cpu_us: f64,
    /// Resident memory, in bytes.
    pub(super) bytes: f64,
}

/// Leaves both servers alone for a while, then lets up to `clients` connect to each and say nothing, first to the server of the side
/// `first`: its connections cost some microseconds more.
pub(super) fn at_rest(servers: &Pair<Server>, clients: usize, first: Side) -> Pair<Rest> {
    std::thread::sleep(SETTLE);
    let before = Pair::of(|side| Reading::of(&servers[side]));
    std::thread::sleep(IDLE);
    let mut rest = Pair::of(|side| {
        let now = Reading::of(&servers[side]);
        let seconds = (now.at - before[side].at).as_secs_f64();
        let woken = wakeups_since(&before[side].wakeups, &now.wakeups);
        let woken: u64 = woken.map(|(_, count)| count).sum();
        Rest {
            cores: now.cpu.saturating_sub(before[side].cpu).as_secs_f64() / seconds,
            wakeups_per_s: woken as f64 / seconds,
            connection: Connection::default(),
        }
    });
    for side in [first, first.other()] {
        let clients = clients.min(CLIENTS_MAX);
        rest[side].connection = connections(&servers[side], clients, rest[side].cores);
    }
    rest
}

struct Reading {
    at: Instant,
    cpu: Duration,
    wakeups: Wakeups,
}

impl Reading {
    fn of(server: &Server) -> Self {
        Self {
            at: Instant::now(),
            cpu: server.cpu().unwrap_or_default(),
            wakeups: wakeups(&server.pids()),
        }
    }
}

/// Lets clients connect and say nothing. What the server uses without them, in cores, is subtracted.
fn connections(server: &Server, clients: usize, cores: f64) -> Connection {
    let used = || Some((server.usage()?.own_bytes, server.cpu()?));
    let Some((bytes, cpu)) = used() else {
        return Connection::default();
    };
    let connecting = Instant::now();
    let mut held = Vec::with_capacity(clients);
    while held.len() < clients && connecting.elapsed() < CONNECT_TIME_MAX {
        match BlockingLink::connect(server.endpoint(), ACCEPTED_WITHIN) {
            Ok(link) => held.push(link),
            Err(_) => break,
        }
    }
    let begun = Instant::now();
    while server.waiting_for_accept() > 0 && begun.elapsed() < ACCEPTED_WITHIN {
        std::thread::sleep(LOOK);
    }
    let accepted = held.len().saturating_sub(server.waiting_for_accept());
    let Some((bytes_after, cpu_after)) = used().filter(|_| accepted > 0) else {
        return Connection::default();
    };
    let spent = cpu_after.saturating_sub(cpu).as_secs_f64();
    let idle = cores * connecting.elapsed().as_secs_f64();
    Connection {
        cpu_us: (spent - idle).max(0.0) * 1e6 / accepted as f64,
        bytes: bytes_after.saturating_sub(bytes) as f64 / accepted as f64,
    }
}
