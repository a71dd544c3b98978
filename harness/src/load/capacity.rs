//! How many connections this process can open, given its descriptor limit and the local ports of its addresses.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use super::engine::sources;
use crate::transport::Address;

/// Descriptors reserved for purposes other than connections.
pub(crate) const DESCRIPTORS_BESIDE: u64 = 64;
/// The kernel's default range of local ports, assumed where `ip_local_port_range` cannot be read.
const PORTS_DEFAULT: (u32, u32) = (32_768, 60_999);
/// Stands for the address of a server that is not running yet: tcprove starts it on the loopback interface.
const LOOPBACK: Address = Address::Tcp(SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1)));

/// Checks that `connections` can be opened to `address` (the loopback interface if `None`) with this limit of
/// `descriptors`.
///
/// # Errors
/// They cannot. The text names the limit and how to raise it.
pub(crate) fn check(
    connections: usize,
    descriptors: u64,
    address: Option<&Address>,
) -> Result<(), String> {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let sources = sources(address.unwrap_or(&LOOPBACK), connections, false);
    limits(connections, descriptors, sources, ports(&range))
}

fn limits(
    connections: usize,
    descriptors: u64,
    sources: usize,
    (first, last): (u32, u32),
) -> Result<(), String> {
    let most = descriptors.saturating_sub(DESCRIPTORS_BESIDE);
    if connections as u64 > most {
        let need = connections as u64 + DESCRIPTORS_BESIDE;
        return Err(format!(
            "--connections {connections} needs {need} descriptors, and this process may open {descriptors}: raise its limit (`ulimit -n {need}`, as root if the hard limit is lower) or pass at most {most}"
        ));
    }
    let ports = u64::from(last.saturating_sub(first) + 1) * sources as u64;
    if connections as u64 > ports {
        return Err(format!(
            "--connections {connections} needs as many local ports, and there are {ports} (net.ipv4.ip_local_port_range = {first} {last}): widen the range (`sysctl net.ipv4.ip_local_port_range=\"1024 65535\"`) or pass at most {ports}"
        ));
    }
    Ok(())
}

/// The first and the last port, parsed from the text of `ip_local_port_range`.
fn ports(range: &str) -> (u32, u32) {
    let mut ends = range.split_whitespace().map(str::parse);
    match (ends.next(), ends.next()) {
        (Some(Ok(first)), Some(Ok(last))) => (first, last),
        _ => PORTS_DEFAULT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_limit_and_the_remedy() {
        let range = ports("32768\t60999\n");
        assert_eq!(limits(1000, 1064, 1, range), Ok(()));
        let refused = limits(100_000, 20_000, 10, range).unwrap_err();
        for part in [
            "100064 descriptors",
            "may open 20000",
            "ulimit -n 100064",
            "at most 19936",
        ] {
            assert!(refused.contains(part), "{refused}");
        }
        let refused = limits(30_000, u64::MAX, 1, range).unwrap_err();
        for part in [
            "there are 28232",
            "ip_local_port_range = 32768 60999",
            "at most 28232",
        ] {
            assert!(refused.contains(part), "{refused}");
        }
        assert_eq!(limits(30_000, u64::MAX, 3, range), Ok(()));
        assert_eq!(ports(""), PORTS_DEFAULT);
    }

    /// Connections over the loopback interface use several source addresses, all others a single one.
    #[test]
    fn a_remote_server_is_limited_to_one_source_address() {
        let far = Address::Tcp("192.0.2.1:80".parse().unwrap());
        assert!(check(100_000, u64::MAX, Some(&far)).is_err());
        assert_eq!(check(100_000, u64::MAX, None), Ok(()));
    }
}
