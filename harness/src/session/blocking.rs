//! A connection for a caller without an async runtime: `tcprove send`.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::net::sockopt::{self, Timeout};

use crate::transport::{Address, Endpoint, TlsChannel};

/// Number of bytes requested per read of encrypted bytes.
const READ_BYTES: usize = 16 * 1024;

/// A connection whose calls block.
pub(crate) struct BlockingLink {
    socket: BlockingSocket,
    tls: Option<TlsChannel>,
}

/// What one read came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrived {
    /// So many bytes.
    Bytes(usize),
    /// Nothing in time.
    Nothing,
    /// The server closed the connection with a FIN.
    Fin,
    /// The server reset the connection.
    Reset,
    /// The connection failed otherwise.
    Broken,
}

/// The socket of a [`BlockingLink`].
pub(super) enum BlockingSocket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl BlockingLink {
    /// Connects, sends the PROXY header and performs the TLS handshake, each within `limit`.
    ///
    /// # Errors
    /// One of these failed.
    pub(crate) fn connect(endpoint: &Endpoint, limit: Duration) -> io::Result<Self> {
        let (socket, local) = match &endpoint.address {
            Address::Tcp(addr) => {
                let stream = TcpStream::connect_timeout(addr, limit)?;
                stream.set_nodelay(true)?;
                let local = stream.local_addr()?;
                (BlockingSocket::Tcp(stream), Some(local))
            }
            Address::Unix(path) => (BlockingSocket::Unix(UnixStream::connect(path)?), None),
        };
        let mut link = Self { socket, tls: None };
        link.set_read_timeout(limit)?;
        link.write_socket(&endpoint.prologue(local))?;
        if let Some(tls) = endpoint.tls() {
            link.handshake(tls.map_err(io::Error::other)?)?;
        }
        Ok(link)
    }

    /// A connection that is open already.
    pub(super) fn new(socket: BlockingSocket, tls: Option<TlsChannel>) -> io::Result<Self> {
        match &socket {
            BlockingSocket::Tcp(stream) => stream.set_nonblocking(false)?,
            BlockingSocket::Unix(stream) => stream.set_nonblocking(false)?,
        }
        Ok(Self { socket, tls })
    }

    fn handshake(&mut self, mut tls: TlsChannel) -> io::Result<()> {
        while tls.is_handshaking() {
            self.write_socket(&tls.due())?;
            let mut buffer = [0; READ_BYTES];
            match self.read_socket(&mut buffer)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => tls.feed(&buffer[..count]).map_err(io::Error::other)?,
            }
        }
        self.write_socket(&tls.due())?;
        self.tls = Some(tls);
        Ok(())
    }

    /// The address of this end; `None` for a Unix socket.
    pub(crate) fn local(&self) -> Option<std::net::SocketAddr> {
        match &self.socket {
            BlockingSocket::Tcp(stream) => stream.local_addr().ok(),
            BlockingSocket::Unix(_) => None,
        }
    }

    /// Sets how long a read waits.
    ///
    /// # Errors
    /// Those of setsockopt(2).
    pub(crate) fn set_read_timeout(&self, limit: Duration) -> io::Result<()> {
        Ok(sockopt::set_socket_timeout(
            self.as_fd(),
            Timeout::Recv,
            Some(limit),
        )?)
    }

    /// Reads once, for as long as until `deadline`.
    pub(crate) fn receive_until(&mut self, deadline: Instant, buffer: &mut [u8]) -> Arrived {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // A time limit of zero would mean none.
            let _ = self.set_read_timeout(left.max(Duration::from_millis(1)));
            return match self.receive(buffer) {
                Ok(0) => Arrived::Fin,
                Ok(count) => Arrived::Bytes(count),
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => continue,
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => Arrived::Nothing,
                    ErrorKind::ConnectionReset => Arrived::Reset,
                    _ => Arrived::Broken,
                },
            };
        }
    }

    /// Ends sending: close_notify over TLS, then FIN.
    ///
    /// # Errors
    /// The connection is broken.
    pub(crate) fn half_close(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            let alert = tls.close();
            self.write_socket(&alert)?;
        }
        Ok(rustix::net::shutdown(
            self.as_fd(),
            rustix::net::Shutdown::Write,
        )?)
    }

    /// Sends all of `bytes`.
    ///
    /// # Errors
    /// The connection is broken.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.tls {
            None => self.write_socket(bytes),
            Some(tls) => {
                let records = tls.sealed(bytes);
                self.write_socket(&records)
            }
        }
    }

    /// Reads once; 0 at the end of the stream.
    ///
    /// # Errors
    /// The connection is broken, or the read timed out.
    pub(crate) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(tls) = &mut self.tls else {
                return self.read_socket(buffer);
            };
            match tls.read(buffer) {
                None => return Ok(0),
                Some(0) => {}
                Some(count) => return Ok(count),
            }
            let mut encrypted = [0; READ_BYTES];
            let count = self.read_socket(&mut encrypted)?;
            let Some(tls) = self.tls.as_mut().filter(|_| count > 0) else {
                return Ok(0);
            };
            tls.feed(&encrypted[..count]).map_err(io::Error::other)?;
            let due = tls.due();
            self.write_socket(&due)?;
        }
    }

    fn read_socket(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.socket {
            BlockingSocket::Tcp(stream) => stream.read(buffer),
            BlockingSocket::Unix(stream) => stream.read(buffer),
        }
    }

    fn write_socket(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.socket {
            BlockingSocket::Tcp(stream) => stream.write_all(bytes),
            BlockingSocket::Unix(stream) => stream.write_all(bytes),
        }
    }
}

impl AsFd for BlockingLink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.socket {
            BlockingSocket::Tcp(stream) => stream.as_fd(),
            BlockingSocket::Unix(stream) => stream.as_fd(),
        }
    }
}
