//! The sockets of a server, borrowed for some microseconds to ask the kernel about them.

use std::collections::HashSet;
use std::fs;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use socket2::SockRef;

use super::Server;

impl Server {
    /// Calls `look` with the inode and a copy of each socket of each process of the server. `None` if they may not be read.
    pub(super) fn each_socket(&self, mut look: impl FnMut(u64, OwnedFd)) -> Option<()> {
        let mut seen = HashSet::new();
        for process in self.tree() {
            let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) else {
                continue;
            };
            let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else {
                continue;
            };
            for (inode, number) in sockets(process.pid, &mut seen)? {
                match pidfd_getfd(&pidfd, number, PidfdGetfdFlags::empty()) {
                    Ok(socket) => look(inode, socket),
                    // Closed meanwhile.
                    Err(rustix::io::Errno::BADF | rustix::io::Errno::SRCH) => {}
                    Err(_) => return None,
                }
            }
        }
        Some(())
    }

    /// Whether urgent data of this client is part of the stream for the server (SO_OOBINLINE). `None` if its end of the
    /// connection is not found.
    pub(crate) fn reads_urgent_data_inline(&self, client: SocketAddr) -> Option<bool> {
        let mut inline = None;
        self.each_socket(|_, socket| {
            let socket = SockRef::from(&socket);
            let peer = socket.peer_addr().ok().and_then(|peer| peer.as_socket());
            if peer.is_some_and(|peer| peer.port() == client.port()) {
                inline = socket.out_of_band_inline().ok().or(inline);
            }
        })?;
        inline
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
