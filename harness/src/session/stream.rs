//! Raw operations below the level of replies: floods, draining, leftover bytes.

use std::io;
use std::time::Duration;

use tokio::io::Interest;
use tokio::time::{Instant, timeout_at};

use super::{ConnectionEnd, Flood, FloodEnd, PeerError, Session};
use crate::data::Actor;
use crate::sys::unsent_bytes;
use crate::text::escape;

/// Maximum size of a reply, in bytes.
const REPLY_BYTES_MAX: usize = 80 * 1024 * 1024;

impl Session {
    /// Sends `piece` repeatedly, up to `total` bytes, without reading. Ends early if the server
    /// reads nothing for `pause`, or closes.
    pub(crate) async fn flood(&mut self, piece: &[u8], total: u64, pause: Duration) -> Flood {
        self.announce_flood(piece, total);
        self.flood_from(piece, 0, total, pause).await
    }

    /// Adds the step of a flood, which may then take several calls of [`Self::flood_from`].
    pub(crate) fn announce_flood(&self, piece: &[u8], total: u64) {
        let what = format!("send {} repeatedly, up to {total} bytes", escape(piece, 40));
        self.step(Actor::Client, what);
    }

    /// Like [`Self::flood`], after this many bytes of the piece, which have been sent already: messages must not be cut off.
    pub(crate) async fn flood_from(
        &mut self,
        piece: &[u8],
        sent_already: usize,
        total: u64,
        pause: Duration,
    ) -> Flood {
        let mut bytes = 0;
        let mut offset = sent_already;
        if self.secure_first().await.is_err() {
            return Flood {
                bytes,
                end: FloodEnd::Closed,
            };
        }
        while bytes < total {
            match tokio::time::timeout(pause, self.link.write(&piece[offset..])).await {
                Ok(Ok(count)) => {
                    bytes += count as u64;
                    self.sent += count as u64;
                    offset = (offset + count) % piece.len();
                }
                Ok(Err(_)) => {
                    return Flood {
                        bytes,
                        end: FloodEnd::Closed,
                    };
                }
                Err(_) => {
                    return Flood {
                        bytes,
                        end: FloodEnd::Blocked,
                    };
                }
            }
        }
        Flood {
            bytes,
            end: FloodEnd::Sent,
        }
    }

    /// Queues bytes that are sent while replies are read. A client that sends everything before it
    /// reads would deadlock with a server that does the same.
    pub(crate) fn owe(&mut self, bytes: Vec<u8>) {
        self.answers.sent(&bytes);
        self.owed.extend(bytes);
    }

    async fn read_while_writing(&mut self) -> io::Result<usize> {
        loop {
            if self.owed.is_empty() {
                self.finish()?;
                return self.link.read(&mut self.buffer).await;
            }
            let either = Interest::READABLE | Interest::WRITABLE;
            let ready = self.link.ready(either).await?;
            if ready.is_writable() {
                match self.link.try_write(&self.owed) {
                    Ok(count) => {
                        self.sent += count as u64;
                        self.owed.drain(..count);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    // What has arrived before is still there; the error itself is reported once, to the write.
                    Err(error) => {
                        self.owed.clear();
                        return match self.link.read(&mut self.buffer).await {
                            Ok(0) => Err(error),
                            read => read,
                        };
                    }
                }
            }
            match self.link.try_read(&mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }

    /// Closes the client's side if it is due.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        match std::mem::take(&mut self.finishing) {
            true => {
                self.finished = true;
                self.link.shutdown()
            }
            false => Ok(()),
        }
    }

    /// Reads more into the buffer, or records the end of the stream.
    pub(super) async fn fill(&mut self, deadline: Instant) -> Result<(), PeerError> {
        if self.buffer.len() > REPLY_BYTES_MAX {
            return Err(PeerError::Endless {
                bytes: self.buffer.len(),
            });
        }
        match timeout_at(deadline, self.read_while_writing()).await {
            Ok(Ok(0)) => {
                self.step(Actor::Server, "received the end of the stream (FIN)".into());
                self.eof = true;
                Ok(())
            }
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.failed(error)),
            Err(_) => Err(self.silent()),
        }
    }

    /// Reads and discards everything until the connection ends or `limit` is over.
    pub(crate) async fn drained(&mut self, limit: Duration) -> ConnectionEnd {
        let deadline = Instant::now() + limit;
        while !self.eof {
            self.buffer.clear();
            match self.fill(deadline).await {
                Ok(()) => {}
                Err(PeerError::Reset { .. }) => return ConnectionEnd::Reset,
                Err(_) => return ConnectionEnd::StillOpen,
            }
        }
        ConnectionEnd::Eof
    }

    /// Whether this end still has bytes to deliver.
    pub(crate) fn has_undelivered(&self) -> bool {
        unsent_bytes(&self.link).is_ok_and(|bytes| bytes > 0)
    }

    /// Reads and discards what has arrived, so that the kernels of two ends go on that wait for each other: while the window of this
    /// one is closed, it drops segments with data, and with them the window updates of the other one (Linux `tcp_sequence`).
    pub(crate) fn make_room(&mut self) {
        let mut arrived = Vec::new();
        while matches!(self.link.try_read(&mut arrived), Ok(1..)) {}
        self.step(
            Actor::Client,
            format!("read {} bytes, so that the kernels go on", arrived.len()),
        );
    }

    /// Takes what has arrived by now, and keeps it for what is expected later, so that a server which replies while it reads can go
    /// on. At most about `bytes_max` bytes are kept.
    pub(crate) async fn take_arrived(&mut self, bytes_max: usize) {
        while !self.eof && self.buffer.len() < bytes_max {
            if self.fill(Instant::now()).await.is_err() {
                return;
            }
        }
    }

    /// Reads whatever arrives, without judging it: waits up to `first` for the first bytes and then until nothing
    /// arrives for `quiet`. Returns at most about `bytes_max` bytes, and how the connection ended.
    pub(crate) async fn hear(
        &mut self,
        first: Duration,
        quiet: Duration,
        bytes_max: usize,
    ) -> (Vec<u8>, ConnectionEnd) {
        let mut patience = first;
        while !self.eof && self.buffer.len() < bytes_max {
            match self.fill(Instant::now() + patience).await {
                Ok(()) => patience = quiet,
                Err(PeerError::Reset { .. }) => {
                    return (std::mem::take(&mut self.buffer), ConnectionEnd::Reset);
                }
                Err(_) => break,
            }
        }
        let end = if self.eof {
            ConnectionEnd::Eof
        } else {
            ConnectionEnd::StillOpen
        };
        (std::mem::take(&mut self.buffer), end)
    }

    /// Returns bytes received but not yet consumed, including those that arrive within `wait`.
    pub(crate) async fn leftover(&mut self, wait: Duration) -> Vec<u8> {
        let deadline = Instant::now() + wait;
        while !self.eof && self.fill(deadline).await.is_ok() {}
        std::mem::take(&mut self.buffer)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::TcpListener;
    use std::rc::Rc;
    use std::sync::Arc;
    use std::sync::mpsc;

    use super::*;
    use crate::process::Server;
    use crate::session::{Dial, Transcript, Voice};
    use crate::transport::{Address, Endpoint};

    /// Much more than the kernel's buffers hold.
    const OWED_BYTES: usize = 16 << 20;
    /// Number of connections: whether a write or a read meets the reset is a race.
    const ROUNDS: usize = 40;

    /// A server that closes while most of the request is unread resets the connection. The client notices, though it still has
    /// much to write.
    #[test]
    fn a_reset_ends_an_exchange_in_the_middle_of_a_request() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let served = std::thread::spawn(move || {
            for round in 0..ROUNDS {
                let (mut client, _) = listener.accept().unwrap();
                let mut some = vec![0; 1000 * (round + 1)];
                client.read_exact(&mut some).unwrap();
            }
        });
        let (done, ended) = mpsc::channel();
        std::thread::spawn(move || {
            let errors = crate::subject::block_on(async move {
                let mut errors = Vec::new();
                for _ in 0..ROUNDS {
                    errors.push(meets_the_reset(address).await);
                }
                errors
            });
            let _ = done.send(errors);
        });
        let errors = ended.recv_timeout(Duration::from_secs(30));
        let errors = errors.expect("every exchange ends");
        for error in errors {
            assert!(matches!(error, PeerError::Reset { .. }), "{error}");
        }
        served.join().unwrap();
    }

    async fn meets_the_reset(address: std::net::SocketAddr) -> PeerError {
        let talk = crate::file::builtin("line").unwrap().talk;
        let server = Server::attach(Endpoint::plain(Address::Tcp(address)), None).unwrap();
        let mut session = Session::connect(Dial {
            server: Rc::new(server),
            voice: Voice::new(Arc::new(talk), Default::default(), 1),
            transcript: Transcript::default(),
            limit: Duration::from_secs(5),
            receive_buffer: None,
            bare: false,
        })
        .await
        .unwrap();
        let turn = session.turn().unwrap();
        session.owe(vec![b'x'; OWED_BYTES]);
        session.expect(&turn).await.unwrap_err()
    }
}
