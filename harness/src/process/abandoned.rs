//! Connections of clients that have left, which the server still holds.

use std::collections::HashSet;
use std::os::fd::AsFd;

use socket2::{Protocol, SockRef};

use super::{Server, TcpState};
use crate::sys::tcp_info;

/// Numbers of connections that a server holds though their clients have left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Abandoned {
    /// The client has sent a FIN, and the server has not closed its end (`CLOSE_WAIT`).
    pub(crate) finished: usize,
    /// The connection was reset, and the server has not closed its descriptor.
    pub(crate) reset: usize,
    /// The inodes of all of them.
    pub(crate) inodes: HashSet<u64>,
}

impl Abandoned {
    pub(crate) fn total(&self) -> usize {
        self.finished + self.reset
    }
}

impl Server {
    /// The connections on its port that only the server still holds. `None` if its descriptors may not be read.
    ///
    /// A connection that was reset is in none of the kernel's tables. So this borrows each of the server's sockets.
    pub(crate) fn abandoned(&self) -> Option<Abandoned> {
        let port = self.addr()?.port();
        let mut found = Abandoned::default();
        self.each_socket(|inode, socket| {
            match state(&socket, port) {
                Some(TcpState::CloseWait) => found.finished += 1,
                Some(TcpState::Close) => found.reset += 1,
                _ => return,
            }
            found.inodes.insert(inode);
        })?;
        Some(found)
    }
}

/// The state of a TCP socket whose own port is this one.
fn state(socket: impl AsFd, port: u16) -> Option<TcpState> {
    let shown = SockRef::from(&socket);
    if shown.protocol().ok()? != Some(Protocol::TCP) {
        return None;
    }
    let own = shown.local_addr().ok()?.as_socket()?;
    if own.port() != port {
        return None;
    }
    TcpState::from_kernel(tcp_info(&socket).ok()?.state)
}
