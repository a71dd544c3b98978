//! The connections of one engine thread: their sockets, and which of them must still be opened.

use std::collections::VecDeque;
use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr};
use std::ops::{Index, IndexMut};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::sockopt;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::client_end::ClientEnd;
use super::conn::{Conn, State};
use super::context::EngineContext;
use super::ramp::Ramp;
use super::sources::{source, sources};
use crate::load::workload::SocketOptions;
use crate::sys::choose_port_at_connect;
use crate::transport::Address;

/// Maximum connects in progress per thread: fewer than the shortest usual backlog.
pub(super) const CONNECTING_MAX: usize = 64;
/// Delay before a failed connect is retried.
const RETRY_AFTER: Duration = Duration::from_millis(20);
/// The connections of one engine thread. A place in the table holds one connection at a time; after it is closed,
/// another one is opened in the same place.
pub(super) struct Connections {
    epoll: OwnedFd,
    table: Vec<Conn>,
    address: Address,
    options: SocketOptions,
    /// Source addresses of this part, and how many the parts before it have.
    sources: usize,
    sources_before: usize,
    /// Connects begun so far; decides the next source address.
    begun: usize,
    /// Connects in progress, and their limit.
    connecting: usize,
    connecting_max: usize,
    open: usize,
    /// Open connections past their opening.
    serving: usize,
    /// This thread's connections that are wanted so far, and how they grow.
    wanted: usize,
    ramp: Ramp,
    to_open: VecDeque<usize>,
    /// Failed connects, and when they are tried again.
    retries: VecDeque<(u64, usize)>,
}

/// A connect that failed, at this place.
pub(super) struct Refused(pub(super) usize, pub(super) io::Error);

impl Connections {
    /// The connections of thread `thread`; none is open yet.
    ///
    /// # Errors
    /// The epoll instance could not be created.
    pub(super) fn new(context: &EngineContext, thread: usize, reopens: bool) -> io::Result<Self> {
        let workload = context.workload;
        let ramp = Ramp {
            from: workload
                .ramp_connections_from
                .unwrap_or(workload.connections),
            to: workload.connections,
            thread: workload.number_of(thread),
            threads: workload.threads_of_all_parts(),
        };
        let address = &context.endpoint.address;
        let of_part = workload.connections.div_ceil(workload.part.count);
        let sources = sources(address, of_part, reopens);
        Ok(Self {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            table: (0..ramp.at(1.0)).map(|_| Conn::new()).collect(),
            address: address.clone(),
            options: workload.socket,
            sources,
            sources_before: sources * workload.part.index,
            begun: thread,
            connecting: 0,
            connecting_max: CONNECTING_MAX,
            open: 0,
            serving: 0,
            wanted: ramp.at(0.0),
            ramp,
            to_open: VecDeque::new(),
            retries: VecDeque::new(),
        })
    }

    /// Number of places.
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Number of open connections, including those in their opening.
    pub(super) fn open(&self) -> usize {
        self.open
    }

    /// Number of connects begun so far.
    pub(super) fn begun(&self) -> usize {
        self.begun
    }

    /// Number of wanted connections that do not carry requests yet.
    pub(super) fn missing(&self) -> usize {
        self.wanted.saturating_sub(self.serving)
    }

    /// Limits connects in progress.
    pub(super) fn limit_connecting(&mut self, most: usize) {
        self.connecting_max = most;
    }

    /// Queues the initial connections for opening.
    pub(super) fn want_first(&mut self) {
        self.to_open = (0..self.wanted).collect();
    }

    /// Queues the connections that a ramp has added at `passed` (0 to 1) of its length.
    pub(super) fn want_by(&mut self, passed: f64, now: u64) {
        let all = self.table.len();
        let wanted = self.ramp.at(passed).clamp(self.wanted, all);
        self.to_open.extend(self.wanted..wanted);
        for conn in &mut self.table[self.wanted..wanted] {
            conn.free_since = now;
        }
        self.wanted = wanted;
    }

    /// Whether a ramp will add more connections.
    pub(super) fn is_growing(&self) -> bool {
        self.wanted < self.table.len()
    }

    /// Whether any connection waits to be opened.
    pub(super) fn has_closed(&self) -> bool {
        !self.to_open.is_empty() || !self.retries.is_empty()
    }

    /// Begins the next due connect; `None` if none is due, or the limit of connects in progress is reached.
    pub(super) fn open_next(&mut self, now: u64) -> Option<Result<(), Refused>> {
        if self.connecting >= self.connecting_max {
            return None;
        }
        let is_due = self.retries.front().is_some_and(|(at, _)| *at <= now);
        let at = if is_due {
            self.retries.pop_front().map(|(_, at)| at)
        } else {
            self.to_open.pop_front()
        }?;
        Some(self.begin_connect(at).map_err(|error| Refused(at, error)))
    }

    fn begin_connect(&mut self, at: usize) -> io::Result<()> {
        let source = source(self.sources_before, self.sources, self.begun);
        self.begun += 1;
        let socket = connecting(&self.address, source, &self.options)?;
        let conn = &mut self.table[at];
        let data = event_data(at, conn.generation);
        epoll::add(&self.epoll, &socket, data, EventFlags::OUT)?;
        conn.socket = Some(socket);
        conn.state = State::Connecting;
        self.connecting += 1;
        Ok(())
    }

    /// Completes a connect. A failed one is closed.
    pub(super) fn end_connect(&mut self, at: usize) -> Result<(), Refused> {
        self.connecting -= 1;
        let conn = &mut self.table[at];
        let Some(socket) = &conn.socket else {
            return Err(Refused(at, io::ErrorKind::NotConnected.into()));
        };
        let data = event_data(at, conn.generation);
        let outcome = match sockopt::socket_error(socket) {
            Ok(Ok(())) => epoll::modify(&self.epoll, socket, data, EventFlags::IN),
            Ok(Err(error)) | Err(error) => Err(error),
        };
        if let Err(error) = outcome {
            conn.close();
            return Err(Refused(at, error.into()));
        }
        self.open += 1;
        Ok(())
    }

    /// The client's address; `None` over a Unix socket.
    pub(super) fn local(&self, at: usize) -> Option<SocketAddr> {
        let name = rustix::net::getsockname(self.table[at].socket.as_ref()?).ok()?;
        SocketAddr::try_from(name).ok()
    }

    /// Schedules a retry of a failed connect.
    pub(super) fn retry(&mut self, at: usize, now: u64) {
        self.retries
            .push_back((now + RETRY_AFTER.as_nanos() as u64, at));
    }

    /// Marks a connection as carrying requests.
    pub(super) fn serve(&mut self, at: usize) {
        self.serving += 1;
        self.table[at].state = State::Serving;
    }

    /// Closes a connection, which has no requests in flight, and queues another one in its place.
    pub(super) fn close(&mut self, at: usize, now: u64) {
        let conn = &mut self.table[at];
        self.serving -= usize::from(conn.state != State::Opening);
        conn.close();
        conn.free_since = now;
        self.open -= 1;
        self.to_open.push_back(at);
    }

    /// Sets whether epoll reports events of the socket at all.
    pub(super) fn watch(&mut self, at: usize, wanted: bool) -> Result<(), Errno> {
        let conn = &mut self.table[at];
        let Some(socket) = &conn.socket else {
            return Ok(());
        };
        conn.watched_for_room = false;
        match wanted {
            true => {
                let data = event_data(at, conn.generation);
                epoll::add(&self.epoll, socket, data, EventFlags::IN)
            }
            false => epoll::delete(&self.epoll, socket),
        }
    }

    /// Sets whether epoll reports that the socket is writable.
    pub(super) fn watch_for_room(&mut self, at: usize, wanted: bool) -> Result<(), Errno> {
        let conn = &mut self.table[at];
        if conn.watched_for_room == wanted {
            return Ok(());
        }
        let Some(socket) = &conn.socket else {
            return Ok(());
        };
        let flags = if wanted {
            EventFlags::IN | EventFlags::OUT
        } else {
            EventFlags::IN
        };
        conn.watched_for_room = wanted;
        let data = event_data(at, conn.generation);
        epoll::modify(&self.epoll, socket, data, flags)
    }

    /// Waits for events for at most `timeout`.
    #[inline(always)]
    pub(super) fn wait<'e>(
        &self,
        events: &'e mut [MaybeUninit<Event>],
        timeout: &Timespec,
    ) -> Result<&'e mut [Event], Errno> {
        epoll::wait(&self.epoll, events, Some(timeout)).map(|(taken, _)| taken)
    }

    /// The place that an event belongs to, unless its socket has been closed since.
    #[inline(always)]
    pub(super) fn place_of(&self, event: &Event) -> Option<usize> {
        let data = event.data.u64();
        let at = (data & u64::from(u32::MAX)) as usize;
        (self.table[at].generation == (data >> 32) as u32).then_some(at)
    }

    /// TCP state of the client's end of up to `most` connections.
    pub(super) fn ends(&self, most: usize) -> Vec<ClientEnd> {
        let serving = |conn: &&Conn| conn.state == State::Serving;
        let sockets = self.table.iter().filter(serving);
        let sockets = sockets.filter_map(|conn| conn.socket.as_ref());
        sockets.take(most).filter_map(client_end).collect()
    }
}

impl Index<usize> for Connections {
    type Output = Conn;

    #[inline(always)]
    fn index(&self, at: usize) -> &Conn {
        &self.table[at]
    }
}

impl IndexMut<usize> for Connections {
    #[inline(always)]
    fn index_mut(&mut self, at: usize) -> &mut Conn {
        &mut self.table[at]
    }
}

fn event_data(at: usize, generation: u32) -> EventData {
    EventData::new_u64(at as u64 | u64::from(generation) << 32)
}

/// The state of a TCP socket.
fn client_end(socket: &OwnedFd) -> Option<ClientEnd> {
    let local = rustix::net::getsockname(socket).ok()?;
    Some(ClientEnd {
        local: SocketAddr::try_from(local).ok()?,
        info: crate::sys::tcp_info(socket).ok()?,
        so_rcvbuf: sockopt::socket_recv_buffer_size(socket).ok()?,
        so_sndbuf: sockopt::socket_send_buffer_size(socket).ok()?,
    })
}

/// A socket with a connect in progress, or complete.
fn connecting(
    address: &Address,
    source: Option<IpAddr>,
    options: &SocketOptions,
) -> io::Result<OwnedFd> {
    match address {
        Address::Tcp(addr) => connecting_tcp(*addr, source, options),
        Address::Unix(path) => connecting_unix(path, options),
    }
}

/// While the backlog is full, a connect that must not block fails with `EAGAIN`; it is tried again later.
fn connecting_unix(path: &Path, options: &SocketOptions) -> io::Result<OwnedFd> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking().cloexec(), None)?;
    if let Some(bytes) = options.so_sndbuf {
        socket.set_send_buffer_size(bytes)?;
    }
    socket.connect(&SockAddr::unix(path)?)?;
    Ok(socket.into())
}

fn connecting_tcp(
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
    // The connect fixes the window scale, so the buffer sizes must be set before.
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
