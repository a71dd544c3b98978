//! The kernel's socket table, read through `NETLINK_SOCK_DIAG`.
//!
//! It shows whether a server listens, whether it has read what was sent (its receive queue is empty), sockets in
//! TIME_WAIT, and the server's end of a connection, without any traffic. Needs no privileges. Shows only the network
//! namespace of this process.

mod socket;
mod unix;
mod wire;

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with,
    sockopt,
};
pub use socket::{Listener, PeerSocket, TcpState, Timer, TimerKind};
pub(super) use unix::unix_listeners;
use wire::{Family, Reply, Row};

/// All listening sockets of both address families on `port`, or on all ports if it is `None`.
///
/// # Errors
/// The error of the netlink request, for example if the kernel is built without `INET_DIAG`.
pub(crate) fn listeners(port: Option<u16>) -> io::Result<Vec<Listener>> {
    let mut found = Vec::new();
    for family in [Family::V4, Family::V6] {
        for row in dump(family, TcpState::Listen, port.unwrap_or(0))? {
            found.push(Listener {
                addr: row.local,
                backlog: row.wqueue,
                queued: row.rqueue,
                inode: row.inode,
                v6_only: row.v6_only,
            });
        }
    }
    // A socket of both families may be part of both dumps.
    found.sort_by_key(|listener| (listener.addr, listener.inode));
    found.dedup();
    found.retain(|listener| port.is_none_or(|port| listener.addr.port() == port));
    Ok(found)
}

/// The number of sockets in TIME_WAIT with the local port `port`, left by connections that were closed on that side
/// first.
///
/// # Errors
/// As `listeners`.
pub fn time_wait_count(port: u16) -> io::Result<usize> {
    Ok(connections(port, TcpState::TimeWait)?.len())
}

/// The (local, remote) addresses of all sockets in `state` with the local port `port`.
///
/// # Errors
/// As [`listeners`].
pub(crate) fn connections(port: u16, state: TcpState) -> io::Result<Vec<(SocketAddr, SocketAddr)>> {
    let mut found = Vec::new();
    for family in [Family::V4, Family::V6] {
        let rows = dump(family, state, port)?;
        found.extend(
            rows.iter()
                .filter(|row| row.local.port() == port)
                .map(|row| (row.local, row.remote)),
        );
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Looks up the socket with these two addresses; `None` if there is none. The cost does not depend on the number of
/// sockets.
///
/// # Errors
/// As [`listeners`].
pub(crate) fn find(local: SocketAddr, remote: SocketAddr) -> io::Result<Option<PeerSocket>> {
    let mut rows = Vec::new();
    match ask(|sequence| wire::lookup(sequence, local, remote), &mut rows) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(None),
        Err(error) => return Err(error),
    }
    // If there is no such connection, the kernel answers with the listener that would accept it.
    Ok(rows
        .into_iter()
        .find(|row| row.remote.port() == remote.port())
        .and_then(|row| peer_socket(&row)))
}

fn peer_socket(row: &Row) -> Option<PeerSocket> {
    let kind = match row.timer {
        0 => None,
        1 => Some(TimerKind::Retransmit),
        2 => Some(TimerKind::Keepalive),
        3 => Some(TimerKind::TimeWait),
        4 => Some(TimerKind::Probe),
        _ => Some(TimerKind::Other),
    };
    let expires = Duration::from_millis(u64::from(row.expires_ms));
    Some(PeerSocket {
        local: row.local,
        remote: row.remote,
        state: TcpState::from_kernel(row.state)?,
        recv_q: row.rqueue,
        send_q: row.wqueue,
        inode: row.inode,
        timer: kind.map(|kind| Timer {
            kind,
            expires,
            retries: row.retries,
        }),
        rcvbuf: row.rcvbuf,
        sndbuf: row.sndbuf,
        info: row.info,
    })
}

fn dump(family: Family, state: TcpState, port: u16) -> io::Result<Vec<Row>> {
    let mut rows = Vec::new();
    ask(
        |sequence| wire::dump(sequence, family, state as u8 + 1, port),
        &mut rows,
    )?;
    Ok(rows)
}

/// A netlink socket, with the sequence number of its last request.
struct DiagSocket {
    socket: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

thread_local! {
    static DIAG_SOCKET: RefCell<Option<DiagSocket>> = const { RefCell::new(None) };
}

/// Sends one request on this thread's socket and collects the rows of the answer, which the kernel has ready when the
/// send returns.
fn ask(request: impl FnOnce(u32) -> Vec<u8>, rows: &mut Vec<Row>) -> io::Result<()> {
    DIAG_SOCKET.with_borrow_mut(|slot| {
        let mut socket = match slot.take() {
            Some(socket) => socket,
            None => open()?,
        };
        socket.sequence = socket.sequence.wrapping_add(1);
        let result = exchange(&mut socket, request, rows);
        // After an error other than "no such socket" the next request opens a new netlink socket.
        if result
            .as_ref()
            .err()
            .is_none_or(|error| error.raw_os_error() == Some(libc::ENOENT))
        {
            *slot = Some(socket);
        }
        result
    })
}

fn open() -> io::Result<DiagSocket> {
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        flags,
        Some(netlink::SOCK_DIAG),
    )?;
    // A safeguard: tcprove must not hang if the kernel does not answer.
    sockopt::set_socket_timeout(
        &socket,
        sockopt::Timeout::Recv,
        Some(Duration::from_secs(2)),
    )?;
    Ok(DiagSocket {
        socket,
        sequence: 0,
        buffer: vec![0; 64 * 1024],
    })
}

fn exchange(
    diag: &mut DiagSocket,
    request: impl FnOnce(u32) -> Vec<u8>,
    rows: &mut Vec<Row>,
) -> io::Result<()> {
    let kernel = SocketAddrNetlink::new(0, 0);
    sendto(
        &diag.socket,
        &request(diag.sequence),
        SendFlags::empty(),
        &kernel,
    )?;
    loop {
        let (_, count) = match recv(&diag.socket, &mut diag.buffer[..], RecvFlags::empty()) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other?,
        };
        match wire::parse(
            &diag.buffer[..count.min(diag.buffer.len())],
            diag.sequence,
            rows,
        ) {
            Reply::More => {}
            Reply::Done => return Ok(()),
            Reply::Failed(errno) => return Err(io::Error::from_raw_os_error(errno)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn sees_a_listener_and_its_backlog() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let found = listeners(Some(addr.port())).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].addr, found[0].queued), (addr, 0));
        let _client = TcpStream::connect(addr).unwrap();
        assert_eq!(listeners(Some(addr.port())).unwrap()[0].queued, 1);
        assert!(
            listeners(None)
                .unwrap()
                .iter()
                .any(|listener| listener.addr == addr)
        );
    }

    #[test]
    fn sees_what_was_not_read() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let mut client = TcpStream::connect(server).unwrap();
        let local = client.local_addr().unwrap();
        assert_eq!(
            find(server, local).unwrap().unwrap().inode,
            0,
            "not accepted yet"
        );
        let (_held, _) = listener.accept().unwrap();
        client.write_all(&[1; 700]).unwrap();
        let seen = find(server, local).unwrap().unwrap();
        assert_eq!(
            (seen.state, seen.recv_q, seen.bytes_received()),
            (TcpState::Established, 700, 700)
        );
        assert_eq!((seen.local, seen.remote), (server, local));
        assert!(seen.is_held() && seen.rcvbuf > 0);
        assert_eq!(
            find(server, SocketAddr::new(local.ip(), 1)).unwrap(),
            None,
            "no such client"
        );
    }

    #[test]
    fn sees_time_wait() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        assert_eq!(time_wait_count(server.port()).unwrap(), 0);
        // The kernel keeps no more than net.ipv4.tcp_max_tw_buckets, of which other programs may have taken all.
        while time_wait_count(server.port()).unwrap() == 0 {
            let client = TcpStream::connect(server).unwrap();
            let (held, _) = listener.accept().unwrap();
            drop(held);
            drop(client);
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    #[test]
    fn sees_ipv4_clients_of_an_ipv6_listener() {
        let Ok(listener) = TcpListener::bind("[::]:0") else {
            eprintln!("skipped: no IPv6 here");
            return;
        };
        let port = listener.local_addr().unwrap().port();
        assert!(!listeners(Some(port)).unwrap()[0].v6_only);
        let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let seen = find(client.peer_addr().unwrap(), client.local_addr().unwrap())
            .unwrap()
            .unwrap();
        assert_eq!(seen.remote, client.local_addr().unwrap());
    }
}
