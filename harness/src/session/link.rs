//! The connection below a session: a socket, and the TLS layer if the file asks for one.
//!
//! Over TLS every write makes records of its own. They count as sent once they are encrypted, and those that the kernel
//! does not accept at once wait for the next call.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

use tokio::io::Interest;
use tokio::net::{TcpSocket, TcpStream, UnixStream};

use super::blocking::{BlockingLink, BlockingSocket};
use crate::transport::tls::RECORD_BYTES_MAX;
use crate::transport::{Address, Endpoint, TlsChannel, TlsError};

/// Number of bytes requested per read.
const READ_BYTES: usize = 64 * 1024;

/// The connection below a session.
pub(crate) struct Link {
    socket: Socket,
    tls: Option<TlsChannel>,
    /// Bytes for the socket that the kernel has not accepted yet.
    pending: Vec<u8>,
    /// Whether what is pending waits for the next bytes, to be sent together with them.
    holds: bool,
    /// Number of bytes that the kernel has accepted.
    sent: u64,
    /// Received bytes that are still encrypted.
    encrypted: Vec<u8>,
    /// The server has sent close_notify.
    closed_by_alert: bool,
}

enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Link {
    /// Connects, with `TCP_NODELAY` set before anything is sent, and sends the prologue of the endpoint, if given. A TLS
    /// handshake comes next.
    pub(super) async fn connect(
        address: &Address,
        prologue: Option<&Endpoint>,
        receive_buffer: Option<u32>,
    ) -> io::Result<Self> {
        let socket = match address {
            Address::Tcp(addr) => Socket::Tcp(connect_tcp(*addr, receive_buffer).await?),
            Address::Unix(path) => Socket::Unix(UnixStream::connect(path).await?),
        };
        let mut link = Self {
            socket,
            tls: None,
            pending: Vec::new(),
            holds: false,
            sent: 0,
            encrypted: Vec::new(),
            closed_by_alert: false,
        };
        if let Some(endpoint) = prologue {
            link.pending = endpoint.prologue(link.local());
            link.flush().await?;
        }
        Ok(link)
    }

    /// The client's address; `None` over a Unix socket.
    pub(super) fn local(&self) -> Option<SocketAddr> {
        match &self.socket {
            Socket::Tcp(stream) => stream.local_addr().ok(),
            Socket::Unix(_) => None,
        }
    }

    /// Number of bytes that the kernel has accepted, encrypted or not.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Corrects the number of bytes sent, after a program has used the socket.
    pub(super) fn set_sent(&mut self, sent: u64) {
        self.sent = sent;
    }

    /// The same connection for blocking calls.
    pub(super) fn into_blocking(self) -> io::Result<BlockingLink> {
        let socket = match self.socket {
            Socket::Tcp(stream) => BlockingSocket::Tcp(stream.into_std()?),
            Socket::Unix(stream) => BlockingSocket::Unix(stream.into_std()?),
        };
        BlockingLink::new(socket, self.tls)
    }

    pub(super) fn was_closed_by_alert(&self) -> bool {
        self.closed_by_alert
    }

    pub(super) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Performs the TLS handshake. From now on everything is encrypted.
    pub(super) async fn handshake(&mut self, mut tls: TlsChannel) -> io::Result<()> {
        tls.take(&mut self.pending);
        self.tls = Some(tls);
        loop {
            self.flush().await?;
            if !self.tls.as_ref().is_some_and(TlsChannel::is_handshaking) {
                return Ok(());
            }
            if self.receive().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Sends the start of `bytes`, and returns how many of them.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            if !self.holds {
                self.flush().await?;
            }
            if let Some(count) = would_block(self.try_write(bytes))? {
                return Ok(count);
            }
            self.ready(Interest::WRITABLE).await?;
        }
    }

    /// As [`Link::write`], without waiting.
    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if std::mem::take(&mut self.holds) && self.tls.is_none() {
            self.pending.extend_from_slice(bytes);
            would_block(self.try_flush())?;
            return Ok(bytes.len());
        }
        self.try_flush()?;
        if let Some(tls) = &mut self.tls {
            let piece = &bytes[..bytes.len().min(RECORD_BYTES_MAX)];
            tls.seal(piece, &mut self.pending);
            would_block(self.try_flush())?;
            return Ok(piece.len());
        }
        self.try_write_socket(bytes)
    }

    /// Keeps bytes that are sent together with the next ones.
    pub(super) fn hold(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        self.holds = true;
    }

    /// Sends bytes as they are, even on a connection with TLS.
    pub(super) async fn write_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.flush().await?;
        self.pending.extend_from_slice(bytes);
        self.flush().await
    }

    /// Encrypts `bytes`, without sending them: for [`Link::write_raw`]. Without TLS they stay as they are.
    pub(super) fn sealed(&mut self, bytes: &[u8]) -> Vec<u8> {
        match &mut self.tls {
            None => bytes.to_vec(),
            Some(tls) => tls.sealed(bytes),
        }
    }

    /// Sends everything that is pending.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        while would_block(self.try_flush())?.is_none() {
            self.ready(Interest::WRITABLE).await?;
        }
        Ok(())
    }

    fn try_flush(&mut self) -> io::Result<()> {
        while !self.pending.is_empty() {
            let pending = std::mem::take(&mut self.pending);
            let written = self.try_write_socket(&pending);
            self.pending = pending;
            self.pending.drain(..written?);
        }
        Ok(())
    }

    fn try_write_socket(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = match &self.socket {
            Socket::Tcp(stream) => stream.try_write(bytes)?,
            Socket::Unix(stream) => stream.try_write(bytes)?,
        };
        self.sent += count as u64;
        Ok(count)
    }

    /// Reads more into `buffer`. Returns 0 at the end of the stream: FIN, or close_notify.
    pub(super) async fn read(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        loop {
            if let Some(count) = would_block(self.try_read(buffer))? {
                return Ok(count);
            }
            let interest = if self.pending.is_empty() {
                Interest::READABLE
            } else {
                Interest::READABLE | Interest::WRITABLE
            };
            self.ready(interest).await?;
            would_block(self.try_flush())?;
        }
    }

    /// As [`Link::read`], without waiting.
    pub(crate) fn try_read(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        if self.tls.is_none() {
            buffer.reserve(READ_BYTES);
            return self.try_read_socket(buffer);
        }
        loop {
            if let Some(count) = self.decrypted(buffer) {
                return Ok(count);
            }
            if self.try_receive()? == 0 {
                return Ok(0);
            }
        }
    }

    /// Moves plain text that has arrived into `buffer`; `None` if there is none yet, 0 after close_notify.
    fn decrypted(&mut self, buffer: &mut Vec<u8>) -> Option<usize> {
        let tls = self.tls.as_mut()?;
        let from = buffer.len();
        buffer.resize(from + READ_BYTES, 0);
        let count = tls.read(&mut buffer[from..]);
        buffer.truncate(from + count.unwrap_or(0));
        match count {
            Some(0) => None,
            Some(count) => Some(count),
            None => {
                self.closed_by_alert = true;
                Some(0)
            }
        }
    }

    async fn receive(&mut self) -> io::Result<usize> {
        loop {
            if let Some(count) = would_block(self.try_receive())? {
                return Ok(count);
            }
            self.ready(Interest::READABLE).await?;
        }
    }

    /// Reads encrypted bytes once, and decrypts them. Returns 0 at the end of the stream.
    fn try_receive(&mut self) -> io::Result<usize> {
        let mut encrypted = std::mem::take(&mut self.encrypted);
        encrypted.clear();
        encrypted.reserve(READ_BYTES);
        let read = self.try_read_socket(&mut encrypted);
        let fed = self.tls.as_mut().map(|tls| {
            let fed = tls.feed(&encrypted);
            tls.take(&mut self.pending);
            fed
        });
        self.encrypted = encrypted;
        // The alert that is due tells the server why.
        would_block(self.try_flush()).ok();
        let count = read?;
        fed.unwrap_or(Ok(())).map_err(io::Error::other)?;
        Ok(count)
    }

    fn try_read_socket(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        match &self.socket {
            Socket::Tcp(stream) => stream.try_read_buf(buffer),
            Socket::Unix(stream) => stream.try_read_buf(buffer),
        }
    }

    /// Ends sending: close_notify over TLS, then FIN. If the server does not read, the FIN comes without the rest, as it
    /// must not wait.
    pub(super) fn shutdown(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            self.pending.extend(tls.close());
        }
        would_block(self.try_flush())?;
        rustix::net::shutdown(self.as_fd(), rustix::net::Shutdown::Write)?;
        Ok(())
    }

    /// Announces the end of the connection over TLS, as far as that is possible without waiting.
    pub(super) fn say_goodbye(&mut self) {
        if let Some(tls) = &mut self.tls {
            self.pending.extend(tls.close());
            // The server may be gone already.
            let _ = self.try_flush();
        }
    }

    /// Waits until the socket is ready.
    pub(super) async fn ready(&self, interest: Interest) -> io::Result<tokio::io::Ready> {
        match &self.socket {
            Socket::Tcp(stream) => stream.ready(interest).await,
            Socket::Unix(stream) => stream.ready(interest).await,
        }
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.socket {
            Socket::Tcp(stream) => stream.as_fd(),
            Socket::Unix(stream) => stream.as_fd(),
        }
    }
}

/// The size of a segment on the loopback interface, and on Ethernet, in bytes.
const LOOPBACK_SEGMENT: u32 = 65_483;
const ETHERNET_SEGMENT: u32 = 1_448;

async fn connect_tcp(addr: SocketAddr, receive_buffer: Option<u32>) -> io::Result<TcpStream> {
    let socket = match addr {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    socket.set_nodelay(true)?;
    if let Some(bytes) = receive_buffer {
        socket.set_recv_buffer_size(bytes)?;
        // Segments have to fit into it. The size of the server's send buffer follows that of segments.
        if bytes < LOOPBACK_SEGMENT {
            socket2::SockRef::from(&socket).set_tcp_mss(ETHERNET_SEGMENT)?;
        }
    }
    socket.connect(addr).await
}

/// `None` if the operation would block.
fn would_block<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// The failure of TLS inside an error of the link.
pub(super) fn tls_error(error: &io::Error) -> Option<&TlsError> {
    error.get_ref()?.downcast_ref()
}
