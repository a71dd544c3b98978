//! One client connection to the server under test.
//!
//! Every operation has a time limit. [`PeerError`] tells apart what the server did (FIN, RST,
//! silence, a short or a wrong reply). [`PeerError::Harness`] is a failure on the client's side and
//! never counts against the server.

mod error;
mod opening;
mod reply;
mod socket;
mod stream;
mod transcript;
mod voice;

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

pub(crate) use error::{OpeningError, PeerError};
pub(crate) use socket::{send_oob, set_quickack};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout_at};
pub(crate) use transcript::Transcript;
pub(crate) use voice::Voice;

use crate::process::Server;
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

/// One client connection.
pub(crate) struct Session {
    stream: TcpStream,
    server: Rc<Server>,
    voice: Voice,
    local: SocketAddr,
    number: u32,
    limit: Duration,
    transcript: Transcript,
    sent: u64,
    buffer: Vec<u8>,
    eof: bool,
    owed: Vec<u8>,
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
        Ok(Self {
            stream,
            server,
            voice,
            local,
            number,
            limit,
            transcript,
            sent: 0,
            buffer: Vec::new(),
            eof: false,
            owed: Vec::new(),
        })
    }

    /// The connection, and the bytes that were received and not consumed.
    pub(crate) fn into_parts(self) -> (TcpStream, Vec<u8>) {
        (self.stream, self.buffer)
    }

    /// The client's address.
    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// The socket, for options and raw reads.
    pub(crate) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Number of bytes sent so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
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
    pub(crate) async fn until_read(&mut self) -> Result<(), PeerError> {
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

    /// Sends a FIN and keeps reading.
    pub(crate) async fn half_close(&mut self) -> Result<(), PeerError> {
        self.transcript.add(self.number, "half-close (FIN)".into());
        self.stream
            .shutdown()
            .await
            .map_err(|error| self.failed(error))
    }

    /// Closes the connection.
    pub(crate) fn close(self) {
        self.transcript.add(self.number, "close".into());
    }

    /// Ends the connection with an RST.
    pub(crate) fn reset(self) -> Result<(), PeerError> {
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

/// Pauses between two polls of the kernel's tables: briefly at first, as most events take
/// microseconds, later for a millisecond.
pub(crate) async fn pause(round: u32) {
    match round {
        0..8 => tokio::task::yield_now().await,
        8..40 => std::thread::sleep(Duration::from_micros(30)),
        _ => tokio::time::sleep(Duration::from_millis(1)).await,
    }
}
