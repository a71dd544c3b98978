//! Connections of clients that have left, which the server still holds.

use std::collections::HashSet;
use std::fs;
use std::os::fd::AsFd;

use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
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
    /// A connection that was reset is in none of the kernel's tables. So this borrows each of the server's sockets for
    /// some microseconds.
    pub(crate) fn abandoned(&self) -> Option<Abandoned> {
        let port = self.addr()?.port();
        let (mut found, mut seen) = (Abandoned::default(), HashSet::new());
        for process in self.tree() {
            let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) else {
                continue;
            };
            let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else {
                continue;
            };
            for (inode, number) in sockets(process.pid, &mut seen)? {
                let socket = match pidfd_getfd(&pidfd, number, PidfdGetfdFlags::empty()) {
                    Ok(socket) => socket,
                    // Closed meanwhile.
                    Err(rustix::io::Errno::BADF | rustix::io::Errno::SRCH) => continue,
                    Err(_) => return None,
                };
                match state(&socket, port) {
                    Some(TcpState::CloseWait) => found.finished += 1,
                    Some(TcpState::Close) => found.reset += 1,
                    _ => continue,
                }
                found.inodes.insert(inode);
            }
        }
        Some(found)
    }
}

/// The sockets of a process that no process before has: inodes and descriptors. `None` if they may not be read.
fn sockets(pid: u32, seen: &mut HashSet<u64>) -> Option<Vec<(u64, i32)>> {
    let folder = match fs::read_dir(format!("/proc/{pid}/fd")) {
        Ok(folder) => folder,
        // It has ended meanwhile.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Some(Vec::new()),
        Err(_) => return None,
    };
    let mut numbers = Vec::new();
    for entry in folder.flatten() {
        let Ok(link) = fs::read_link(entry.path()) else {
            continue;
        };
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.parse().ok());
        if let Some((inode, number)) = inode(&link.to_string_lossy()).zip(number)
            && seen.insert(inode)
        {
            numbers.push((inode, number));
        }
    }
    Some(numbers)
}

/// The inode of a socket, as the link of a descriptor shows it: `socket:[4711]`.
fn inode(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?
        .strip_suffix(']')?
        .parse()
        .ok()
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
