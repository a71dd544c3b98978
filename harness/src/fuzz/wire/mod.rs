//! Runs a case against a server over TCP.
//!
//! Blocking sockets on the caller's thread: a case is mostly spent waiting for the server, and a wait that
//! goes through no runtime is the shortest. A plain case costs the seven system calls of a bare connect,
//! send, FIN, read, read, close, and two timeouts.

mod connection;

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::case::{CONNECTIONS_MAX, Case, Send, Step};
use crate::talk::{Decoder, Frame};
use connection::Connection;

/// How long things may take before the case goes on without them.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A reply, room for what is sent, or the server's close after ours.
    pub wait: Duration,
    /// The whole case.
    pub case: Duration,
    /// Between two pieces of one send: as long as a server needs to read the first.
    pub between: Duration,
}

impl Limits {
    /// Limits for a server that takes `exchange` for a healthy connect, request and reply.
    pub fn of(exchange: Duration) -> Self {
        let wait = (exchange * 20).clamp(Duration::from_millis(20), Duration::from_secs(1));
        Self {
            wait,
            case: wait * 20,
            // The slowest of a few exchanges says more of the machine than of how long a read takes.
            between: (exchange / 2).clamp(Duration::from_micros(80), Duration::from_micros(250)),
        }
    }
}

/// Bytes of a connection's replies that are kept; all are counted.
pub const KEPT_BYTES_MAX: usize = 256 * 1024;

/// What the server did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// What came on each connection, in the order they were opened.
    pub connections: Vec<Answer>,
    /// Sends that the server did not take whole within the limit.
    pub not_taken: usize,
}

/// What came on one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The first [`KEPT_BYTES_MAX`] of it.
    pub bytes: Vec<u8>,
    /// How much it was.
    pub received: u64,
    /// How the connection ended.
    pub end: End,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// The server closed in order.
    Eof,
    /// The server reset it.
    Reset,
    /// Nobody listened.
    Refused,
    /// The server did not close within the limit after our FIN.
    StillOpen,
    /// The case closed or reset it.
    Ours,
}

impl Seen {
    /// Whether the server ended every connection in the way that healthy ones end.
    pub fn is_calm(&self) -> bool {
        let calm = |answer: &Answer| matches!(answer.end, End::Eof | End::Ours);
        self.connections.iter().all(calm)
    }
}

/// Runs cases against one server.
#[derive(Debug)]
pub struct Wire {
    addr: SocketAddr,
    reply: Frame,
    limits: Limits,
    buffer: Vec<u8>,
    out: Vec<u8>,
    /// A look before each piece but the first; see [`Wire::prove_cuts`].
    settled: Option<Settled>,
}

/// Waits until the server has read what was sent from this address, or gives up.
pub type Settled = fn(server: SocketAddr, client: SocketAddr, sent: u64) -> bool;

impl Wire {
    /// `reply`: how the talk's replies end.
    pub fn new(addr: SocketAddr, reply: Frame, limits: Limits) -> Self {
        Self {
            addr,
            reply,
            limits,
            buffer: vec![0; 64 * 1024],
            out: Vec::new(),
            settled: None,
        }
    }

    /// From now on pieces wait for `settled` rather than for a moment.
    pub fn prove_cuts(mut self, settled: Settled) -> Self {
        self.settled = Some(settled);
        self
    }

    /// The limits in force.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Does what the case says, and ends every connection that is left open.
    ///
    /// # Errors
    /// Our own side fails: descriptors, ports, memory. What the server does is no error.
    pub fn run(&mut self, case: &Case) -> io::Result<Seen> {
        self.run_and(case, &mut |_| {})
    }

    /// The same, and calls `meanwhile` with everything sent and nothing closed yet.
    ///
    /// # Errors
    /// As [`Wire::run`].
    pub fn run_and(&mut self, case: &Case, meanwhile: &mut dyn FnMut(&Seen)) -> io::Result<Seen> {
        let mut under_way = UnderWay {
            until: Instant::now() + self.limits.case,
            connections: Vec::with_capacity(case.connections()),
            current: 0,
            not_taken: 0,
        };
        under_way.connect(self)?;
        for step in &case.steps {
            under_way.step(self, step)?;
        }
        meanwhile(&Seen::default());
        for connection in &mut under_way.connections {
            connection.finish(&mut self.buffer, under_way.until);
        }
        let answers = under_way.connections.into_iter();
        Ok(Seen {
            connections: answers.map(Connection::into_answer).collect(),
            not_taken: under_way.not_taken,
        })
    }
}

/// A case that is being run.
struct UnderWay {
    until: Instant,
    connections: Vec<Connection>,
    current: usize,
    not_taken: usize,
}

impl UnderWay {
    fn connect(&mut self, wire: &Wire) -> io::Result<()> {
        if self.connections.len() < CONNECTIONS_MAX {
            self.connections
                .push(Connection::open(wire.addr, wire.limits.wait)?);
            self.current = self.connections.len() - 1;
        }
        Ok(())
    }

    fn step(&mut self, wire: &mut Wire, step: &Step) -> io::Result<()> {
        match step {
            Step::Connect => return self.connect(wire),
            Step::Switch(to) => {
                self.current = usize::from(*to).min(self.connections.len() - 1);
            }
            Step::DelayMs(ms) => {
                let left = self.until.saturating_duration_since(Instant::now());
                std::thread::sleep(Duration::from_millis(u64::from(*ms)).min(left));
            }
            Step::Send(send) => self.send(wire, send),
            Step::Receive => {
                let decoder: Decoder = wire.reply.decoder();
                let until = self.until.min(Instant::now() + wire.limits.wait);
                self.connections[self.current].receive(decoder, &mut wire.buffer, until);
            }
            Step::HalfClose => self.connections[self.current].half_close(),
            Step::Reset => self.connections[self.current].reset(),
            Step::Close => self.connections[self.current].close(),
        }
        Ok(())
    }

    fn send(&mut self, wire: &mut Wire, send: &Send) {
        let connection = &mut self.connections[self.current];
        wire.out.clear();
        send.data.write(&mut wire.out);
        for (number, piece) in send.pieces(&wire.out).enumerate() {
            if number > 0 {
                let proved = match (wire.settled, connection.local()) {
                    (Some(settled), Some(local)) => settled(wire.addr, local, connection.sent()),
                    _ => false,
                };
                if !proved {
                    std::thread::sleep(wire.limits.between);
                }
            }
            let until = self.until.min(Instant::now() + wire.limits.wait);
            if !connection.send(piece, &mut wire.buffer, until) {
                self.not_taken += 1;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
