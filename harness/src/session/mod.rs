//! One client connection to the server under test.
//!
//! Every operation has a time limit. [`PeerError`] tells apart what the server did (FIN, RST,
//! silence, a short or a wrong reply). [`PeerError::Harness`] is a failure on the client's side and
//! never counts against the server.

mod answers;
mod blocking;
mod error;
mod link;
mod opening;
mod reply;
mod secure;
mod socket;
mod stream;
mod transcript;
mod voice;

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use answers::Answers;
pub(crate) use blocking::{Arrived, BlockingLink};
pub(crate) use error::{OpeningError, PeerError};
pub(crate) use link::Link;
pub(crate) use socket::{recv_byte, send_oob, set_quickack};
use tokio::time::{Instant, timeout_at};
pub(crate) use transcript::Transcript;
pub(crate) use voice::Voice;

use crate::data::Actor;
use crate::process::{PeerSocket, Server, TcpState};
use crate::sys::{tcp_info, unsent_bytes};
use crate::talk::Turn;
use crate::text::escape;

/// What followed a complete reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// The connection is still open, as the talk expects.
    Open,
    /// The server closed the connection with a FIN.
    Closed,
    /// The server reset the connection after its reply.
    Reset,
}

/// A reply that met its expectation.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// The reply, including its frame.
    pub bytes: Vec<u8>,
    /// What followed the reply.
    pub after: After,
}

/// How a connection ended, as seen by the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionEnd {
    /// FIN.
    Eof,
    /// RST.
    Reset,
    /// Neither within the time limit.
    StillOpen,
}

/// The result of [`Session::flood`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flood {
    /// Number of bytes accepted by the kernel.
    pub bytes: u64,
    pub end: FloodEnd,
}

/// How a [`Flood`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FloodEnd {
    /// Everything was sent.
    Sent,
    /// The server stopped reading: backpressure.
    Blocked,
    /// The server closed or reset the connection.
    Closed,
}

/// Time for a FIN or a reset to arrive at the client's end once the server's end is gone.
const END_ARRIVES: Duration = Duration::from_millis(100);

/// One client connection.
pub(crate) struct Session {
    link: Link,
    server: Rc<Server>,
    voice: Voice,
    local: Option<SocketAddr>,
    number: u32,
    limit: Duration,
    transcript: Transcript,
    sent: u64,
    buffer: Vec<u8>,
    eof: bool,
    owed: Vec<u8>,
    /// Whether everything is sent as it is: without PROXY header and TLS.
    bare: bool,
    /// The client closes its side once nothing is owed.
    finishing: bool,
    /// The client has closed its side.
    finished: bool,
    answers: Answers,
}

/// What a new session needs.
pub(crate) struct Dial {
    /// The server to connect to; its end of the connection is looked up in the socket table.
    pub server: Rc<Server>,
    /// Renders the session's requests.
    pub voice: Voice,
    /// Records the session's steps.
    pub transcript: Transcript,
    /// Time limit of each operation.
    pub limit: Duration,
    /// `SO_RCVBUF` in bytes, set before the connect: shrinking the buffer of an open connection
    /// makes it slower by a factor of a thousand (measured; not mentioned in tcp(7)). `None`:
    /// autotuned.
    pub receive_buffer: Option<u32>,
    /// Leave out the PROXY header and TLS, so that a check can send what it wants in their place.
    pub bare: bool,
}

impl Session {
    /// Connects, with `TCP_NODELAY` set before anything is sent.
    pub(crate) async fn connect(dial: Dial) -> Result<Self, PeerError> {
        let Dial {
            server,
            voice,
            transcript,
            limit,
            receive_buffer,
            bare,
        } = dial;
        let number = transcript.number();
        let address = &server.endpoint().address;
        let prologue = (!bare).then(|| server.endpoint());
        let connecting = Link::connect(address, prologue, receive_buffer);
        let link = match tokio::time::timeout(limit, connecting).await {
            Ok(connected) => connected.map_err(|error| PeerError::from_connect(error, address)),
            Err(_) => Err(PeerError::ConnectTimedOut {
                address: address.clone(),
                limit,
            }),
        };
        let link = link.inspect_err(|error| {
            transcript.add(number, Actor::Check, error.to_string());
        })?;
        let local = link.local();
        let from = local.map_or(String::new(), |local| {
            format!(" from port {}", local.port())
        });
        transcript.add(number, Actor::Client, format!("connect to {address}{from}"));
        Ok(Self {
            link,
            server,
            answers: Answers::new(voice.talk()),
            voice: voice.for_connection(),
            local,
            number,
            limit,
            transcript,
            sent: 0,
            buffer: Vec::new(),
            eof: false,
            owed: Vec::new(),
            bare,
            finishing: false,
            finished: false,
        })
    }

    /// The connection for blocking calls, and the bytes that were received and not consumed.
    pub(crate) fn into_parts(self) -> io::Result<(BlockingLink, Vec<u8>)> {
        Ok((self.link.into_blocking()?, self.buffer))
    }

    /// The client's address; `None` over a Unix socket.
    pub(crate) fn local(&self) -> Option<SocketAddr> {
        self.local
    }

    /// The connection below, for socket options and reads and writes that do not wait.
    pub(crate) fn link(&mut self) -> &mut Link {
        &mut self.link
    }

    /// Number of bytes of the conversation sent so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Whether everything sent has arrived at this end of the connection.
    pub(crate) fn has_arrived(&self, peer: &PeerSocket) -> bool {
        peer.bytes_received() >= self.link.sent()
    }

    /// Whether this end knows of the end of the connection: a FIN or RST has arrived, or the kernel has given up. `true`
    /// also over a Unix socket, whose state the kernel does not tell.
    pub(crate) fn knows_its_end(&self) -> bool {
        self.state() != Some(TcpState::Established)
    }

    /// Whether the server has ended the connection: a FIN or RST has arrived. `false` also over a Unix socket.
    pub(crate) fn was_ended_by_server(&self) -> bool {
        self.state()
            .is_some_and(|state| state != TcpState::Established)
    }

    /// The state of this end, as the kernel tells it; not over a Unix socket.
    fn state(&self) -> Option<TcpState> {
        TcpState::from_kernel(tcp_info(&self.link).ok()?.state)
    }

    /// Renders turns with fresh tokens and the values captured in this session.
    pub(crate) fn voice(&mut self) -> &mut Voice {
        &mut self.voice
    }

    /// Changes the time limit of later operations.
    pub(crate) fn set_limit(&mut self, limit: Duration) {
        self.limit = limit;
    }

    /// The talk's plain turn, with a fresh token.
    pub(crate) fn turn(&mut self) -> Result<Turn, PeerError> {
        self.voice.turn()
    }

    /// A turn that carries `payload`; `None` if the talk has no such turn.
    pub(crate) fn payload_turn(&mut self, payload: &[u8]) -> Result<Option<Turn>, PeerError> {
        self.voice.payload_turn(payload)
    }

    /// Sends all of `bytes`. A reset is attributed to the server.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), PeerError> {
        self.secure_first().await?;
        self.step(Actor::Client, format!("send {}", escape(bytes, 60)));
        let deadline = Instant::now() + self.limit;
        self.write(bytes, deadline).await?;
        self.answers.sent(bytes);
        self.answer(deadline).await
    }

    async fn write(&mut self, bytes: &[u8], deadline: Instant) -> Result<(), PeerError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match timeout_at(deadline, self.link.write(rest)).await {
                Ok(Ok(count)) => {
                    self.sent += count as u64;
                    rest = &rest[count..];
                }
                Ok(Err(error)) => return Err(self.failed(error)),
                Err(_) => {
                    return Err(PeerError::NotTaken {
                        sent: bytes.len() - rest.len(),
                        of: bytes.len(),
                        limit: self.limit,
                    });
                }
            }
        }
        // Over TLS the last bytes may be encrypted and not sent yet.
        match timeout_at(deadline, self.link.flush()).await {
            Ok(flushed) => flushed.map_err(|error| self.failed(error)),
            Err(_) => Err(PeerError::NotTaken {
                sent: 0,
                of: bytes.len(),
                limit: self.limit,
            }),
        }
    }

    /// Sends a turn's request, unless the server speaks first, and reads its reply.
    pub(crate) async fn exchange(&mut self, turn: &Turn) -> Result<Reply, PeerError> {
        if !turn.request.is_empty() {
            self.send(&turn.request).await?;
        }
        self.expect(turn).await
    }

    /// Waits until the server has read everything sent on this connection: its kernel has received
    /// every byte, and its receive queue is empty. This proves a cut: what is sent next cannot
    /// arrive in the same `recv`.
    ///
    /// # Errors
    /// Also if the server has ended the connection.
    pub(crate) async fn until_read(&mut self) -> Result<(), PeerError> {
        match self.until_read_or_gone().await {
            // The kernel has no socket any more once the server has closed it with bytes that it had not read.
            Err(gone @ PeerError::Unproven(_)) => {
                let arrives = Instant::now() + END_ARRIVES;
                while !self.eof {
                    match self.fill(arrives).await {
                        Ok(()) => {}
                        Err(PeerError::Silent { .. }) => return Err(gone),
                        Err(ended) => return Err(ended),
                    }
                }
                Err(PeerError::Eof {
                    after: self.buffer.len(),
                    got: escape(&self.buffer, 200),
                })
            }
            other => other,
        }
    }

    /// Like [`Session::until_read`], for a server that may end the connection.
    async fn until_read_or_gone(&mut self) -> Result<(), PeerError> {
        let deadline = Instant::now() + self.limit;
        let mut round = 0_u32;
        if self.local.is_none() {
            return self.until_taken(deadline).await;
        }
        loop {
            let Some(peer) = self.server.peer_socket(self.local) else {
                return Err(PeerError::Unproven(
                    "the server's end of the connection is not in this machine's socket table"
                        .into(),
                ));
            };
            if self.has_arrived(&peer) && peer.recv_q == 0 {
                return Ok(());
            }
            // The kernel keeps no byte counts of a connection that the server has closed.
            if peer.has_sent_fin() && !peer.is_held() {
                return Err(PeerError::Unproven(
                    "the server has closed its end of the connection".into(),
                ));
            }
            if Instant::now() >= deadline {
                return Err(PeerError::NotRead {
                    queued: peer.recv_q as usize,
                    limit: self.limit,
                });
            }
            pause(round).await;
            round += 1;
        }
    }

    /// [`Session::until_read`] over a Unix socket, whose send queue holds what the server has not read
    /// (unix(7), `SIOCOUTQ`).
    async fn until_taken(&mut self, deadline: Instant) -> Result<(), PeerError> {
        let mut round = 0_u32;
        loop {
            let queued = unsent_bytes(&self.link).map_err(PeerError::Harness)?;
            if queued == 0 {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(PeerError::NotRead {
                    queued: queued as usize,
                    limit: self.limit,
                });
            }
            pause(round).await;
            round += 1;
        }
    }

    /// Sends a FIN and keeps reading.
    pub(crate) async fn half_close(&mut self) -> Result<(), PeerError> {
        self.step(Actor::Client, "half-close (FIN)".into());
        self.finished = true;
        self.link.shutdown().map_err(|error| self.failed(error))
    }

    /// Closes the connection.
    pub(crate) fn close(mut self) {
        if !self.eof {
            self.link.say_goodbye();
        }
        self.step(Actor::Client, "close".into());
    }

    /// Closes the connection without close_notify, over TLS.
    pub(crate) fn leave(self) {
        self.step(Actor::Client, "close without close_notify".into());
    }

    /// Whether the end of the stream has been received.
    pub(crate) fn has_ended(&self) -> bool {
        self.eof
    }

    /// Whether the server has sent close_notify.
    pub(crate) fn was_closed_by_alert(&self) -> bool {
        self.link.was_closed_by_alert()
    }

    /// Ends the connection with an RST.
    pub(crate) fn reset(self) -> Result<(), PeerError> {
        self.step(Actor::Client, "reset (RST)".into());
        socket2::SockRef::from(&self.link)
            .set_linger(Some(Duration::ZERO))
            .map_err(PeerError::Harness)
    }

    /// Adds a step of this connection to the transcript.
    fn step(&self, by: Actor, what: String) {
        self.transcript.add(self.number, by, what);
    }

    fn failed(&self, error: io::Error) -> PeerError {
        let error = PeerError::from_io(error, self.buffer.len(), &escape(&self.buffer, 200));
        if matches!(error, PeerError::Reset { .. }) {
            self.step(Actor::Server, "reset (RST)".into());
        }
        error
    }

    fn silent(&self) -> PeerError {
        let waited = format!("no complete reply within {:?}", self.limit);
        self.step(Actor::Check, waited);
        PeerError::Silent {
            limit: self.limit,
            after: self.buffer.len(),
            got: escape(&self.buffer, 200),
        }
    }
}

/// Pauses between two polls of the kernel's tables: briefly at first, as most events take
/// microseconds, later for a millisecond.
pub(crate) async fn pause(round: u32) {
    match round {
        0..8 => tokio::task::yield_now().await,
        8..40 => std::thread::sleep(Duration::from_micros(30)),
        _ => tokio::time::sleep(Duration::from_millis(1)).await,
    }
}
