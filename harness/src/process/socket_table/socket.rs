//! The sockets of the table.

use std::net::SocketAddr;
use std::time::Duration;

use crate::sys::TcpInfo;

/// The state of a TCP socket, in the order of the kernel's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TcpState {
    /// Open in both directions.
    Established,
    /// SYN sent.
    SynSent,
    /// SYN received.
    SynRecv,
    /// This side has closed; its FIN is not yet acknowledged.
    FinWait1,
    /// This side has closed; the peer has not.
    FinWait2,
    /// Both sides have closed, this side first; waits for delayed segments.
    TimeWait,
    /// Closed.
    Close,
    /// The peer has closed; this side has not.
    CloseWait,
    /// This side has closed after the peer; its FIN is not yet acknowledged.
    LastAck,
    /// Listening.
    Listen,
    /// Both sides have closed at the same time.
    Closing,
    /// A connection request that has no socket yet.
    NewSynRecv,
}

impl TcpState {
    pub(crate) fn from_kernel(number: u8) -> Option<TcpState> {
        use TcpState as S;
        let all = [
            S::Established,
            S::SynSent,
            S::SynRecv,
            S::FinWait1,
            S::FinWait2,
            S::TimeWait,
            S::Close,
            S::CloseWait,
            S::LastAck,
            S::Listen,
            S::Closing,
            S::NewSynRecv,
        ];
        all.get(usize::from(number).checked_sub(1)?).copied()
    }
}

/// The running timer of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timer {
    /// Its purpose.
    pub kind: TimerKind,
    /// Time until it expires.
    pub expires: Duration,
    /// Number of times it has expired.
    pub retries: u8,
}

/// The purpose of a timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimerKind {
    /// Retransmits unacknowledged data.
    Retransmit,
    /// Sends the next keepalive probe (SO_KEEPALIVE).
    Keepalive,
    /// Ends TIME_WAIT.
    TimeWait,
    /// Probes a zero window.
    Probe,
    /// A number that tcprove does not know.
    Other,
}

/// A listening socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    /// The address it listens on.
    pub addr: SocketAddr,
    /// Maximum number of connections that wait to be accepted: the argument of listen(2), at most `somaxconn`.
    pub backlog: u32,
    /// Number of connections that wait to be accepted.
    pub queued: u32,
    /// Its inode, which identifies it in `/proc/PID/fd`.
    pub inode: u32,
    /// Whether an IPv6 socket accepts no IPv4 connections.
    pub v6_only: bool,
}

/// One end of a connection on this machine. Checks use the server's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerSocket {
    /// The address of this end.
    pub local: SocketAddr,
    /// The address of the other end.
    pub remote: SocketAddr,
    /// The state of the socket.
    pub state: TcpState,
    /// Number of received bytes that the program has not read.
    pub recv_q: u32,
    /// Number of written bytes that the other end has not acknowledged.
    pub send_q: u32,
    /// Its inode; 0 before the program has accepted it and after the program has closed it.
    pub inode: u32,
    /// The running timer, if any.
    pub timer: Option<Timer>,
    /// Size of the receive buffer in bytes. Linux doubles the value of SO_RCVBUF.
    pub rcvbuf: u32,
    /// Size of the send buffer in bytes, doubled likewise.
    pub sndbuf: u32,
    /// The kernel's statistics; all zero in TIME_WAIT.
    pub info: TcpInfo,
}

impl PeerSocket {
    /// Number of bytes received, read by the program or not.
    pub fn bytes_received(&self) -> u64 {
        self.info.bytes_received
    }

    /// Number of bytes sent and acknowledged.
    pub fn bytes_acked(&self) -> u64 {
        self.info.bytes_acked
    }

    /// Whether a program has accepted it and not closed it.
    pub fn is_held(&self) -> bool {
        self.inode != 0
    }

    /// Whether its program has closed it or shut it down, while the other end had not. The kernel sends a FIN only if the
    /// program had read everything; otherwise it sends a reset, and the socket is gone.
    pub fn has_sent_fin(&self) -> bool {
        matches!(
            self.state,
            TcpState::FinWait1 | TcpState::FinWait2 | TcpState::TimeWait
        )
    }
}
