//! Opening connections without waiting for any of them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::epoll::{self, EventFlags};
use rustix::io::Errno;
use rustix::net::sockopt;
use socket2::{Domain, Protocol, Socket, Type};

use super::conn::State;
use super::{Engine, event_data, now};
use crate::load::workload::SocketOptions;
use crate::process::socket_table;
use crate::sys::choose_port_at_connect;

/// Connects under way at once, for each thread: fewer than the shortest usual backlog.
pub(super) const CONNECTING_MAX: usize = 64;
/// A connect that failed is tried again after so long.
const RETRY_AFTER: Duration = Duration::from_millis(20);
/// Connections from one source address, at most: well below the range of ports, which the kernel searches ever
/// longer as it fills up.
const CONNECTIONS_PER_SOURCE: usize = 10_000;
/// Source addresses of a load that opens connections all the time.
const CHURN_SOURCES: usize = 16;

/// How many addresses of 127/8 the connections come from.
pub(super) fn sources(addr: SocketAddr, connections: usize, reopens: bool) -> usize {
    let IpAddr::V4(ip) = addr.ip() else { return 1 };
    match (ip.is_loopback(), reopens) {
        (true, true) => CHURN_SOURCES,
        (true, false) => connections.div_ceil(CONNECTIONS_PER_SOURCE),
        (false, _) => 1,
    }
}

impl Engine<'_> {
    /// Opens the first connections, until all are there or too long was waited.
    pub(super) fn connect_all(&mut self, patience: Duration) {
        let give_up = now() + patience.as_nanos() as u64;
        while self.serving < self.ramped && !self.orders.shared.is_stopped() {
            self.now = now();
            if self.now >= give_up {
                break;
            }
            self.connecting_max = self.room_in_line();
            self.open_wanted();
            self.pump(Some(Duration::from_millis(1)));
        }
        self.connecting_max = CONNECTING_MAX;
        self.tally.missing = self.ramped.saturating_sub(self.serving) as u64;
    }

    /// Opens connections as far as they are wanted now and the limit of connects under way allows.
    pub(super) fn open_wanted(&mut self) {
        while self.connecting < self.connecting_max {
            let due = self.retries.front().is_some_and(|(at, _)| *at <= self.now);
            let next = match due {
                true => self.retries.pop_front().map(|(_, at)| at),
                false => self.to_open.pop_front(),
            };
            let Some(at) = next else { return };
            if let Err(error) = self.open(at) {
                self.connect_failed(at, &error);
            }
        }
    }

    /// Connects that may be under way now. A connection counts as made before the server has accepted
    /// it; what the line before its door has no place for is dropped, and comes again after a second.
    fn room_in_line(&self) -> usize {
        let doors = socket_table::listeners(Some(self.orders.addr.port())).unwrap_or_default();
        let free = doors
            .iter()
            .map(|door| door.backlog.saturating_sub(door.queued) as usize)
            .min();
        let ours = free.map(|free| free / (2 * self.orders.workload.threads));
        ours.unwrap_or(CONNECTING_MAX).min(CONNECTING_MAX)
    }

    fn open(&mut self, at: usize) -> io::Result<()> {
        let source = source(self.sources, self.opened);
        self.opened += 1;
        let socket = connecting(self.orders.addr, source, &self.orders.workload.socket)?;
        let conn = &mut self.conns[at];
        let data = event_data(at, conn.generation);
        epoll::add(&self.epoll, &socket, data, EventFlags::OUT)?;
        conn.socket = Some(socket);
        conn.state = State::Connecting;
        self.connecting += 1;
        Ok(())
    }

    /// The connect came to an end, good or bad.
    pub(super) fn connected(&mut self, at: usize) {
        self.connecting -= 1;
        let conn = &mut self.conns[at];
        let Some(socket) = &conn.socket else { return };
        let data = event_data(at, conn.generation);
        let outcome = match sockopt::socket_error(socket) {
            Ok(Ok(())) => epoll::modify(&self.epoll, socket, data, EventFlags::IN),
            Ok(Err(error)) | Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            self.conns[at].close();
            self.connect_failed(at, &error.into());
            return;
        }
        self.open_count += 1;
        if self.orders.talk.open.is_empty() {
            self.serve(at);
        } else {
            self.begin_opening(at);
        }
    }

    /// Requests can be said from now on.
    pub(super) fn serve(&mut self, at: usize) {
        self.tally.connects += 1;
        self.serving += 1;
        self.conns[at].state = State::Serving;
        self.make_use_of(at);
    }

    fn connect_failed(&mut self, at: usize, error: &io::Error) {
        self.tally.connect_failures += 1;
        self.tally.note(|| match error.raw_os_error() {
            Some(libc::EMFILE | libc::ENFILE) => format!(
                "no descriptor left for another connection ({error}): raise the limit (`ulimit -n`) or lower --connections"
            ),
            Some(libc::EADDRNOTAVAIL) => format!(
                "no port left for another connection ({error}): see net.ipv4.ip_local_port_range"
            ),
            _ => format!("a connection could not be opened: {error}"),
        });
        let again = self.now + RETRY_AFTER.as_nanos() as u64;
        self.retries.push_back((again, at));
    }

    /// Closes a connection whose end was planned, and opens another one in its place.
    pub(super) fn close_planned(&mut self, at: usize) {
        self.tally.planned_closes += 1;
        self.leave(at);
    }

    /// A connection ended that nobody had planned to end: its requests will get no reply.
    pub(super) fn lose(&mut self, at: usize, why: impl FnOnce() -> String) {
        self.tally.lost += 1;
        self.tally.note(why);
        self.leave(at);
    }

    fn leave(&mut self, at: usize) {
        let conn = &mut self.conns[at];
        while let Some(flight) = conn.flights.pop_front() {
            self.in_flight -= 1;
            self.recorder.lost(flight.intended, self.now);
        }
        self.serving -= usize::from(conn.state != State::Opening);
        conn.close();
        conn.free_since = self.now;
        self.open_count -= 1;
        self.to_open.push_back(at);
    }

    /// What the kernel knows of our end of some connections, with the address of that end.
    pub(super) fn look_at_ends(&self, most: usize) -> Vec<super::ClientEnd> {
        let sockets = self
            .conns
            .iter()
            .filter(|conn| conn.state == State::Serving);
        let sockets = sockets.filter_map(|conn| conn.socket.as_ref());
        sockets.take(most).filter_map(client_end).collect()
    }
}

fn client_end(socket: &OwnedFd) -> Option<super::ClientEnd> {
    let local = rustix::net::getsockname(socket).ok()?;
    Some(super::ClientEnd {
        local: SocketAddr::try_from(local).ok()?,
        info: crate::sys::tcp_info(socket).ok()?,
        so_rcvbuf: sockopt::socket_recv_buffer_size(socket).ok()?,
        so_sndbuf: sockopt::socket_send_buffer_size(socket).ok()?,
    })
}

/// The source address of the connection of that number.
fn source(sources: usize, number: usize) -> Option<IpAddr> {
    if sources < 2 {
        return None;
    }
    let last = u8::try_from(number % sources + 1).unwrap_or(1);
    Some(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)))
}

/// A socket whose connect is under way.
fn connecting(
    addr: SocketAddr,
    source: Option<IpAddr>,
    options: &SocketOptions,
) -> io::Result<OwnedFd> {
    let socket = Socket::new(
        Domain::for_address(addr),
        Type::STREAM.nonblocking().cloexec(),
        Some(Protocol::TCP),
    )?;
    socket.set_tcp_nodelay(true)?;
    // Before the connect: the window scale is settled then, and a later change would not reach it.
    if let Some(bytes) = options.so_rcvbuf {
        socket.set_recv_buffer_size(bytes)?;
    }
    if let Some(bytes) = options.so_sndbuf {
        socket.set_send_buffer_size(bytes)?;
    }
    if let Some(mss) = options.mss {
        socket.set_tcp_mss(mss)?;
    }
    if let Some(source) = source {
        choose_port_at_connect(&socket)?;
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    match rustix::net::connect(&socket, &addr) {
        Ok(()) | Err(Errno::INPROGRESS | Errno::INTR) => Ok(socket.into()),
        Err(error) => Err(error.into()),
    }
}
