//! One connection of a case.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{self, RecvFlags, SendFlags, SocketFlags, SocketType};

use super::{Answer, End, KEPT_BYTES_MAX};
use crate::talk::Decoder;

/// A server that never stops talking is left after so many bytes.
const RECEIVED_BYTES_MAX: u64 = 64 << 20;

/// What fits into one segment on every path leaves at once if it is the first that is sent.
const SEGMENT_BYTES_MIN: usize = 536;

/// A connection, from its opening to its end.
#[derive(Debug)]
pub(super) struct Connection {
    /// `None` once it has ended.
    socket: Option<OwnedFd>,
    /// Our FIN is sent.
    finished: bool,
    /// What is sent leaves at once, whatever is still under way.
    at_once: bool,
    answer: Answer,
    /// Where in the kept bytes the reply begins that is next.
    next_reply: usize,
    sent: u64,
}

impl Connection {
    /// Connects. A refusal is the server's doing and no error.
    pub(super) fn open(addr: SocketAddr, wait: Duration) -> io::Result<Self> {
        let family = match addr {
            SocketAddr::V4(_) => net::AddressFamily::INET,
            SocketAddr::V6(_) => net::AddressFamily::INET6,
        };
        let socket = net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        sockopt::set_socket_timeout(&socket, Timeout::Recv, Some(wait))?;
        let mut connection = Self {
            socket: Some(socket),
            finished: false,
            at_once: false,
            answer: Answer {
                bytes: Vec::new(),
                received: 0,
                end: End::StillOpen,
            },
            next_reply: 0,
            sent: 0,
        };
        connection.connect(addr, wait)?;
        Ok(connection)
    }

    fn connect(&mut self, addr: SocketAddr, wait: Duration) -> io::Result<()> {
        let Some(socket) = &self.socket else {
            return Ok(());
        };
        // A full accept queue would have connect(2) wait for retransmissions of its SYN.
        sockopt::set_socket_timeout(socket, Timeout::Send, Some(wait))?;
        match net::connect(socket, &addr) {
            Ok(()) => Ok(()),
            Err(Errno::CONNREFUSED) => {
                self.ended(End::Refused);
                Ok(())
            }
            Err(Errno::CONNRESET | Errno::TIMEDOUT | Errno::INPROGRESS | Errno::AGAIN) => {
                self.ended(End::Reset);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn ended(&mut self, end: End) {
        self.answer.end = end;
        self.socket = None;
    }

    pub(super) fn into_answer(self) -> Answer {
        self.answer
    }

    /// Our own address.
    pub(super) fn local(&self) -> Option<SocketAddr> {
        let name = net::getsockname(self.socket.as_ref()?).ok()?;
        SocketAddr::try_from(name).ok()
    }

    /// Bytes that the kernel took from us.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Sends, and reads meanwhile where the server wants to be read first. False if it was not taken whole.
    pub(super) fn send(&mut self, bytes: &[u8], buffer: &mut [u8], until: Instant) -> bool {
        self.send_at_once(bytes.len());
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
                    if !self.until_movable(buffer, until) {
                        return false;
                    }
                }
                // What the server said before it closed is still to be read.
                Err(_) => {
                    self.finished = true;
                    return false;
                }
            }
        }
        rest.is_empty()
    }

    /// Sees to it that nothing waits for an acknowledgement of what was sent before it. Most cases send one
    /// short message on a connection and are spared the system call.
    fn send_at_once(&mut self, bytes: usize) {
        if let Some(socket) = &self.socket
            && !self.at_once
            && (self.sent > 0 || bytes > SEGMENT_BYTES_MIN)
        {
            self.at_once = true;
            // It fails where the connection is reset, which the next call tells.
            let _ = sockopt::set_tcp_nodelay(socket, true);
        }
    }

    /// Waits until something can be sent, and takes what comes. False when the time is over.
    fn until_movable(&mut self, buffer: &mut [u8], until: Instant) -> bool {
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
                // Its end, seen here, ends the sending too.
                self.take(buffer, RecvFlags::DONTWAIT) != Took::End
            }
            Ok(_) | Err(Errno::INTR) => true,
            Err(_) => false,
        }
    }

    /// Waits for one whole reply.
    pub(super) fn receive(&mut self, mut decoder: Decoder, buffer: &mut [u8], until: Instant) {
        loop {
            let reply = &self.answer.bytes[self.next_reply.min(self.answer.bytes.len())..];
            let delimited = decoder.frame().is_delimited();
            match decoder.next(reply) {
                Ok(Some(length)) => {
                    self.next_reply += length;
                    return;
                }
                Ok(None) if !delimited && !reply.is_empty() => {
                    self.next_reply = self.answer.bytes.len();
                    return;
                }
                Ok(None) => {}
                // What is no message of the talk has no end that we could wait for.
                Err(_) => {
                    self.next_reply = self.answer.bytes.len();
                    return;
                }
            }
            if Instant::now() >= until || self.take(buffer, RecvFlags::empty()) != Took::Bytes {
                return;
            }
        }
    }

    /// One read.
    fn take(&mut self, buffer: &mut [u8], flags: RecvFlags) -> Took {
        let Some(socket) = &self.socket else {
            return Took::End;
        };
        match net::recv(socket, &mut *buffer, flags) {
            Ok((_, 0)) => {
                self.ended(End::Eof);
                Took::End
            }
            Ok((_, count)) => {
                let room = KEPT_BYTES_MAX - self.answer.bytes.len();
                self.answer
                    .bytes
                    .extend_from_slice(&buffer[..count.min(room)]);
                self.answer.received += count as u64;
                if self.answer.received > RECEIVED_BYTES_MAX {
                    self.reset();
                    return Took::End;
                }
                Took::Bytes
            }
            Err(Errno::AGAIN) => Took::Nothing,
            Err(Errno::INTR) => Took::Bytes,
            Err(_) => {
                self.ended(End::Reset);
                Took::End
            }
        }
    }

    /// FIN.
    pub(super) fn half_close(&mut self) {
        if let Some(socket) = &self.socket
            && !std::mem::replace(&mut self.finished, true)
        {
            // It fails where the server has reset the connection, which the next read tells.
            let _ = net::shutdown(socket, net::Shutdown::Write);
        }
    }

    /// RST.
    pub(super) fn reset(&mut self) {
        if let Some(socket) = &self.socket {
            let _ = sockopt::set_socket_linger(socket, Some(Duration::ZERO));
            self.ended(End::Ours);
        }
    }

    /// Closes and looks no more.
    pub(super) fn close(&mut self) {
        if self.socket.is_some() {
            self.ended(End::Ours);
        }
    }

    /// FIN, and everything that still comes.
    pub(super) fn finish(&mut self, buffer: &mut [u8], until: Instant) {
        self.half_close();
        while self.socket.is_some() {
            match self.take(buffer, RecvFlags::empty()) {
                Took::Bytes if Instant::now() < until => {}
                Took::Bytes | Took::Nothing => {
                    // With a reset nothing of it stays behind on either side.
                    self.reset();
                    self.answer.end = End::StillOpen;
                }
                Took::End => {}
            }
        }
    }
}

/// What one read came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Took {
    Bytes,
    Nothing,
    End,
}
