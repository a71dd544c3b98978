//! Leases of TCP ports.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::{fs, io};

use socket2::{Domain, SockAddr, Socket, Type};

/// The lowest port that is leased. Many services have well-known ports below it.
const LOWEST: u16 = 10_000;

/// A port that no other tcprove leases while this value or a clone of it exists.
///
/// It lies outside the range from which the kernel chooses the source ports of connections, so no outgoing connection
/// takes it by chance. The lease is a Unix socket with the port in its abstract name (unix(7)): like ports, these names
/// belong to a network namespace, and the kernel releases a name when its process ends. Nothing is left in the file
/// system.
#[derive(Debug, Clone)]
pub struct Port {
    number: u16,
    _name: Arc<Socket>,
}

impl Port {
    /// Leases a port without a listener and without connections, including those in TIME_WAIT.
    ///
    /// A server without SO_REUSEADDR cannot bind to a port in TIME_WAIT. It must fail in the check that tests this, with
    /// its own connections, not by chance with those of an earlier run.
    ///
    /// # Errors
    /// `AddrInUse` if no port is available; otherwise those of socket(2) and bind(2).
    pub fn lease() -> io::Result<Port> {
        let (low, high) = range();
        let count = u64::from(high - low) + 1;
        let start = RandomState::new().build_hasher().finish() % count;
        for step in 0..count {
            let offset = u16::try_from((start + step) % count).unwrap_or(0);
            if let Some(port) = try_lease(low + offset)? {
                return Ok(port);
            }
        }
        let text = format!("every port from {low} to {high} is in use or leased");
        Err(io::Error::new(io::ErrorKind::AddrInUse, text))
    }

    /// The port number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

fn try_lease(number: u16) -> io::Result<Option<Port>> {
    // The socket does not listen, so no process can connect to it.
    let name = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    match name.bind(&SockAddr::unix(format!("\0tcprove-port-{number}"))?) {
        Ok(()) if is_free(number) => Ok(Some(Port {
            number,
            _name: Arc::new(name),
        })),
        Ok(()) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether no socket uses the port. Without SO_REUSEADDR, binding to the wildcard address fails if there is any, even
/// in TIME_WAIT.
fn is_free(port: u16) -> bool {
    let v4 = binds(Domain::IPV4, IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
    v4 && (!has_ipv6() || binds(Domain::IPV6, IpAddr::V6(Ipv6Addr::UNSPECIFIED), port))
}

fn binds(domain: Domain, ip: IpAddr, port: u16) -> bool {
    let bound = Socket::new(domain, Type::STREAM, None).and_then(|socket| {
        if domain == Domain::IPV6 {
            socket.set_only_v6(true)?;
        }
        socket.bind(&SocketAddr::new(ip, port).into())
    });
    bound.is_ok()
}

fn has_ipv6() -> bool {
    binds(Domain::IPV6, IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0)
}

/// The (lowest, highest) port to lease: below the kernel's range of source ports, or above it if there is no room.
fn range() -> (u16, u16) {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut ends = text
        .split_ascii_whitespace()
        .filter_map(|end| end.parse::<u16>().ok());
    outside(ends.next().unwrap_or(32_768), ends.next().unwrap_or(60_999))
}

fn outside(low: u16, high: u16) -> (u16, u16) {
    /// Minimum number of ports in the range.
    const ROOM: u16 = 1_000;
    if low >= LOWEST + ROOM {
        (LOWEST, low - 1)
    } else if high <= u16::MAX - ROOM {
        (high + 1, u16::MAX)
    } else {
        // Source ports are chosen from the whole range. `is_free` still excludes the ports in use now.
        (LOWEST, u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn leases_differ_and_are_free() {
        let leases: Vec<Port> = (0..20).map(|_| Port::lease().unwrap()).collect();
        let mut numbers: Vec<u16> = leases.iter().map(Port::number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), leases.len());
        for number in numbers {
            TcpListener::bind(("127.0.0.1", number)).unwrap();
        }
    }

    #[test]
    fn a_lease_is_exclusive_until_it_is_dropped() {
        let lease = Port::lease().unwrap();
        let number = lease.number();
        let names = fs::read_to_string("/proc/net/unix").unwrap();
        assert!(names.contains(&format!("@tcprove-port-{number}\n")));
        let clone = lease.clone();
        drop(lease);
        assert!(try_lease(number).unwrap().is_none());
        drop(clone);
        let names = fs::read_to_string("/proc/net/unix").unwrap();
        assert!(!names.contains(&format!("@tcprove-port-{number}\n")));
    }

    #[test]
    fn a_port_with_a_listener_is_not_free() {
        let lease = Port::lease().unwrap();
        let _listener = TcpListener::bind(("127.0.0.1", lease.number())).unwrap();
        assert!(!is_free(lease.number()));
    }

    #[test]
    fn the_range_excludes_source_ports() {
        assert_eq!(outside(32_768, 60_999), (10_000, 32_767));
        assert_eq!(outside(1_024, 60_999), (61_000, 65_535));
        assert_eq!(outside(1_024, 65_535), (10_000, 65_535));
    }
}
