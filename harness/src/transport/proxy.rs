//! The header of the PROXY protocol, with which a proxy tells a server the address of its client.
//!
//! Source: "The PROXY protocol, versions 1 & 2", HAProxy Technologies, sections 2.1 and 2.2.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The first bytes of a header of version 2.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2, command LOCAL: the proxy itself is the client.
const LOCAL: u8 = 0x20;
/// Version 2, command PROXY.
const PROXY: u8 = 0x21;
/// TCP over IPv4, and over IPv6.
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;

/// Version of the PROXY protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyVersion {
    /// A line of text.
    V1,
    /// A binary header.
    V2,
}

impl ProxyVersion {
    /// The header for a connection from the first address to the second. `None`: the addresses are unknown, as for a
    /// Unix socket.
    pub fn header(self, addresses: Option<(SocketAddr, SocketAddr)>) -> Vec<u8> {
        match self {
            Self::V1 => text(addresses).into_bytes(),
            Self::V2 => binary(addresses),
        }
    }
}

impl fmt::Display for ProxyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        })
    }
}

fn text(addresses: Option<(SocketAddr, SocketAddr)>) -> String {
    let Some((from, to)) = addresses else {
        return "PROXY UNKNOWN\r\n".to_owned();
    };
    let family = if from.is_ipv4() { "TCP4" } else { "TCP6" };
    format!(
        "PROXY {family} {} {} {} {}\r\n",
        from.ip(),
        to.ip(),
        from.port(),
        to.port()
    )
}

fn binary(addresses: Option<(SocketAddr, SocketAddr)>) -> Vec<u8> {
    let mut header = SIGNATURE.to_vec();
    let mut body = Vec::new();
    let family = match addresses {
        None => 0,
        Some((from, to)) => {
            body.extend(octets(from.ip()));
            body.extend(octets(to.ip()));
            body.extend(from.port().to_be_bytes());
            body.extend(to.port().to_be_bytes());
            if from.is_ipv4() { TCP4 } else { TCP6 }
        }
    };
    header.push(if addresses.is_some() { PROXY } else { LOCAL });
    header.push(family);
    header.extend((body.len() as u16).to_be_bytes());
    header.extend(body);
    header
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(from: &str, to: &str) -> Option<(SocketAddr, SocketAddr)> {
        Some((from.parse().unwrap(), to.parse().unwrap()))
    }

    #[test]
    fn headers_of_version_1() {
        let header = |addresses| String::from_utf8(ProxyVersion::V1.header(addresses)).unwrap();
        assert_eq!(
            header(addresses("127.0.0.1:81", "127.0.0.2:8080")),
            "PROXY TCP4 127.0.0.1 127.0.0.2 81 8080\r\n"
        );
        assert_eq!(
            header(addresses("[::1]:81", "[::1]:82")),
            "PROXY TCP6 ::1 ::1 81 82\r\n"
        );
        assert_eq!(header(None), "PROXY UNKNOWN\r\n");
    }

    #[test]
    fn headers_of_version_2() {
        let header = ProxyVersion::V2.header(addresses("127.0.0.1:258", "127.0.0.2:772"));
        assert_eq!(&header[..12], SIGNATURE);
        assert_eq!(
            header[12..],
            [0x21, 0x11, 0, 12, 127, 0, 0, 1, 127, 0, 0, 2, 1, 2, 3, 4]
        );
        let header = ProxyVersion::V2.header(addresses("[::1]:258", "[::1]:772"));
        assert_eq!(header[12..16], [0x21, 0x21, 0, 36]);
        assert_eq!(header.len(), 16 + 36);
        assert_eq!(ProxyVersion::V2.header(None)[12..], [0x20, 0, 0, 0]);
    }
}
