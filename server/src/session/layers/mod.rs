//! The layers between a socket and a session, sans-IO: the header of the PROXY protocol, then TLS.
//!
//! Both have a time limit and are driven step by step like the session itself, so a client that stalls
//! in either holds up others exactly as much as one that stalls in a request: not at all, except in
//! the sequential model.

mod raw;
mod session;
mod tls;

use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::ops::ControlFlow;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use raw::RawInput;
use rustls::ServerConnection;
use tls::TlsStream;

use super::Session;
use super::wait::{Next, Wait};
use crate::Config;
use crate::escape::Escaped;
use crate::proxy::{self, Parsed, ProxyVersion};
use crate::transport::Transport;

/// Maximum bytes of a protocol's name that are shown: ALPN allows no more.
const ALPN_BYTES_MAX: usize = 255;

/// The layers of one connection.
pub(super) struct Layers<'a> {
    config: &'a Config,
    stage: Stage,
    raw: RawInput,
    /// TLS, once it has begun.
    tls: Option<TlsStream>,
    /// Whether the peer has sent anything.
    received: bool,
    /// Whether the session only ends the connection.
    is_refused: bool,
    /// When the header or the handshake must be complete.
    deadline: Instant,
    drain_until: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    /// Reading the header of the PROXY protocol.
    Header(ProxyVersion),
    /// TLS handshake.
    Handshake,
    /// The session reads and writes.
    Open,
    /// The session has ended. Sending the rest.
    Closing,
}

impl<'a> Layers<'a> {
    /// The layers that the settings ask for; `None` if the session is to use the socket itself.
    pub(super) fn new(config: &'a Config) -> Option<Self> {
        if config.proxy.is_none() && config.tls.is_none() {
            return None;
        }
        Some(Self {
            config,
            stage: config
                .proxy
                .map_or_else(|| after_header(config), Stage::Header),
            raw: RawInput::new(config.recv_buffer),
            tls: None,
            received: false,
            is_refused: false,
            deadline: Instant::now() + config.handshake_timeout,
            drain_until: None,
        })
    }

    /// Proceeds as far as possible without waiting, like [`Session::step`].
    pub(super) fn step(
        &mut self,
        session: &mut Session<'_>,
        below: &mut dyn Transport,
        stopping: bool,
    ) -> Next {
        if stopping && self.drain_until.is_none() {
            self.drain_until = Some(Instant::now() + self.config.drain);
        }
        loop {
            let flow = match self.stage {
                Stage::Header(version) => self.read_header(version, session, below),
                Stage::Handshake => self.handshake(session, below),
                Stage::Open => self.serve(session, below, stopping),
                Stage::Closing => self.close(session, below),
            };
            if let ControlFlow::Break(next) = flow {
                return next;
            }
        }
    }

    fn read_header(
        &mut self,
        version: ProxyVersion,
        session: &mut Session<'_>,
        below: &mut dyn Transport,
    ) -> ControlFlow<Next> {
        match self.raw.fill(below) {
            Ok(0) => return ended(session, "closed by the peer before its PROXY header"),
            Ok(_) => self.received = true,
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                return ControlFlow::Continue(());
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                return self.wait(session, below, false);
            }
            Err(error) => return failed(session, &error),
        }
        let mut parsed = proxy::parse(self.raw.unused(), version);
        if let Some(header_read) = self.config.hooks().layers.header_read {
            parsed = header_read(parsed);
        }
        match parsed {
            Parsed::Incomplete => {}
            Parsed::Header(header) => {
                self.raw.consume(header.length);
                if let Some(source) = header.source {
                    session.set_peer(source);
                }
                self.stage = after_header(self.config);
                session.open();
            }
            Parsed::Malformed => self.refuse(session, "no valid PROXY header"),
        }
        ControlFlow::Continue(())
    }

    fn handshake(
        &mut self,
        session: &mut Session<'_>,
        below: &mut dyn Transport,
    ) -> ControlFlow<Next> {
        let Some(tls) = &mut self.tls else {
            return self.begin_tls(session);
        };
        let result = match tls.flush(below) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ if !tls.connection().is_handshaking() => {
                note_handshake(session, tls.connection());
                session.open();
                self.stage = Stage::Open;
                return ControlFlow::Continue(());
            }
            _ => tls.receive(&mut self.raw, below),
        };
        match result {
            Ok(0) => ended(session, "closed by the peer during the handshake"),
            Ok(_) => {
                self.received = true;
                ControlFlow::Continue(())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => ControlFlow::Continue(()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let write = tls.has_outgoing();
                self.wait(session, below, write)
            }
            Err(error) if tls.has_failed() => {
                self.refuse(session, &error);
                ControlFlow::Continue(())
            }
            Err(error) => failed(session, &error),
        }
    }

    fn begin_tls(&mut self, session: &Session<'_>) -> ControlFlow<Next> {
        let Some(settings) = &self.config.tls else {
            return ended(session, "closed because there is no certificate");
        };
        match TlsStream::new(settings.config(), self.config.hooks().layers) {
            Ok(tls) => {
                self.tls = Some(tls);
                ControlFlow::Continue(())
            }
            Err(error) => failed(session, &io::Error::other(error)),
        }
    }

    /// Lets the session end the connection, which sends the alert if there is one, and lingers so that
    /// no reset overtakes it.
    fn refuse(&mut self, session: &mut Session<'_>, why: impl Display) {
        tracing::info!(peer = %session.peer, %why, "refused");
        session.end();
        self.is_refused = true;
        self.stage = Stage::Open;
    }

    fn serve(
        &mut self,
        session: &mut Session<'_>,
        below: &mut dyn Transport,
        stopping: bool,
    ) -> ControlFlow<Next> {
        if let Some(tls) = &mut self.tls
            && matches!(tls.flush(below), Ok(1..))
        {
            session.note_progress();
        }
        let mut layered = Layered {
            raw: &mut self.raw,
            tls: self.tls.as_mut(),
            below,
        };
        match session.step(&mut layered, stopping) {
            Next::Wait(_) if session.awaits_tls() => {
                // Whatever the peer has sent since is not part of the handshake.
                self.raw.clear();
                self.deadline = Instant::now() + self.config.handshake_timeout;
                self.stage = Stage::Handshake;
                ControlFlow::Continue(())
            }
            Next::Wait(mut wait) => {
                wait.write |= self.tls.as_ref().is_some_and(TlsStream::has_outgoing);
                ControlFlow::Break(Next::Wait(wait))
            }
            Next::Done => self.session_ended(session),
        }
    }

    fn session_ended(&mut self, session: &mut Session<'_>) -> ControlFlow<Next> {
        match &mut self.tls {
            None => return ControlFlow::Break(Next::Done),
            Some(tls) if tls.has_failed() && !self.is_refused => {
                self.refuse(session, "a violation of TLS");
            }
            Some(tls) => {
                tls.finish();
                self.stage = Stage::Closing;
            }
        }
        ControlFlow::Continue(())
    }

    fn close(&mut self, session: &mut Session<'_>, below: &mut dyn Transport) -> ControlFlow<Next> {
        let Some(tls) = &mut self.tls else {
            return ControlFlow::Break(Next::Done);
        };
        if matches!(tls.flush(below), Ok(1..)) {
            session.note_progress();
        }
        let until = session.idle_until();
        let until = self.drain_until.map_or(until, |drain| until.min(drain));
        if !tls.has_outgoing() || Instant::now() >= until {
            return ControlFlow::Break(Next::Done);
        }
        ControlFlow::Break(Next::Wait(Wait {
            read: false,
            write: true,
            due: None,
            until,
        }))
    }

    /// Waits for the rest of the header or the handshake. A peer that has sent nothing is not waited
    /// for during a shutdown.
    fn wait(&self, session: &Session<'_>, below: &dyn Transport, write: bool) -> ControlFlow<Next> {
        let until = self
            .drain_until
            .map_or(self.deadline, |drain| drain.min(self.deadline));
        if Instant::now() >= until {
            return ended(
                session,
                "closed without a PROXY header or a TLS handshake in time",
            );
        }
        if self.drain_until.is_some() && !self.received && !below.has_unread() {
            return ended(session, "closed by the shutdown");
        }
        ControlFlow::Break(Next::Wait(Wait {
            read: true,
            write,
            due: None,
            until,
        }))
    }
}

/// The stage that follows the header of the PROXY protocol.
fn after_header(config: &Config) -> Stage {
    if config.tls.is_some() && !config.starttls {
        Stage::Handshake
    } else {
        Stage::Open
    }
}

fn note_handshake(session: &Session<'_>, connection: &ServerConnection) {
    let version = connection.protocol_version();
    let alpn = connection
        .alpn_protocol()
        .map(|name| Escaped::new(name, ALPN_BYTES_MAX).to_string());
    tracing::info!(peer = %session.peer, ?version, alpn, "TLS handshake");
}

fn ended(session: &Session<'_>, how: &'static str) -> ControlFlow<Next> {
    tracing::info!(peer = %session.peer, "{how}");
    ControlFlow::Break(Next::Done)
}

fn failed(session: &Session<'_>, error: &io::Error) -> ControlFlow<Next> {
    tracing::info!(peer = %session.peer, %error, "the connection failed");
    ControlFlow::Break(Next::Done)
}

/// The transport of a session, above the layers.
struct Layered<'a> {
    raw: &'a mut RawInput,
    tls: Option<&'a mut TlsStream>,
    below: &'a mut dyn Transport,
}

impl Transport for Layered<'_> {
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            Some(tls) => tls.read(self.raw, self.below, buffer),
            None => self.raw.read(self.below, buffer),
        }
    }

    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            Some(tls) => tls.write(self.below, bytes),
            None => self.below.try_write(bytes),
        }
    }

    fn try_finish(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.finish();
            if tls.has_outgoing() {
                tls.flush(self.below)?;
            }
            if tls.has_outgoing() {
                return Err(ErrorKind::WouldBlock.into());
            }
        }
        self.below.try_finish()
    }

    fn has_unread(&self) -> bool {
        !self.raw.is_empty() || self.below.has_unread()
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.below.descriptor()
    }
}
