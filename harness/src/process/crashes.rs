//! Processes of a server that end abnormally, as the kernel's process connector reports them (`cn_proc`). The parent of a
//! process reaps it, so nobody else can ask for its status later.
//!
//! The connector needs CAP_NET_ADMIN in the first user namespace. Without it nothing is seen.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;

use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, sendto, socket_with,
};

use super::{Exit, Server};

/// A process of a server that was killed by a signal, or exited with another code than 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Crash {
    pub(crate) pid: u32,
    /// Its name, if it existed when the watch began.
    pub(crate) comm: Option<String>,
    pub(crate) exit: Exit,
}

/// Records the abnormal ends of a server's processes from one moment on, except that of its main process.
#[derive(Debug)]
pub(crate) struct CrashWatch {
    socket: OwnedFd,
    /// The processes at that moment, and their names.
    known: BTreeMap<u32, String>,
    main: Option<u32>,
}

/// The values of `linux/cn_proc.h` and `linux/connector.h`.
const GROUP: u32 = 1;
const LISTEN: u32 = 1;
const EXIT: u32 = 0x8000_0000;
/// Kernels since 6.6 report only these to a socket that asks for them; earlier ones ignore the wish.
const NONZERO_EXIT: u32 = 0x2000_0000;
const DONE: u16 = 3;

/// Where the process events begin in a message: after a netlink header of 16 and a connector header of 20 bytes.
const EVENT_AT: usize = 36;
/// Where the data of an event begin: after its kind, a CPU and a time.
const DATA_AT: usize = EVENT_AT + 16;

impl CrashWatch {
    /// Begins to watch. `None` if the kernel does not allow it, or the server was not started by tcprove.
    pub(crate) fn begin(server: &Server) -> Option<Self> {
        if server.is_attached() {
            return None;
        }
        let socket = subscribed().ok()?;
        let tree = server.tree().into_iter();
        Some(Self {
            socket,
            known: tree.map(|process| (process.pid, process.comm)).collect(),
            main: server.pid(),
        })
    }

    /// The abnormal ends since then.
    pub(crate) fn crashes(&self, server: &Server) -> Vec<Crash> {
        let mut ends = Vec::new();
        let mut message = [0; 512];
        while let Ok((_, count)) = recv(&self.socket, &mut message[..], RecvFlags::DONTWAIT) {
            ends.extend(End::parse(&message[..count.min(message.len())]));
        }
        // Nearly always, and then it is cheap.
        if ends.is_empty() {
            return Vec::new();
        }
        let mut parents: Vec<u32> = self.known.keys().copied().collect();
        parents.extend(server.tree().iter().flat_map(|now| [now.pid, now.ppid]));
        let of_the_server = |end: &End| Some(end.pid) != self.main && parents.contains(&end.parent);
        let ends = ends.into_iter().filter(of_the_server);
        ends.map(|end| Crash {
            pid: end.pid,
            comm: self.known.get(&end.pid).cloned(),
            exit: end.exit,
        })
        .collect()
    }
}

/// A socket that receives the ends of all processes of this machine.
fn subscribed() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let connector = Some(netlink::CONNECTOR);
    let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, connector)?;
    bind(&socket, &SocketAddrNetlink::new(0, GROUP))?;
    let kernel = SocketAddrNetlink::new(0, 0);
    for operation in [&[LISTEN][..], &[LISTEN, NONZERO_EXIT]] {
        sendto(&socket, &request(operation), SendFlags::empty(), &kernel)?;
    }
    Ok(socket)
}

/// A netlink header and a connector header, then these numbers.
fn request(operation: &[u32]) -> Vec<u8> {
    let size = operation.len() * 4;
    let mut bytes = Vec::with_capacity(EVENT_AT + size);
    let mut put = |number: u32| bytes.extend(number.to_ne_bytes());
    put((EVENT_AT + size) as u32);
    let halves = |low: u16, high: u16| {
        let [a, b] = low.to_ne_bytes();
        let [c, d] = high.to_ne_bytes();
        u32::from_ne_bytes([a, b, c, d])
    };
    put(halves(DONE, 0));
    put(0);
    put(0);
    // The connector's address of process events is (1, 1).
    put(GROUP);
    put(GROUP);
    put(0);
    put(0);
    put(halves(size as u16, 0));
    operation.iter().for_each(|number| put(*number));
    bytes
}

/// The abnormal end of a process.
#[derive(Debug, PartialEq, Eq)]
struct End {
    pid: u32,
    parent: u32,
    exit: Exit,
}

impl End {
    /// Parses a message. `None` if it reports something else, such as the end of a single thread.
    fn parse(message: &[u8]) -> Option<Self> {
        let number = |at: usize| {
            let bytes = message.get(at..at + 4)?;
            Some(u32::from_ne_bytes(bytes.try_into().ok()?))
        };
        let field = |index: usize| number(DATA_AT + 4 * index);
        if number(EVENT_AT)? != EXIT || field(0)? != field(1)? {
            return None;
        }
        let status = field(2)?;
        let exit = match (status & 0x7f, status >> 8 & 0xff) {
            (0, 0) => return None,
            (0, code) => Exit::Code(code as i32),
            (signal, _) => Exit::Signal(signal as i32),
        };
        Some(Self {
            pid: field(0)?,
            parent: field(5)?,
            exit,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: u32, data: [u32; 6]) -> Vec<u8> {
        let mut bytes = vec![0; EVENT_AT];
        bytes.extend(kind.to_ne_bytes());
        bytes.resize(DATA_AT, 0);
        data.iter()
            .for_each(|number| bytes.extend(number.to_ne_bytes()));
        bytes
    }

    #[test]
    fn ends_of_processes() {
        let end = |exit| {
            let (pid, parent) = (7, 3);
            Some(End { pid, parent, exit })
        };
        let parse = |status| End::parse(&event(EXIT, [7, 7, status, 17, 3, 3]));
        assert_eq!(parse(0x8b), end(Exit::Signal(11)));
        assert_eq!(parse(0x300), end(Exit::Code(3)));
        assert_eq!(parse(0), None);
        let of_a_thread = event(EXIT, [8, 7, 11, 17, 0, 0]);
        assert_eq!(End::parse(&of_a_thread), None);
        assert_eq!(End::parse(&event(1, [7, 7, 11, 17, 3, 3])), None);
        assert_eq!(End::parse(&[0; 40]), None);
    }

    #[test]
    fn a_request_has_both_headers() {
        let bytes = request(&[LISTEN]);
        assert_eq!(bytes.len(), 40);
        assert_eq!(bytes[..4], 40_u32.to_ne_bytes());
        assert_eq!(bytes[32..34], 4_u16.to_ne_bytes());
    }
}
