//! What happens on one connection, whichever thread or process carries it.
//!
//! The session decides what to read, write and wait for; a transport does it without blocking,
//! and a driver ([`blocking`], [`nonblocking`], [`stream`]) waits. So half-close, back-pressure, time-outs,
//! lingering and draining are the same in every model.

pub(crate) mod blocking;
mod held;
pub(crate) mod nonblocking;
mod print;
mod slower;
pub(crate) mod stream;
mod timer;
mod transport;

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Instant;

use crate::Config;
use crate::delay::Draws;
use crate::escape::Escaped;
use crate::hooks::{Hooks, Received, Scratch};
use crate::service::{Flow, Service};
use held::Held;
use transport::{Step, Transport, Wait};

/// A service is fed at most so many bytes before its replies are looked at.
const PIECE_BYTES_MAX: usize = 16_384;
/// What a lingering close reads and throws away.
const LINGER_BYTES_MAX: usize = 16 << 20;
/// What a log line shows of what the peer sent.
const SHOWN_BYTES_MAX: usize = 128;

/// How far a connection has come.
#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Requests are read.
    Open,
    /// The peer's FIN was read: replies are sent, then the socket is closed.
    PeerDone,
    /// The service has ended: replies are sent, then the close lingers.
    Ending,
    /// Our FIN is sent; the peer's is awaited, so that no reset overtakes our last reply.
    Lingering { until: Instant, bytes_left: usize },
    /// Nothing is left to do.
    Done,
}

/// One connection.
pub(crate) struct Session<'a> {
    config: &'a Config,
    hooks: Hooks,
    peer: SocketAddr,
    service: Box<dyn Service>,
    phase: Phase,
    /// What was read; `fed..filled` has not reached the service yet.
    input: Vec<u8>,
    fed: usize,
    filled: usize,
    /// Replies; those before `sent` are with the kernel.
    out: Vec<u8>,
    sent: usize,
    /// Which of them have to wait, if there is a delay.
    held: Option<Held>,
    /// When a request last began or was answered, or a byte of a reply was taken.
    active: Instant,
    drain_until: Option<Instant>,
    scratch: Scratch,
}

impl<'a> Session<'a> {
    /// A session that serves the peer, with these delays if there are any.
    pub(crate) fn new(config: &'a Config, draws: Option<Draws>, peer: SocketAddr) -> Self {
        let hooks = config.hooks();
        let now = Instant::now();
        tracing::info!(%peer, "connected");
        Self {
            config,
            hooks,
            peer,
            service: config.protocol.service(config.max_message),
            phase: Phase::Open,
            input: vec![0; config.recv_buffer.max(1)],
            fed: 0,
            filled: 0,
            out: Vec::new(),
            sent: 0,
            held: draws.map(|draws| Held::new(draws, config.protocol, now)),
            active: now,
            drain_until: None,
            scratch: hooks.connected.and_then(|connected| connected()),
        }
    }

    /// A session that only tells the peer that there is no place for it.
    pub(crate) fn refusing(config: &'a Config, peer: SocketAddr) -> Self {
        let out = config.protocol.too_many_connections();
        Self {
            phase: Phase::Ending,
            out,
            ..Self::new(config, None, peer)
        }
    }

    /// Goes on as far as is possible without waiting. `stopping` says that the server is.
    pub(crate) fn step(&mut self, wire: &mut impl Transport, stopping: bool) -> Step {
        if stopping && self.drain_until.is_none() {
            self.drain_until = Some(Instant::now() + self.config.drain);
        }
        let mut progress = false;
        let reading = loop {
            self.feed(wire, &mut progress);
            self.flush(wire, &mut progress);
            let stuck = if self.lingers() {
                self.discard(wire)
            } else {
                self.read(wire)
            };
            if matches!(self.phase, Phase::Done) {
                return Step::Done;
            }
            let feedable = self.fed < self.filled && self.wants_input();
            if stuck && !feedable {
                break self.wants_input() || self.lingers();
            }
        };
        self.rest(wire, reading, progress)
    }

    /// Nothing can be done without waiting: for what, and is it worth it?
    fn rest(&mut self, wire: &impl Transport, read: bool, progress: bool) -> Step {
        let now = Instant::now();
        if progress {
            self.active = now;
        }
        let open = matches!(self.phase, Phase::Open);
        let idle = open && self.pending() == 0 && !self.service.in_flight();
        if idle && self.drain_until.is_some() && !wire.has_unread() {
            return self.close("closed by the shutdown");
        }
        let due = self.held.as_ref().and_then(Held::next_due);
        let until = match self.phase {
            Phase::Lingering { until, .. } => until,
            // A peer that waits for us is not idle.
            _ => self.active.max(due.unwrap_or(self.active)) + self.config.idle_timeout,
        };
        let until = self
            .drain_until
            .map_or(until, |drain_until| until.min(drain_until));
        if now >= until {
            return self.close("closed after its time");
        }
        Step::Wait(Wait {
            read,
            write: self.sendable() > 0,
            due,
            until,
        })
    }

    fn pending(&self) -> usize {
        self.out.len() - self.sent
    }

    /// How many bytes of replies may be sent now.
    fn sendable(&mut self) -> usize {
        match &mut self.held {
            Some(held) if self.sent < self.out.len() => held.free(Instant::now()),
            _ => self.pending(),
        }
    }

    fn lingers(&self) -> bool {
        matches!(self.phase, Phase::Lingering { .. })
    }

    /// Whether more of the peer's requests may be taken on. A peer that does not take its
    /// replies has to wait.
    fn wants_input(&self) -> bool {
        matches!(self.phase, Phase::Open) && self.pending() < self.config.write_bound
    }

    /// Gives the service what was read, as long as its replies are within the bound.
    fn feed(&mut self, wire: &impl Transport, progress: &mut bool) {
        while self.fed < self.filled && self.wants_input() {
            let end = self.filled.min(self.fed + PIECE_BYTES_MAX);
            let (began, made) = (self.service.in_flight(), self.out.len());
            let flow = self
                .service
                .on_bytes(&self.input[self.fed..end], &mut self.out);
            self.fed = end;
            *progress |= self.out.len() > made || !began;
            if let Some(note) = self.service.take_note() {
                print::note(self.config, self.peer, &note);
            }
            if flow == Flow::Close {
                self.phase = Phase::Ending;
            }
            self.replied(wire, made);
        }
    }

    /// The service has made replies, which begin there in `out`.
    fn replied(&mut self, wire: &impl Transport, made: usize) {
        if let Some(held) = &mut self.held {
            held.made(&self.out[made..]);
        }
        let Some(replied) = self.hooks.replied else {
            return;
        };
        let mut rest = &mut self.out[made..];
        while !rest.is_empty() {
            let length = self.config.protocol.reply_length(rest);
            let (reply, others) = rest.split_at_mut(length);
            if replied(&mut self.scratch, wire.descriptor(), reply) == Flow::Close {
                self.phase = Phase::Done;
                return;
            }
            rest = others;
        }
    }

    /// Sends replies until there are none, none may be sent yet, or the kernel takes no more.
    fn flush(&mut self, wire: &mut impl Transport, progress: &mut bool) {
        let mut sendable = self.sendable();
        if sendable > 0
            && let Some(before_write) = self.hooks.before_write
        {
            let held_back = self.out.split_off(self.sent + sendable);
            self.out.drain(..self.sent);
            self.sent = 0;
            if before_write(wire.descriptor(), &mut self.out) == Flow::Close {
                self.phase = Phase::Done;
            }
            self.gone(sendable.saturating_sub(self.out.len()));
            sendable = self.out.len();
            self.out.extend(held_back);
        }
        while sendable > 0 && !matches!(self.phase, Phase::Done) {
            match wire.try_write(&self.out[self.sent..self.sent + sendable]) {
                Ok(count) => {
                    self.sent += count;
                    sendable -= count;
                    self.gone(count);
                    *progress = true;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => self.failed(&error),
            }
        }
        if self.pending() > 0 && !matches!(self.phase, Phase::Done) {
            // Moving the rest costs no more than sending what goes away.
            if self.sent > self.out.len() / 2 {
                self.out.drain(..self.sent);
                self.sent = 0;
            }
            return;
        }
        self.out.clear();
        self.sent = 0;
        self.after_flush(wire);
    }

    /// So many bytes of replies have left.
    fn gone(&mut self, count: usize) {
        if let Some(held) = &mut self.held {
            held.sent(count, Instant::now());
        }
    }

    /// All replies are with the kernel.
    fn after_flush(&mut self, wire: &mut impl Transport) {
        match self.phase {
            Phase::PeerDone => {
                self.close("closed after the peer's FIN");
            }
            Phase::Ending if self.config.linger.is_zero() => {
                self.close("closed at once");
            }
            Phase::Ending => match wire.try_finish() {
                Ok(()) => {
                    let until = Instant::now() + self.config.linger;
                    self.phase = Phase::Lingering {
                        until,
                        bytes_left: LINGER_BYTES_MAX,
                    };
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => self.failed(&error),
            },
            Phase::Open | Phase::Lingering { .. } | Phase::Done => {}
        }
    }

    /// Reads once if input is wanted. True when there is nothing to read, or no use for it.
    fn read(&mut self, wire: &mut impl Transport) -> bool {
        if self.fed < self.filled || !self.wants_input() {
            return true;
        }
        let size = self.config.recv_buffer.max(1);
        self.input.resize(size, 0);
        let result = wire.try_read(&mut self.input);
        if let Some(held) = &mut self.held
            && result.is_ok()
        {
            held.read(Instant::now());
        }
        match result {
            Ok(0) => self.peer_done(wire),
            Ok(count) => {
                (self.fed, self.filled) = (0, count);
                if self.config.slower_percent > 0 {
                    slower::after_read(self.config.slower_percent);
                }
                let shown = Escaped::new(&self.input[..count], SHOWN_BYTES_MAX);
                tracing::debug!(peer = %self.peer, bytes = count, text = %shown, "received");
                if let Some(after_read) = self.hooks.after_read {
                    self.input.truncate(count);
                    let got = Received::Bytes(&mut self.input, size);
                    after_read(&mut self.scratch, wire.descriptor(), got);
                    self.filled = self.input.len();
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
            Err(error) => {
                if let Some(after_read) = self.hooks.after_read {
                    after_read(
                        &mut self.scratch,
                        wire.descriptor(),
                        Received::Error(&error),
                    );
                }
                self.failed(&error);
            }
        }
        false
    }

    fn peer_done(&mut self, wire: &impl Transport) {
        if let Some(after_read) = self.hooks.after_read {
            after_read(&mut self.scratch, wire.descriptor(), Received::Eof);
        }
        let made = self.out.len();
        self.service.on_eof(&mut self.out);
        self.phase = Phase::PeerDone;
        self.replied(wire, made);
    }

    /// Reads on after our FIN, and throws away what comes. True when there is nothing to read.
    fn discard(&mut self, wire: &mut impl Transport) -> bool {
        let Phase::Lingering { until, bytes_left } = self.phase else {
            return true;
        };
        self.input
            .resize(self.config.recv_buffer.max(PIECE_BYTES_MAX), 0);
        match wire.try_read(&mut self.input) {
            Ok(count) if count == 0 || count >= bytes_left || Instant::now() >= until => {
                self.close("closed");
            }
            Ok(count) => {
                self.phase = Phase::Lingering {
                    until,
                    bytes_left: bytes_left - count,
                };
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
            Err(error) => self.failed(&error),
        }
        false
    }

    fn failed(&mut self, error: &io::Error) {
        tracing::info!(peer = %self.peer, %error, "the connection failed");
        self.phase = Phase::Done;
    }

    fn close(&mut self, how: &'static str) -> Step {
        tracing::info!(peer = %self.peer, "{how}");
        self.phase = Phase::Done;
        Step::Done
    }
}
