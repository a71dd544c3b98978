//! Runs a case against a server over TCP.
//!
//! Uses blocking sockets on the caller's thread: a case mostly waits for the server, and a wait without an async
//! runtime is the shortest. A plain case takes the seven system calls of a bare client (socket, connect, send,
//! shutdown, two reads, close) and two more to set timeouts.

mod connection;
mod inject;
mod observed;
mod rest;

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use connection::Connection;
pub(crate) use inject::settled;
use inject::{Injected, Injector};
#[cfg(feature = "cli")]
pub(crate) use observed::KEPT_BYTES_MAX;
pub(crate) use observed::{ConnectionEnd, Observed, Received};
pub(crate) use rest::Rest;
use rest::Wait;

use super::case::{CONNECTIONS_MAX, Case, SendStep, Step};
use super::deadline::Deadline;
use crate::fuzz::coverage::Sights;
use crate::process::injector::Record;
use crate::process::{LoginCommand, Server};
use crate::talk::Frame;
use crate::transport::Endpoint;

/// The kernel takes a time limit of 0 for none.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// Time limits of a case.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Maximum wait for a reply, and for the server's close after the client's FIN.
    pub wait: Duration,
    /// Maximum wait for space in the send buffer.
    pub send: Duration,
    /// Maximum duration of a case.
    pub case: Duration,
    /// Pause between two pieces of one send, so that the server reads them separately.
    pub between: Duration,
    /// Acknowledge at once what arrives.
    pub acknowledges: bool,
}

/// Minimum duration of an exchange that may consist of delayed acknowledgements: the kernel delays them by 40 ms, some of them less.
const DELAYED_MIN: Duration = Duration::from_millis(4);

impl Limits {
    /// Limits for a server that needs `exchange` for connect, request and reply.
    pub(crate) fn of(exchange: Duration) -> Self {
        let wait = (exchange * 20).clamp(Duration::from_millis(20), Duration::from_secs(1));
        Self {
            wait,
            send: wait,
            case: wait * 20,
            // An upper bound: the slowest of a few exchanges depends more on the machine than on the server.
            between: (exchange / 2).clamp(Duration::from_micros(80), Duration::from_micros(250)),
            acknowledges: false,
        }
    }

    /// The limits for a client that acknowledges at once.
    pub(crate) fn acknowledging(self) -> Self {
        Self {
            acknowledges: true,
            ..self
        }
    }

    /// Whether an exchange takes so long that delayed acknowledgements may be the cause.
    pub(crate) fn may_be_delayed(exchange: Duration) -> bool {
        exchange >= DELAYED_MIN
    }

    /// The limits for a server that needs `exchange` with delayed acknowledgements and `prompt` without. `None` if it makes no
    /// difference.
    pub(crate) fn without_delays(exchange: Duration, prompt: Duration) -> Option<Self> {
        let is_cause = Self::may_be_delayed(exchange) && prompt < exchange / 2;
        is_cause.then(|| Self::of(prompt).acknowledging())
    }
}

/// Runs cases against one server.
#[derive(Debug)]
pub(crate) struct Wire {
    endpoint: Endpoint,
    /// The frames of the first replies of a connection, and of all later ones.
    first: Vec<Frame>,
    reply: Frame,
    limits: Limits,
    buffer: Vec<u8>,
    out: Vec<u8>,
    /// Called before each piece but the first; see [`Wire::prove_cuts`].
    piece_read: Option<PieceRead>,
    /// The programs that log in; `None` for one whose arguments are not known.
    logins: Vec<Option<LoginCommand>>,
    /// Tells what the server has reached.
    sights: Option<Arc<Sights>>,
    /// Their mark before the last case and after each of its steps.
    marks: Vec<usize>,
    /// Ends every case early.
    deadline: Deadline,
    /// Ends a wait for a server that rests.
    rest: Option<Rest>,
    /// Gives system calls other results, if the server has a filter.
    injector: Option<Injector>,
    /// What the last case has injected.
    injected: Option<Record>,
}

/// Waits until the server has read `sent` bytes from `client`; returns false if it gave up.
pub(crate) type PieceRead = fn(server: SocketAddr, client: SocketAddr, sent: u64) -> bool;

impl Wire {
    /// `reply` is the frame of the talk's replies.
    pub(crate) fn new(endpoint: &Endpoint, reply: Frame, limits: Limits) -> Self {
        Self {
            endpoint: endpoint.clone(),
            first: Vec::new(),
            reply,
            limits,
            buffer: vec![0; 64 * 1024],
            out: Vec::new(),
            piece_read: None,
            logins: Vec::new(),
            sights: None,
            marks: Vec::new(),
            deadline: Deadline::default(),
            rest: None,
            injector: None,
            injected: None,
        }
    }

    /// Sets the frames of the first replies of every connection: those to its opening.
    pub(crate) fn opened_by<'a>(mut self, replies: impl Iterator<Item = &'a Frame>) -> Self {
        self.first = replies.cloned().collect();
        self
    }

    /// Sets the programs of the steps that log in.
    pub(crate) fn logging_in_with(mut self, logins: Vec<Option<LoginCommand>>) -> Self {
        self.logins = logins;
        self
    }

    /// Notes after each step what the server has reached.
    pub(crate) fn seen_by(mut self, sights: Option<&Arc<Sights>>) -> Self {
        self.sights = sights.cloned();
        self
    }

    /// Gives system calls of this server other results, if it has a filter.
    pub(crate) fn injecting_into(mut self, server: Option<Rc<Server>>) -> Self {
        self.injector = server.map(Injector::new);
        self
    }

    /// What the last case has injected; `None` without a step that does it.
    pub(crate) fn injected(&self) -> Option<&Record> {
        self.injected.as_ref()
    }

    /// The mark of what sees the server before the last case and after each of its steps.
    pub(crate) fn marks(&self) -> &[usize] {
        &self.marks
    }

    /// Sets the moment at which every case ends.
    pub(crate) fn until(mut self, deadline: Deadline) -> Self {
        self.deadline = deadline;
        self
    }

    /// Ends each wait once the server rests.
    pub(crate) fn resting(&mut self, rest: Rest) {
        self.rest = Some(rest);
    }

    /// Makes each piece wait for `piece_read` instead of a fixed pause.
    pub(crate) fn prove_cuts(mut self, piece_read: PieceRead) -> Self {
        self.piece_read = Some(piece_read);
        self
    }

    /// Executes the steps of the case and closes every connection that is still open.
    ///
    /// # Errors
    /// Descriptors, ports or memory of tcprove run out. Whatever the server does is not an error.
    pub(crate) fn run(&mut self, case: &Case) -> io::Result<Observed> {
        self.perform(case, None)
    }

    /// [`Wire::run`] with a call to `meanwhile` after the last step, before any connection is closed. By then nothing is
    /// injected any more.
    ///
    /// # Errors
    /// As [`Wire::run`].
    pub(crate) fn run_and(
        &mut self,
        case: &Case,
        meanwhile: &mut dyn FnMut(),
    ) -> io::Result<Observed> {
        self.perform(case, Some(meanwhile))
    }

    fn perform(
        &mut self,
        case: &Case,
        meanwhile: Option<&mut dyn FnMut()>,
    ) -> io::Result<Observed> {
        let mut under_way = UnderWay {
            until: Instant::now() + self.deadline.left(self.limits.case),
            connections: Vec::with_capacity(case.connections()),
            current: 0,
            not_taken: 0,
            in_vain: 0,
            injected: Injected::default(),
        };
        self.injected = None;
        self.marks.clear();
        self.mark();
        under_way.connect(self)?;
        for step in &case.steps {
            under_way.step(self, step)?;
            self.mark();
        }
        if let Some(meanwhile) = meanwhile {
            under_way.injected.end();
            meanwhile();
        }
        for connection in &mut under_way.connections {
            connection.finish(&mut self.buffer, under_way.until, self.rest.as_ref());
        }
        under_way.injected.end();
        self.injected = under_way.injected.done();
        let connections = under_way.connections.into_iter();
        Ok(Observed {
            connections: connections.map(Connection::into_received).collect(),
            not_taken: under_way.not_taken,
            in_vain: under_way.in_vain,
        })
    }
}

impl Wire {
    fn mark(&mut self) {
        if let Some(sights) = &self.sights {
            self.marks.push(sights.mark());
        }
    }
}

/// A case that is running.
struct UnderWay {
    until: Instant,
    connections: Vec<Connection>,
    current: usize,
    not_taken: usize,
    in_vain: usize,
    injected: Injected,
}

impl UnderWay {
    fn connect(&mut self, wire: &mut Wire) -> io::Result<()> {
        if self.connections.len() < CONNECTIONS_MAX {
            let wait = wire.deadline.left(wire.limits.wait).max(SHORTEST_WAIT);
            let look = wire.rest.as_ref().map_or(wait, |rest| rest.look);
            self.connections.push(Connection::open(
                &wire.endpoint,
                wait,
                look.min(wait),
                &mut wire.buffer,
            )?);
            if wire.limits.acknowledges
                && let Some(connection) = self.connections.last_mut()
            {
                connection.acknowledge_at_once();
            }
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
                let until = self.until.min(Instant::now() + wire.limits.wait);
                let connection = &mut self.connections[self.current];
                let frame = wire.first.get(connection.replies()).unwrap_or(&wire.reply);
                let wait = Wait::new(wire.rest.as_ref());
                if !connection.receive(frame.decoder(), &mut wire.buffer, until, wait) {
                    self.in_vain += 1;
                }
            }
            Step::Login(program) => return self.log_in(wire, usize::from(*program)),
            Step::HalfClose => self.connections[self.current].half_close(),
            Step::Reset => self.connections[self.current].reset(),
            Step::Close => self.connections[self.current].close(),
            Step::Inject(inject) => {
                if let Some(injector) = &wire.injector {
                    let peer = self.connections[self.current].local();
                    self.injected.begin(injector, inject, peer);
                }
            }
        }
        Ok(())
    }

    /// Lets a program log in, which does not count as time of the case.
    fn log_in(&mut self, wire: &Wire, program: usize) -> io::Result<()> {
        let Some(Some(command)) = wire.logins.get(program) else {
            return Ok(());
        };
        let begun = Instant::now();
        self.connections[self.current].log_in(command)?;
        self.until += begun.elapsed();
        Ok(())
    }

    fn send(&mut self, wire: &mut Wire, send: &SendStep) {
        let connection = &mut self.connections[self.current];
        wire.out.clear();
        send.data.write(&mut wire.out);
        for (number, piece) in send.pieces(&wire.out).enumerate() {
            if number > 0 {
                let ends = wire.endpoint.address.tcp().zip(connection.local());
                let proved = match (wire.piece_read, ends) {
                    (Some(piece_read), Some((server, client))) => {
                        piece_read(server, client, connection.sent())
                    }
                    _ => false,
                };
                if !proved {
                    std::thread::sleep(wire.limits.between);
                }
            }
            let until = self.until.min(Instant::now() + wire.limits.send);
            if !connection.send(piece, &mut wire.buffer, until) {
                self.not_taken += 1;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
