//! One connection of a case.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{self, RecvFlags, SendFlags, SocketFlags, SocketType};

use super::observed::{ConnectionEnd, KEPT_BYTES_MAX, Received};
use super::rest::{Rest, Wait};
use crate::process::{Login, LoginCommand};
use crate::sys::tcp_info;
use crate::talk::Decoder;
use crate::transport::{Address, Endpoint, TlsChannel};

/// Maximum bytes to receive; after more the client resets the connection.
const RECEIVED_BYTES_MAX: u64 = 64 << 20;

/// Maximum bytes of a first send that surely fits into one segment, which leaves immediately.
const SEGMENT_BYTES_MIN: usize = 536;

/// Time limit of a program that logs in.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection, from its opening to its end.
#[derive(Debug)]
pub(super) struct Connection {
    /// `None` once it has ended.
    socket: Option<OwnedFd>,
    /// The client has sent its FIN, or can send no more.
    finished: bool,
    /// TCP_NODELAY is set.
    no_delay: bool,
    received: Received,
    /// Offset of the next reply in the kept bytes.
    next_reply: usize,
    /// Number of replies waited for.
    replies: usize,
    sent: u64,
    /// The TLS layer, if the file asks for one.
    tls: Option<TlsChannel>,
    /// Acknowledges at once, so that a server with Nagle's algorithm sends the rest of its reply.
    acknowledges: bool,
    /// Maximum time without anything from the server, and of each read.
    wait: Duration,
    look: Duration,
}

impl Connection {
    /// Connects within `wait`; no later read takes longer than `look`. A refusal is an observation, not an error.
    pub(super) fn open(
        endpoint: &Endpoint,
        wait: Duration,
        look: Duration,
        buffer: &mut [u8],
    ) -> io::Result<Self> {
        let family = match &endpoint.address {
            Address::Tcp(SocketAddr::V4(_)) => net::AddressFamily::INET,
            Address::Tcp(SocketAddr::V6(_)) => net::AddressFamily::INET6,
            Address::Unix(_) => net::AddressFamily::UNIX,
        };
        let socket = net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        sockopt::set_socket_timeout(&socket, Timeout::Recv, Some(look))?;
        let mut connection = Self {
            socket: Some(socket),
            finished: false,
            no_delay: family == net::AddressFamily::UNIX,
            received: Received {
                bytes: Vec::new(),
                length: 0,
                end: ConnectionEnd::StillOpen,
            },
            next_reply: 0,
            replies: 0,
            sent: 0,
            tls: None,
            acknowledges: false,
            wait,
            look,
        };
        connection.connect(&endpoint.address, wait)?;
        if !endpoint.transport.is_plain() {
            connection.prepare(endpoint, Instant::now() + wait, buffer)?;
        }
        Ok(connection)
    }

    /// Sends the PROXY header and performs the TLS handshake. A server that refuses it is an observation.
    fn prepare(
        &mut self,
        endpoint: &Endpoint,
        until: Instant,
        buffer: &mut [u8],
    ) -> io::Result<()> {
        let prologue = endpoint.prologue(self.local());
        self.send_raw(&prologue, buffer, until);
        let Some(tls) = endpoint.tls() else {
            return Ok(());
        };
        let mut tls = tls.map_err(io::Error::other)?;
        let hello = tls.due();
        self.tls = Some(tls);
        self.send_raw(&hello, buffer, until);
        while self.tls.as_ref().is_some_and(TlsChannel::is_handshaking) {
            if Instant::now() >= until || self.take(buffer, RecvFlags::empty()) == Took::End {
                self.reset();
                break;
            }
        }
        Ok(())
    }

    fn connect(&mut self, address: &Address, wait: Duration) -> io::Result<()> {
        let Some(socket) = &self.socket else {
            return Ok(());
        };
        // With a full accept queue, connect(2) would wait for retransmissions of its SYN.
        sockopt::set_socket_timeout(socket, Timeout::Send, Some(wait))?;
        let connected = match address {
            Address::Tcp(addr) => net::connect(socket, addr),
            Address::Unix(path) => net::connect(socket, &net::SocketAddrUnix::new(path)?),
        };
        match connected {
            Ok(()) => Ok(()),
            Err(Errno::CONNREFUSED | Errno::NOENT) => {
                self.ended(ConnectionEnd::Refused);
                Ok(())
            }
            Err(Errno::CONNRESET | Errno::TIMEDOUT | Errno::INPROGRESS | Errno::AGAIN) => {
                self.ended(ConnectionEnd::Reset);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Acknowledges from now on whatever arrives, without the usual delay.
    pub(super) fn acknowledge_at_once(&mut self) {
        self.acknowledges = true;
    }

    fn ended(&mut self, end: ConnectionEnd) {
        self.received.end = end;
        self.socket = None;
    }

    pub(super) fn into_received(self) -> Received {
        self.received
    }

    /// The address of the client.
    pub(super) fn local(&self) -> Option<SocketAddr> {
        let name = net::getsockname(self.socket.as_ref()?).ok()?;
        SocketAddr::try_from(name).ok()
    }

    /// Bytes that the kernel has accepted for sending.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Sends, and reads meanwhile in case the server blocks until its replies are read. Returns whether all bytes
    /// were accepted.
    pub(super) fn send(&mut self, bytes: &[u8], buffer: &mut [u8], until: Instant) -> bool {
        match &mut self.tls {
            None => self.send_raw(bytes, buffer, until),
            Some(tls) => {
                let records = tls.sealed(bytes);
                self.send_raw(&records, buffer, until)
            }
        }
    }

    fn send_raw(&mut self, bytes: &[u8], buffer: &mut [u8], until: Instant) -> bool {
        self.set_no_delay(bytes.len());
        let mut rest = bytes;
        while !rest.is_empty() && !self.finished {
            let Some(socket) = &self.socket else {
                return false;
            };
            match net::send(socket, rest, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(count) => {
                    self.sent += count as u64;
                    rest = &rest[count..];
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    if !self.wait_writable(buffer, until) {
                        return false;
                    }
                }
                // Replies that the server sent before it closed remain to be read.
                Err(_) => {
                    self.finished = true;
                    return false;
                }
            }
        }
        rest.is_empty()
    }

    /// Disables Nagle's algorithm where a send could wait for an earlier acknowledgement. Most cases send one short
    /// message per connection and save this system call.
    fn set_no_delay(&mut self, bytes: usize) {
        if let Some(socket) = &self.socket
            && !self.no_delay
            && (self.sent > 0 || bytes > SEGMENT_BYTES_MIN)
        {
            self.no_delay = true;
            // Fails if the connection was reset; the next call reports that.
            let _ = sockopt::set_tcp_nodelay(socket, true);
        }
    }

    /// Waits until the socket is writable and reads what arrives. Returns false once `until` has passed.
    fn wait_writable(&mut self, buffer: &mut [u8], until: Instant) -> bool {
        let Some(socket) = &self.socket else {
            return false;
        };
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(0),
            tv_nsec: left.subsec_nanos().into(),
        };
        let mut events = [PollFd::from_borrowed_fd(
            socket.as_fd(),
            PollFlags::IN | PollFlags::OUT,
        )];
        match poll(&mut events, Some(&timeout)) {
            Ok(0) => false,
            Ok(_) if events[0].revents().contains(PollFlags::IN) => {
                // The end of the stream also ends sending.
                self.take(buffer, RecvFlags::DONTWAIT) != Took::End
            }
            Ok(_) | Err(Errno::INTR) => true,
            Err(_) => false,
        }
    }

    /// Number of replies waited for.
    pub(super) fn replies(&self) -> usize {
        self.replies
    }

    /// Waits for one complete reply. Returns whether one came, or the connection ended.
    pub(super) fn receive(
        &mut self,
        mut decoder: Decoder,
        buffer: &mut [u8],
        until: Instant,
        mut wait: Wait<'_>,
    ) -> bool {
        self.replies += 1;
        loop {
            let reply = &self.received.bytes[self.next_reply.min(self.received.bytes.len())..];
            // A reply that ends with the stream is waited for, one without an end is not.
            let delimited = decoder.frame().has_end();
            match decoder.next(reply) {
                Ok(Some(length)) => {
                    self.next_reply += length;
                    return true;
                }
                Ok(None) if !delimited && !reply.is_empty() => {
                    self.next_reply = self.received.bytes.len();
                    return true;
                }
                Ok(None) => {}
                // Bytes that violate the frame have no end to wait for.
                Err(_) => {
                    self.next_reply = self.received.bytes.len();
                    return true;
                }
            }
            if Instant::now() >= until {
                return false;
            }
            match self.take(buffer, RecvFlags::empty()) {
                Took::Bytes => wait.begin_again(),
                Took::Nothing if wait.goes_on() => {}
                Took::Nothing => return false,
                Took::End => return true,
            }
        }
    }

    /// Reads once.
    fn take(&mut self, buffer: &mut [u8], flags: RecvFlags) -> Took {
        let Some(socket) = &self.socket else {
            return Took::End;
        };
        if self.acknowledges {
            // The kernel goes back to delays by itself. Fails on a Unix socket, which has none.
            let _ = sockopt::set_tcp_quickack(socket, true);
        }
        match net::recv(socket, &mut *buffer, flags) {
            Ok((_, 0)) => {
                self.ended(ConnectionEnd::Eof);
                Took::End
            }
            Ok((_, count)) if self.tls.is_some() => self.decrypt(count, buffer),
            Ok((_, count)) => self.keep(&buffer[..count]),
            Err(Errno::AGAIN) => Took::Nothing,
            Err(Errno::INTR) => Took::Bytes,
            Err(_) => {
                self.ended(ConnectionEnd::Reset);
                Took::End
            }
        }
    }

    /// Keeps received bytes of the conversation.
    fn keep(&mut self, bytes: &[u8]) -> Took {
        let room = KEPT_BYTES_MAX - self.received.bytes.len();
        let kept = &bytes[..bytes.len().min(room)];
        self.received.bytes.extend_from_slice(kept);
        self.received.length += bytes.len() as u64;
        if self.received.length > RECEIVED_BYTES_MAX {
            self.reset();
            return Took::End;
        }
        Took::Bytes
    }

    /// Decrypts the first `count` bytes of the buffer and keeps the plain text.
    fn decrypt(&mut self, count: usize, buffer: &mut [u8]) -> Took {
        let Some(mut tls) = self.tls.take() else {
            return Took::End;
        };
        let fed = tls.feed(&buffer[..count]);
        let answer = tls.due();
        if let (Some(socket), false) = (&self.socket, answer.is_empty()) {
            // If the server does not read, the next send reports that.
            let _ = net::send(socket, &answer, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
            self.sent += answer.len() as u64;
        }
        let mut took = Took::Bytes;
        while took == Took::Bytes {
            match tls.read(buffer) {
                Some(0) => break,
                Some(count) => took = self.keep(&buffer[..count]),
                None => {
                    self.ended(ConnectionEnd::Eof);
                    took = Took::End;
                }
            }
        }
        self.tls = Some(tls);
        if fed.is_err() {
            self.ended(ConnectionEnd::Reset);
            return Took::End;
        }
        took
    }

    /// Lets a program use the connection until it exits. That it fails is an observation, not an error.
    ///
    /// # Errors
    /// The program could not be started.
    pub(super) fn log_in(&mut self, command: &LoginCommand) -> io::Result<()> {
        let Some(socket) = &self.socket else {
            return Ok(());
        };
        // The program reads from the same socket, and may wait longer.
        sockopt::set_socket_timeout(socket, Timeout::Recv, Some(LOGIN_TIMEOUT))?;
        let login = Login::start(command.clone(), socket)?;
        match login.wait_blocking(LOGIN_TIMEOUT) {
            Err(failure) if failure.is_harness() => {
                return Err(io::Error::other(failure.to_string()));
            }
            _ => {}
        }
        sockopt::set_socket_timeout(socket, Timeout::Recv, Some(self.look))?;
        if let Ok(info) = tcp_info(socket) {
            self.sent = info.bytes_sent - info.bytes_retrans + u64::from(info.notsent);
        }
        Ok(())
    }

    /// Sends FIN, over TLS after close_notify.
    pub(super) fn half_close(&mut self) {
        if let Some(socket) = &self.socket
            && !std::mem::replace(&mut self.finished, true)
        {
            if let Some(tls) = &mut self.tls {
                let alert = tls.close();
                let _ = net::send(socket, &alert, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
            }
            // Fails if the server has reset the connection; the next read reports that.
            let _ = net::shutdown(socket, net::Shutdown::Write);
        }
    }

    /// Sends RST.
    pub(super) fn reset(&mut self) {
        if let Some(socket) = &self.socket {
            let _ = sockopt::set_socket_linger(socket, Some(Duration::ZERO));
            self.ended(ConnectionEnd::Ours);
        }
    }

    /// Closes without reading what is still to come.
    pub(super) fn close(&mut self) {
        if self.socket.is_some() {
            self.ended(ConnectionEnd::Ours);
        }
    }

    /// Sends FIN and reads until the server closes, rests or `until` has passed.
    pub(super) fn finish(&mut self, buffer: &mut [u8], until: Instant, rest: Option<&Rest>) {
        self.half_close();
        let mut wait = Wait::new(rest);
        let mut silent_until = until.min(Instant::now() + self.wait);
        while self.socket.is_some() {
            match self.take(buffer, RecvFlags::empty()) {
                Took::Bytes if Instant::now() < until => {
                    wait.begin_again();
                    silent_until = until.min(Instant::now() + self.wait);
                }
                Took::Nothing if Instant::now() < silent_until && wait.goes_on() => {}
                Took::Bytes | Took::Nothing => {
                    // A reset frees the connection on both sides.
                    self.reset();
                    self.received.end = ConnectionEnd::StillOpen;
                }
                Took::End => {}
            }
        }
    }
}

/// The result of one read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Took {
    Bytes,
    Nothing,
    End,
}
