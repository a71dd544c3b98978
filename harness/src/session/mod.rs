//! One client connection to the target.
//!
//! Every operation has a deadline. What the peer did (FIN, RST, silence, a short or a wrong reply)
//! is told apart by [`PeerError`]; what failed on our own side is [`PeerError::Harness`] and never
//! counts against the target.

mod error;
mod reply;
mod stream;
mod transcript;
mod voice;

pub use error::{OpeningError, PeerError};
pub use transcript::Transcript;
pub use voice::Voice;

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout_at};

use crate::process::Server;
use crate::talk::Turn;
use crate::text::escape;

/// What came after a complete reply, where the talk says that the server closes then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// The connection is still open, as the talk expects.
    Open,
    /// The server closed in order (FIN).
    Closed,
    /// The server reset the connection after its reply.
    Reset,
}

/// A reply that met its expectation.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The reply as it came, frame included.
    pub bytes: Vec<u8>,
    /// The state of the connection after it.
    pub after: After,
}

/// How a connection came to its end, as its client saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// FIN.
    Eof,
    /// RST.
    Reset,
    /// Neither within the limit.
    StillOpen,
}

/// What a flood of bytes came to (see [`Session::flood`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flood {
    /// Bytes that the kernel took from us.
    pub bytes: u64,
    /// How it ended: the server stopped reading, closed, or took everything.
    pub end: FloodEnd,
}

/// The end of a [`Flood`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloodEnd {
    /// All was sent.
    Sent,
    /// Nothing more was taken for the given pause: back-pressure.
    Blocked,
    /// The server closed or reset the connection.
    Closed,
}

/// One client connection.
pub struct Session {
    stream: TcpStream,
    server: Rc<Server>,
    voice: Voice,
    local: SocketAddr,
    number: u32,
    limit: Duration,
    transcript: Transcript,
    sent: u64,
    received: u64,
    buffer: Vec<u8>,
    eof: bool,
    owed: Vec<u8>,
}

/// What a new connection is made with.
pub struct Dial {
    /// The server whose end of the connection is looked at in the socket table.
    pub server: Rc<Server>,
    /// What is said.
    pub voice: Voice,
    /// Where the steps are kept.
    pub transcript: Transcript,
    /// How long any one operation may take.
    pub limit: Duration,
    /// `SO_RCVBUF` in bytes, set before the connect: shrinking the buffer of an open connection makes
    /// it slow by a factor of a thousand (tcp(7) does not say so; measured). `None`: autotuned.
    pub receive_buffer: Option<u32>,
}

impl Session {
    /// Connects, with `TCP_NODELAY` set before anything is sent.
    pub async fn connect(dial: Dial) -> Result<Self, PeerError> {
        let Dial {
            server,
            voice,
            transcript,
            limit,
            receive_buffer,
        } = dial;
        let (number, addr) = (transcript.number(), server.addr());
        let socket = match addr {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }
        .map_err(PeerError::Harness)?;
        socket.set_nodelay(true).map_err(PeerError::Harness)?;
        if let Some(bytes) = receive_buffer {
            socket
                .set_recv_buffer_size(bytes)
                .map_err(PeerError::Harness)?;
        }
        let stream = match tokio::time::timeout(limit, socket.connect(addr)).await {
            Ok(connected) => connected.map_err(|error| PeerError::from_connect(error, addr))?,
            Err(_) => return Err(PeerError::ConnectTimedOut { addr, limit }),
        };
        let local = stream.local_addr().map_err(PeerError::Harness)?;
        transcript.add(
            number,
            format!("connect to {addr} from port {}", local.port()),
        );
        let (sent, received) = (0, 0);
        let (buffer, eof, owed) = (Vec::new(), false, Vec::new());
        Ok(Self {
            stream,
            server,
            voice,
            local,
            number,
            limit,
            transcript,
            sent,
            received,
            buffer,
            eof,
            owed,
        })
    }

    /// Our own address of this connection.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// The socket itself, for options and raw reads.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Bytes received so far, replies and all.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Bytes sent so far.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// What this session says: turns with fresh tokens, values captured on the way.
    pub fn voice(&mut self) -> &mut Voice {
        &mut self.voice
    }

    /// Another deadline for what follows.
    pub fn set_limit(&mut self, limit: Duration) {
        self.limit = limit;
    }

    /// The talk's plain turn, with a fresh token.
    pub fn turn(&mut self) -> Result<Turn, PeerError> {
        self.voice.turn()
    }

    /// A turn that carries `payload`; `None` where the talk has no such turn.
    pub fn payload_turn(&mut self, payload: &[u8]) -> Result<Option<Turn>, PeerError> {
        self.voice.payload_turn(payload)
    }

    /// Says what the talk says at the start of every connection: greeting, login.
    pub async fn opening(&mut self) -> Result<(), OpeningError> {
        for opening in self.voice.opening() {
            let turn = opening.render(&self.voice).map_err(|error| OpeningError {
                label: opening.label().to_owned(),
                sent: Vec::new(),
                error,
            })?;
            self.exchange_opening(&turn)
                .await
                .map_err(|error| OpeningError {
                    label: turn.label.clone(),
                    sent: turn.request.clone(),
                    error,
                })?;
        }
        Ok(())
    }

    async fn exchange_opening(&mut self, turn: &Turn) -> Result<(), PeerError> {
        if !turn.request.is_empty() {
            self.send(&turn.request).await?;
        }
        self.expect(turn).await?;
        Ok(())
    }

    /// Sends all of `bytes`. A reset met on the way is the peer's doing.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), PeerError> {
        self.transcript
            .add(self.number, format!("send {}", escape(bytes, 60)));
        let deadline = Instant::now() + self.limit;
        let mut rest = bytes;
        while !rest.is_empty() {
            match timeout_at(deadline, self.stream.write(rest)).await {
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
        Ok(())
    }

    /// Sends a turn's request and reads its reply.
    pub async fn exchange(&mut self, turn: &Turn) -> Result<Reply, PeerError> {
        self.send(&turn.request).await?;
        self.expect(turn).await
    }

    /// Waits until the server has read all that was sent on this connection: its kernel has
    /// received every byte and its receive queue is empty. This is the proof of a cut: what is sent
    /// next cannot arrive in the same `recv`.
    pub async fn until_read(&mut self) -> Result<(), PeerError> {
        let deadline = Instant::now() + self.limit;
        let mut round = 0_u32;
        loop {
            let Some(peer) = self.server.peer_socket(self.local) else {
                return Err(PeerError::Unproven(
                    "the server's end of the connection is not in this machine's socket table"
                        .into(),
                ));
            };
            if peer.bytes_received() >= self.sent && peer.recv_q == 0 {
                return Ok(());
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

    /// Sends FIN and keeps reading.
    pub async fn half_close(&mut self) -> Result<(), PeerError> {
        self.transcript.add(self.number, "half-close (FIN)".into());
        self.stream
            .shutdown()
            .await
            .map_err(|error| self.failed(error))
    }

    /// Closes in order.
    pub fn close(self) {
        self.transcript.add(self.number, "close".into());
    }

    /// Ends the connection with RST.
    pub fn reset(self) -> Result<(), PeerError> {
        self.transcript.add(self.number, "reset (RST)".into());
        socket2::SockRef::from(&self.stream)
            .set_linger(Some(Duration::ZERO))
            .map_err(PeerError::Harness)
    }

    fn failed(&self, error: io::Error) -> PeerError {
        PeerError::from_io(error, self.buffer.len(), &escape(&self.buffer, 200))
    }

    fn silent(&self) -> PeerError {
        PeerError::Silent {
            limit: self.limit,
            after: self.buffer.len(),
            got: escape(&self.buffer, 200),
        }
    }
}

/// Waits a little between two looks at the kernel's tables: short at first, as most things take
/// microseconds, then a millisecond.
pub(crate) async fn pause(round: u32) {
    match round {
        0..8 => tokio::task::yield_now().await,
        8..40 => std::thread::sleep(Duration::from_micros(30)),
        _ => tokio::time::sleep(Duration::from_millis(1)).await,
    }
}
