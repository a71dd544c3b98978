//! What is told of a socket.

use std::net::SocketAddr;
use std::time::Duration;

use crate::sys::TcpInfo;

/// States of a TCP connection, as the kernel numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TcpState {
    /// Data flows both ways.
    Established,
    /// SYN sent.
    SynSent,
    /// SYN received.
    SynRecv,
    /// We closed, not yet acknowledged.
    FinWait1,
    /// We closed, the peer has not.
    FinWait2,
    /// Closed by both, this side first; waits out stray segments.
    TimeWait,
    /// Gone.
    Close,
    /// The peer closed, the program here has not.
    CloseWait,
    /// The program here closed last; not yet acknowledged.
    LastAck,
    /// Waits for connections.
    Listen,
    /// Both closed at once.
    Closing,
    /// A connection request that is not a socket yet.
    NewSynRecv,
}

impl TcpState {
    pub(super) fn from_kernel(number: u8) -> Option<TcpState> {
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

/// A timer of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timer {
    /// What it is for.
    pub kind: TimerKind,
    /// How long until it goes off.
    pub expires: Duration,
    /// How often it has gone off.
    pub retries: u8,
}

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimerKind {
    /// Sends again what was not acknowledged.
    Retransmit,
    /// SO_KEEPALIVE is on and the connection is idle.
    Keepalive,
    /// The end of TIME_WAIT.
    TimeWait,
    /// Asks whether a closed window has opened.
    Probe,
    /// A kind this program does not know.
    Other,
}

/// A listening socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Connections that may wait to be accepted: the argument of listen(2), at most `somaxconn`.
    pub backlog: u32,
    /// Connections that wait to be accepted now.
    pub queued: u32,
    /// Its inode, by which processes hold it.
    pub inode: u32,
    /// On an IPv6 socket: takes no IPv4 connections.
    pub v6_only: bool,
}

/// One end of a connection on this machine; for checks the server's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerSocket {
    /// This end's address.
    pub local: SocketAddr,
    /// The other end's address.
    pub remote: SocketAddr,
    /// Its state.
    pub state: TcpState,
    /// Bytes received that its program has not read. Zero: it has read everything sent so far.
    pub recv_q: u32,
    /// Bytes written that the other end has not acknowledged.
    pub send_q: u32,
    /// Its inode; 0 while it has not been accepted, and when its program has closed it.
    pub inode: u32,
    /// The timer that runs, if any.
    pub timer: Option<Timer>,
    /// Receive buffer in force (the kernel's figure: twice what was asked for).
    pub rcvbuf: u32,
    /// Send buffer in force.
    pub sndbuf: u32,
    /// Everything else the kernel tells; all zero in TIME_WAIT.
    pub info: TcpInfo,
}

impl PeerSocket {
    /// Bytes this end has received so far, read or not.
    pub fn bytes_received(&self) -> u64 {
        self.info.bytes_received
    }

    /// Bytes this end has sent and seen acknowledged.
    pub fn bytes_acked(&self) -> u64 {
        self.info.bytes_acked
    }

    /// A program has accepted it and not closed it.
    pub fn is_held(&self) -> bool {
        self.inode != 0
    }
}
