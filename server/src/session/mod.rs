//! What happens on one connection, independently of the concurrency model.
//!
//! The session decides what to read, what to write and what to wait for. A transport reads and writes
//! without blocking, and a driver ([`blocking`], [`nonblocking`], [`stream`]) waits. Half-close,
//! backpressure, timeouts, lingering and draining are therefore the same in every model.

pub(crate) mod blocking;
mod connection;
mod held;
mod layers;
pub(crate) mod nonblocking;
mod print;
mod push;
mod slower;
pub(crate) mod stream;
mod timer;
mod wait;

use std::io::{self, ErrorKind};
use std::time::Instant;

pub(crate) use connection::Connection;
use held::HeldReplies;
use push::Pushes;
use wait::{Next, Wait};

use crate::Config;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::delay::ConnectionDelays;
use crate::escape::Escaped;
use crate::peer::Peer;
use crate::service::{Flow, Service};
use crate::transport::Transport;

/// Maximum bytes passed to a service before its replies are counted against the write bound.
const PIECE_BYTES_MAX: usize = 16_384;
/// Maximum bytes that a lingering close reads and discards.
const LINGER_BYTES_MAX: usize = 16 << 20;
/// Maximum received bytes shown in a log line.
const SHOWN_BYTES_MAX: usize = 128;

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Reading requests.
    Open,
    /// The peer has sent a FIN: send the remaining replies, then close.
    PeerDone,
    /// The peer wants TLS: send the remaining replies, then begin the handshake.
    Upgrading,
    /// The service has ended the connection: send the remaining replies, then a FIN.
    Ending,
    /// Our FIN is sent. Wait for the peer's, so that no reset overtakes the last reply.
    Lingering { until: Instant, bytes_left: usize },
    /// Nothing is left to do.
    Done,
}

/// The server's side of one connection.
pub(crate) struct Session<'a> {
    config: &'a Config,
    hooks: Hooks,
    peer: Peer,
    service: Box<dyn Service>,
    phase: Phase,
    /// The receive buffer; `fed..filled` has not been passed to the service yet.
    input: Vec<u8>,
    fed: usize,
    filled: usize,
    /// Replies. The kernel has taken those before `sent`.
    out: Vec<u8>,
    sent: usize,
    /// Holds replies back if there is a delay.
    held: Option<HeldReplies>,
    /// Messages without a request.
    pushes: Option<Pushes>,
    /// Time of the last progress (see [`Config::idle_timeout`]).
    active: Instant,
    drain_until: Option<Instant>,
    scratch: Scratch,
}

impl<'a> Session<'a> {
    /// A session that serves the peer.
    pub(crate) fn new(config: &'a Config, delays: Option<ConnectionDelays>, peer: Peer) -> Self {
        let hooks = config.hooks();
        let now = Instant::now();
        tracing::info!(%peer, "connected");
        Self {
            config,
            hooks,
            peer,
            service: config.service(),
            phase: Phase::Open,
            input: vec![0; config.recv_buffer.max(1)],
            fed: 0,
            filled: 0,
            out: Vec::new(),
            sent: 0,
            pushes: config.push.map(|every| Pushes::new(every, now)),
            held: delays.map(|delays| HeldReplies::new(delays, config.protocol, now)),
            active: now,
            drain_until: None,
            scratch: hooks.connected.and_then(|connected| connected()),
        }
    }

    /// A session that only replies that there are too many connections.
    pub(crate) fn refusing(config: &'a Config, peer: Peer) -> Self {
        let out = config.protocol.too_many_connections();
        Self {
            phase: Phase::Ending,
            out,
            ..Self::new(config, None, peer)
        }
    }

    /// Proceeds as far as possible without waiting. `stopping`: whether the shutdown has started.
    pub(crate) fn step(&mut self, transport: &mut impl Transport, stopping: bool) -> Next {
        if stopping && self.drain_until.is_none() {
            self.drain_until = Some(Instant::now() + self.config.drain);
        }
        self.push();
        let mut progress = false;
        let reading = loop {
            self.feed(transport, &mut progress);
            self.flush(transport, &mut progress);
            let stuck = if self.lingers() {
                self.discard(transport)
            } else {
                self.read(transport)
            };
            if matches!(self.phase, Phase::Done) {
                return Next::Done;
            }
            let feedable = self.fed < self.filled && self.wants_input();
            if stuck && !feedable {
                break self.wants_input() || self.lingers();
            }
        };
        self.wait_or_close(transport, reading, progress)
    }

    /// Nothing can be done without waiting: returns what to wait for, or closes the connection if it
    /// is idle during a shutdown or past its deadline.
    fn wait_or_close(&mut self, transport: &impl Transport, read: bool, progress: bool) -> Next {
        let now = Instant::now();
        if progress {
            self.active = now;
        }
        let open = matches!(self.phase, Phase::Open);
        let idle = open && self.pending() == 0 && !self.service.in_flight();
        if idle && self.drain_until.is_some() && !transport.has_unread() {
            return self.close("closed by the shutdown");
        }
        let due = self.held.as_ref().and_then(HeldReplies::next_due);
        let pushes = self.pushes.as_ref().filter(|_| open);
        let push_due = pushes.map(Pushes::next_due);
        let until = match self.phase {
            Phase::Lingering { until, .. } => until,
            // A peer that waits for a delayed reply is not idle.
            _ => self.active.max(due.unwrap_or(self.active)) + self.config.idle_timeout,
        };
        let until = self
            .drain_until
            .map_or(until, |drain_until| until.min(drain_until));
        if now >= until {
            return self.close("closed after a timeout");
        }
        Next::Wait(Wait {
            read,
            write: self.sendable() > 0,
            due: due.into_iter().chain(push_due).min(),
            until,
        })
    }

    /// Adds a message that is due to the replies.
    fn push(&mut self) {
        let has_room = self.pending() < self.config.write_bound;
        if let (Some(pushes), Phase::Open) = (&mut self.pushes, self.phase) {
            pushes.make(Instant::now(), has_room, &mut self.out);
        }
    }

    fn pending(&self) -> usize {
        self.out.len() - self.sent
    }

    /// The number of bytes that may be sent now.
    fn sendable(&mut self) -> usize {
        match &mut self.held {
            Some(held) if self.sent < self.out.len() => held.free(Instant::now()),
            _ => self.pending(),
        }
    }

    fn lingers(&self) -> bool {
        matches!(self.phase, Phase::Lingering { .. })
    }

    /// Whether to accept more requests: not from a peer that leaves its replies unread.
    fn wants_input(&self) -> bool {
        matches!(self.phase, Phase::Open) && self.pending() < self.config.write_bound
    }

    /// Passes input to the service while its replies are within the write bound.
    fn feed(&mut self, transport: &impl Transport, progress: &mut bool) {
        while self.fed < self.filled && self.wants_input() {
            let end = self.filled.min(self.fed + PIECE_BYTES_MAX);
            let (began, made) = (self.service.in_flight(), self.out.len());
            let flow = self
                .service
                .on_bytes(&self.input[self.fed..end], &mut self.out);
            self.fed = end;
            *progress |= self.out.len() > made || !began;
            if let Some(note) = self.service.take_note() {
                print::note(self.config, &self.peer, &note);
            }
            match flow {
                Flow::Continue => {}
                Flow::StartTls => {
                    // What the peer sent after the command, before TLS protects it, may stem from
                    // somebody else (CVE-2011-0411).
                    self.fed = self.filled;
                    self.phase = Phase::Upgrading;
                }
                Flow::Close => self.phase = Phase::Ending,
            }
            self.replied(transport, made);
        }
    }

    /// Processes new replies, which begin at offset `made` of `out`.
    fn replied(&mut self, transport: &impl Transport, made: usize) {
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
            if replied(&mut self.scratch, transport.descriptor(), reply) == Flow::Close {
                self.phase = Phase::Done;
                return;
            }
            rest = others;
        }
    }

    /// Sends replies until none is left, the rest is delayed, or the kernel takes no more.
    fn flush(&mut self, transport: &mut impl Transport, progress: &mut bool) {
        let mut sendable = self.sendable();
        if sendable > 0
            && let Some(before_write) = self.hooks.before_write
        {
            let held_back = self.out.split_off(self.sent + sendable);
            self.out.drain(..self.sent);
            self.sent = 0;
            if before_write(transport, &mut self.out) == Flow::Close {
                self.phase = Phase::Done;
            }
            self.record_sent(sendable.saturating_sub(self.out.len()));
            sendable = self.out.len();
            self.out.extend(held_back);
        }
        while sendable > 0 && !matches!(self.phase, Phase::Done) {
            match transport.try_write(&self.out[self.sent..self.sent + sendable]) {
                Ok(count) => {
                    self.sent += count;
                    sendable -= count;
                    self.record_sent(count);
                    *progress = true;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => self.failed(&error),
            }
        }
        if self.pending() > 0 && !matches!(self.phase, Phase::Done) {
            // Moving the rest costs no more than sending the bytes that are removed.
            if self.sent > self.out.len() / 2 {
                self.out.drain(..self.sent);
                self.sent = 0;
            }
            return;
        }
        self.out.clear();
        self.sent = 0;
        self.after_flush(transport);
    }

    fn record_sent(&mut self, count: usize) {
        if let Some(held) = &mut self.held {
            held.sent(count, Instant::now());
        }
    }

    /// The kernel has taken all replies: closes the connection or begins to linger, if it is time.
    fn after_flush(&mut self, transport: &mut impl Transport) {
        match self.phase {
            Phase::PeerDone => {
                self.close("closed after the peer's FIN");
            }
            Phase::Ending if self.config.linger.is_zero() => {
                self.close("closed without lingering");
            }
            Phase::Ending => match transport.try_finish() {
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
            Phase::Open | Phase::Upgrading | Phase::Lingering { .. } | Phase::Done => {}
        }
    }

    /// Reads once if input is wanted. Returns whether that is impossible now: nothing has arrived, or
    /// earlier input is still waiting.
    fn read(&mut self, transport: &mut impl Transport) -> bool {
        if self.fed < self.filled || !self.wants_input() {
            return true;
        }
        let size = self.config.recv_buffer.max(1);
        self.input.resize(size, 0);
        let result = transport.try_read(&mut self.input);
        if let Some(held) = &mut self.held
            && result.is_ok()
        {
            held.read(Instant::now());
        }
        match result {
            Ok(0) => self.peer_done(transport),
            Ok(count) => {
                (self.fed, self.filled) = (0, count);
                if self.hooks.every_byte_is_progress {
                    self.active = Instant::now();
                }
                if self.config.slower_percent > 0 {
                    slower::after_read(self.config.slower_percent);
                }
                let shown = Escaped::new(&self.input[..count], SHOWN_BYTES_MAX);
                tracing::debug!(peer = %self.peer, bytes = count, text = %shown, "received");
                if let Some(after_read) = self.hooks.after_read {
                    self.input.truncate(count);
                    let got = Received::Bytes(&mut self.input, size);
                    after_read(&mut self.scratch, transport.descriptor(), got);
                    self.filled = self.input.len();
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
            Err(error) => {
                if let Some(after_read) = self.hooks.after_read {
                    after_read(
                        &mut self.scratch,
                        transport.descriptor(),
                        Received::Error(&error),
                    );
                }
                self.failed(&error);
            }
        }
        false
    }

    fn peer_done(&mut self, transport: &impl Transport) {
        if let Some(after_read) = self.hooks.after_read {
            after_read(&mut self.scratch, transport.descriptor(), Received::Eof);
        }
        let made = self.out.len();
        self.service.on_eof(&mut self.out);
        self.phase = Phase::PeerDone;
        self.replied(transport, made);
    }

    /// Reads once after our FIN and discards the bytes. Returns whether nothing has arrived.
    fn discard(&mut self, transport: &mut impl Transport) -> bool {
        let Phase::Lingering { until, bytes_left } = self.phase else {
            return true;
        };
        self.input
            .resize(self.config.recv_buffer.max(PIECE_BYTES_MAX), 0);
        match transport.try_read(&mut self.input) {
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

    fn close(&mut self, how: &'static str) -> Next {
        tracing::info!(peer = %self.peer, "{how}");
        self.phase = Phase::Done;
        Next::Done
    }
}
