//! Source addresses of connections over the loopback interface, where one address has too few ports.

use std::net::{IpAddr, Ipv4Addr};

use crate::transport::Address;

/// Maximum connections from one source address: well below the range of ports, since the kernel searches longer
/// as the range fills up.
const CONNECTIONS_PER_SOURCE: usize = 10_000;
/// Source addresses of a load that keeps opening connections.
const CHURN_SOURCES: usize = 16;

/// Number of source addresses in 127/8 that the connections of a part use; 1 for other servers.
pub(crate) fn sources(address: &Address, connections: usize, reopens: bool) -> usize {
    let Some(IpAddr::V4(ip)) = address.tcp().map(|addr| addr.ip()) else {
        return 1;
    };
    match (ip.is_loopback(), reopens) {
        (true, true) => CHURN_SOURCES,
        (true, false) => connections.div_ceil(CONNECTIONS_PER_SOURCE),
        (false, _) => 1,
    }
}

/// The source address of a connection by its number among those of a part. `before` addresses belong to earlier parts.
pub(super) fn source(before: usize, sources: usize, number: usize) -> Option<IpAddr> {
    if sources < 2 {
        return None;
    }
    let number = u32::try_from(before + number % sources + 1).unwrap_or(1);
    let address = u32::from(Ipv4Addr::new(127, 0, 0, 0)) | number & 0x00ff_ffff;
    Some(IpAddr::V4(address.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_source_addresses_of_their_own() {
        let mut seen = std::collections::BTreeSet::new();
        for part in 0..1000 {
            for number in 0..16 {
                assert!(seen.insert(source(16 * part, 16, number)));
            }
        }
        assert_eq!(source(0, 2, 3), Some("127.0.0.2".parse().unwrap()));
        assert_eq!(source(5, 1, 0), None);
    }
}
