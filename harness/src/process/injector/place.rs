//! Where a call acts: on the server's listening socket, one of its connections, or something else.

use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat};
use rustix::net::SocketType;
use rustix::net::sockopt::{socket_acceptconn, socket_type};
use socket2::SockRef;

use super::caller::Caller;
use super::calls::{Call, CallKind, Shape};
use super::rule::Place;
use crate::sys::PendingCall;

/// Maximum number of descriptors of a wait that are examined.
const WAITS_MAX: usize = 256;

/// Where a server listens.
#[derive(Debug, Clone, Default)]
pub(crate) struct Site {
    /// Its TCP ports.
    pub(crate) ports: Vec<u16>,
    /// Its Unix socket.
    pub(crate) unix: Option<PathBuf>,
}

/// Where a call acts, and what is known about it.
pub(super) struct Found {
    pub(super) place: Place,
    /// A duplicate of the descriptor, if the call has one.
    pub(super) descriptor: Option<OwnedFd>,
    /// The client's address, of a TCP connection.
    pub(super) peer: Option<SocketAddr>,
    /// Whether the call may wait.
    pub(super) is_blocking: bool,
}

impl Found {
    fn at(place: Place) -> Found {
        Found {
            place,
            descriptor: None,
            peer: None,
            is_blocking: false,
        }
    }
}

impl Found {
    /// Whether the call finds nothing that it could take, and does not wait for it. How often a server tries in vain depends
    /// on the timing of its threads; such a call is no part of an exchange.
    pub(super) fn is_in_vain(&self, kind: CallKind) -> bool {
        let takes = matches!(kind, CallKind::Accept | CallKind::Receive);
        let is_socket = matches!(self.place, Place::Listener | Place::Connection);
        let Some(descriptor) = self.descriptor.as_ref() else {
            return false;
        };
        takes && is_socket && !self.is_blocking && !is_readable(descriptor)
    }
}

/// Whether there is something to take: a client, bytes, an urgent byte, the end of the stream, or an error.
fn is_readable(descriptor: &OwnedFd) -> bool {
    let mut source = [PollFd::new(descriptor, PollFlags::IN | PollFlags::PRI)];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    !matches!(poll(&mut source, Some(&now)), Ok(0))
}

/// Examines a call.
///
/// # Errors
/// The descriptors of the process cannot be examined.
pub(super) fn find(
    site: &Site,
    caller: &Caller,
    call: &Call,
    pending: &PendingCall,
) -> std::io::Result<Found> {
    match call.shape {
        Shape::Nothing => Ok(Found::at(Place::Thread)),
        Shape::Epoll | Shape::EpollTimespec | Shape::Poll | Shape::PollTimespec | Shape::Select => {
            Ok(waits(site, caller, call.shape, pending))
        }
        Shape::TwoDescriptors => {
            let first = of_descriptor(site, caller, call, pending, 0)?;
            match first.place {
                Place::Listener | Place::Connection => Ok(first),
                _ => of_descriptor(site, caller, call, pending, 2),
            }
        }
        _ => of_descriptor(site, caller, call, pending, 0),
    }
}

fn of_descriptor(
    site: &Site,
    caller: &Caller,
    call: &Call,
    pending: &PendingCall,
    argument: usize,
) -> std::io::Result<Found> {
    let number = pending.arguments[argument] as i32;
    let descriptor = match caller.descriptor(number) {
        Ok(descriptor) => descriptor,
        // The call will fail by itself.
        Err(error) if error.raw_os_error() == Some(libc::EBADF) => {
            return Ok(Found::at(Place::Other));
        }
        Err(error) => return Err(error),
    };
    let (place, peer) = place_of(site, &descriptor, number);
    let flags = match call.shape {
        Shape::FlaggedBuffer => pending.arguments[3],
        Shape::Message => pending.arguments[2],
        _ => 0,
    };
    let waits = fcntl_getfl(&descriptor).is_ok_and(|flags| !flags.contains(OFlags::NONBLOCK));
    Ok(Found {
        place,
        peer,
        is_blocking: waits && flags & (libc::MSG_DONTWAIT as u64) == 0,
        descriptor: Some(descriptor),
    })
}

/// The place of a descriptor of this number, and its peer.
fn place_of(site: &Site, descriptor: impl AsFd, number: i32) -> (Place, Option<SocketAddr>) {
    let Ok(kind) = socket_type(&descriptor) else {
        let kind = fstat(&descriptor).map(|stat| FileType::from_raw_mode(stat.st_mode));
        let place = match kind {
            Ok(FileType::RegularFile) => Place::File,
            Ok(FileType::Fifo) if number == 1 || number == 2 => Place::Output,
            _ => Place::Other,
        };
        return (place, None);
    };
    let socket = SockRef::from(&descriptor);
    let Ok(local) = socket.local_addr() else {
        return (Place::Other, None);
    };
    let is_here = match (local.as_socket(), local.as_pathname()) {
        (Some(local), _) => site.ports.contains(&local.port()),
        (None, Some(path)) => site.unix.as_deref().is_some_and(|unix| is_same(unix, path)),
        (None, None) => false,
    };
    if kind != SocketType::STREAM || !is_here {
        return (Place::Other, None);
    }
    if socket_acceptconn(&descriptor).unwrap_or(false) {
        return (Place::Listener, None);
    }
    let peer = socket.peer_addr().ok().and_then(|peer| peer.as_socket());
    (Place::Connection, peer.map(plain))
}

/// A client of IPv4 has an IPv6 address at a socket for both.
fn plain(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}

/// A server may bind to a path that is relative to its working folder.
fn is_same(unix: &Path, bound: &Path) -> bool {
    unix == bound || (bound.is_relative() && unix.file_name() == bound.file_name())
}

/// A wait is at the place [`Place::Wait`] if it waits for a socket of the server.
fn waits(site: &Site, caller: &Caller, shape: Shape, pending: &PendingCall) -> Found {
    let arguments = &pending.arguments;
    let (numbers, limit) = match shape {
        Shape::Epoll => (of_epoll(caller, arguments[0]), arguments[3]),
        Shape::EpollTimespec => (of_epoll(caller, arguments[0]), arguments[3]),
        Shape::Poll => (of_poll(caller, arguments), arguments[2]),
        Shape::PollTimespec => (of_poll(caller, arguments), arguments[2]),
        _ => (of_select(caller, arguments), arguments[4]),
    };
    let is_blocking = match shape {
        Shape::Epoll | Shape::Poll => limit as i32 != 0,
        _ => limit == 0 || caller.words::<2>(limit).is_ok_and(|time| time != [0, 0]),
    };
    let mut numbers = numbers.into_iter().take(WAITS_MAX);
    let is_for_server = numbers.any(|number| {
        caller.descriptor(number).is_ok_and(|descriptor| {
            let (place, _) = place_of(site, descriptor, number);
            matches!(place, Place::Listener | Place::Connection)
        })
    });
    Found {
        is_blocking,
        ..Found::at(if is_for_server {
            Place::Wait
        } else {
            Place::Other
        })
    }
}

/// The descriptors that are registered with an epoll descriptor.
fn of_epoll(caller: &Caller, number: u64) -> Vec<i32> {
    let path = format!("/proc/{}/fdinfo/{}", caller.pid(), number as i32);
    let text = std::fs::read_to_string(path).unwrap_or_default();
    registered(&text)
}

/// The numbers in lines such as `tfd:  5 events:  19 data: 5 pos:0 ino:7 sdev:8`.
fn registered(fdinfo: &str) -> Vec<i32> {
    let lines = fdinfo.lines().filter_map(|line| line.strip_prefix("tfd:"));
    lines
        .filter_map(|line| line.split_whitespace().next()?.parse().ok())
        .collect()
}

/// The descriptors of an array of `pollfd`.
fn of_poll(caller: &Caller, arguments: &[u64; 6]) -> Vec<i32> {
    let count = usize::try_from(arguments[1]).unwrap_or(0).min(WAITS_MAX);
    let mut bytes = vec![0; count * size_of::<libc::pollfd>()];
    if caller.read(arguments[0], &mut bytes).is_err() {
        return Vec::new();
    }
    let entries = bytes.chunks_exact(size_of::<libc::pollfd>());
    entries
        .filter_map(|entry| {
            entry
                .first_chunk()
                .map(|number| i32::from_ne_bytes(*number))
        })
        .collect()
}

/// The descriptors in the three sets of a select.
fn of_select(caller: &Caller, arguments: &[u64; 6]) -> Vec<i32> {
    let count = usize::try_from(arguments[0]).unwrap_or(0).min(1024);
    let mut found = Vec::new();
    for &set in arguments[1..4].iter().filter(|&&set| set != 0) {
        let mut bytes = vec![0; count.div_ceil(64) * 8];
        if caller.read(set, &mut bytes).is_ok() {
            let is_set = |number: &usize| bytes[number / 8] & (1 << (number % 8)) != 0;
            let numbers = (0..count).filter(is_set);
            found.extend(numbers.filter_map(|number| i32::try_from(number).ok()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn sockets_of_the_port_and_others() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let site = Site {
            ports: vec![port],
            unix: None,
        };
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, peer) = listener.accept().unwrap();
        assert_eq!(place_of(&site, &listener, 9), (Place::Listener, None));
        assert_eq!(place_of(&site, &server, 9), (Place::Connection, Some(peer)));
        assert_eq!(place_of(&site, &client, 9), (Place::Other, None));
        let file = tempfile::tempfile().unwrap();
        assert_eq!(place_of(&site, file, 9).0, Place::File);
        let (_, write) = std::io::pipe().unwrap();
        assert_eq!(place_of(&site, &write, 1).0, Place::Output);
        assert_eq!(place_of(&site, &write, 9).0, Place::Other);
    }

    #[test]
    fn a_call_that_finds_nothing_and_does_not_wait_is_in_vain() {
        let (mut client, server) = std::os::unix::net::UnixStream::pair().unwrap();
        let mut found = Found {
            descriptor: Some(server.into()),
            ..Found::at(Place::Connection)
        };
        assert!(found.is_in_vain(CallKind::Receive));
        assert!(!found.is_in_vain(CallKind::Send));
        found.is_blocking = true;
        assert!(!found.is_in_vain(CallKind::Receive));
        found.is_blocking = false;
        std::io::Write::write_all(&mut client, b"x").unwrap();
        assert!(!found.is_in_vain(CallKind::Receive));
    }

    #[test]
    fn descriptors_of_waits() {
        let text = "pos:\t0\nflags:\t02\ntfd:        5 events:       19 data:  5  pos:0 ino:1 sdev:8\ntfd: 12 events: 1 data: c\n";
        assert_eq!(registered(text), [5, 12]);
        let own = Caller::of(std::process::id()).unwrap();
        let set = [0b100_u64, 0];
        let arguments = [3, set.as_ptr() as u64, 0, 0, 0, 0];
        assert_eq!(of_select(&own, &arguments), [2]);
        let entry = libc::pollfd {
            fd: 7,
            events: 1,
            revents: 0,
        };
        let arguments = [&raw const entry as u64, 1, 0, 0, 0, 0];
        assert_eq!(of_poll(&own, &arguments), [7]);
    }

    #[test]
    fn a_unix_socket_may_be_bound_to_a_relative_path() {
        assert!(is_same(Path::new("/t/s.sock"), Path::new("s.sock")));
        assert!(!is_same(Path::new("/t/s.sock"), Path::new("/u/s.sock")));
    }
}
