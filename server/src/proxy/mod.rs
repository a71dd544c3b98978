//! The header of the PROXY protocol, in which a proxy states the client's address (HAProxy's
//! `doc/proxy-protocol.txt`), sans-IO.

use std::fmt::{self, Display, Formatter};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use crate::ServerError;
use crate::peer::Peer;

/// Maximum size of a header of version 1, `\r\n` included, in bytes (section 2.1).
const V1_BYTES_MAX: usize = 107;
/// Maximum size of a header of version 2 that is accepted, in bytes. The format allows 64 KiB, but a
/// header has to fit into one segment (section 2.2), and its additional fields are small.
const V2_BYTES_MAX: usize = 4_096;
/// Beginning of a header of version 1.
const V1_PREFIX: &[u8] = b"PROXY ";
/// Beginning of a header of version 2.
const V2_SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Size of the fixed part of a header of version 2, in bytes.
const V2_FIXED: usize = 16;
/// Size of a Unix socket's address in a header of version 2, in bytes.
const UNIX_ADDRESS: usize = 108;

/// The versions of the PROXY protocol that a server accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyVersion {
    /// Version 1, a line of text.
    V1,
    /// Version 2, which is binary.
    V2,
    /// Either version.
    Any,
}

/// What the first bytes of a connection are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// The beginning of a header.
    Incomplete,
    /// A whole header.
    Header(ProxyHeader),
    /// No header, or one that is not valid.
    Malformed,
}

/// A whole header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProxyHeader {
    /// Size in bytes.
    pub(crate) length: usize,
    /// The client's address; `None` if the proxy does not state it, or speaks for itself.
    pub(crate) source: Option<Peer>,
}

/// Parses the first bytes of a connection. The result is the same however they are cut: what is
/// [`Parsed::Malformed`] stays so, and what follows a whole header has no influence.
pub(crate) fn parse(bytes: &[u8], accepted: ProxyVersion) -> Parsed {
    let v1 = || begins_like(bytes, V1_PREFIX);
    let v2 = || begins_like(bytes, V2_SIGNATURE);
    match accepted {
        ProxyVersion::V1 | ProxyVersion::Any if v1() => parse_v1(bytes),
        ProxyVersion::V2 | ProxyVersion::Any if v2() => parse_v2(bytes),
        _ => Parsed::Malformed,
    }
}

/// Whether one is a prefix of the other.
fn begins_like(bytes: &[u8], prefix: &[u8]) -> bool {
    let length = bytes.len().min(prefix.len());
    bytes[..length] == prefix[..length]
}

fn parse_v1(bytes: &[u8]) -> Parsed {
    let is_longest = bytes.len() >= V1_BYTES_MAX;
    let bytes = &bytes[..bytes.len().min(V1_BYTES_MAX)];
    let Some(end) = memchr::memchr2(b'\r', b'\n', bytes) else {
        return if is_longest {
            Parsed::Malformed
        } else {
            Parsed::Incomplete
        };
    };
    match &bytes[end..] {
        b"\r" if !is_longest => return Parsed::Incomplete,
        [b'\r', b'\n', ..] => {}
        _ => return Parsed::Malformed,
    }
    let line = std::str::from_utf8(&bytes[..end]).ok();
    match line.and_then(source_v1) {
        Some(source) => Parsed::Header(ProxyHeader {
            length: end + 2,
            source,
        }),
        None => Parsed::Malformed,
    }
}

/// The client's address in a whole line; `None` if the line is not valid.
fn source_v1(line: &str) -> Option<Option<Peer>> {
    let mut words = line.split(' ').skip(1);
    let family = words.next()?;
    if family == "UNKNOWN" {
        // The rest of the line has no meaning.
        return Some(None);
    }
    let [source, destination, source_port, destination_port] =
        [words.next()?, words.next()?, words.next()?, words.next()?];
    let address: fn(&str) -> Option<IpAddr> = match family {
        "TCP4" => |text| text.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        "TCP6" => |text| text.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        _ => return None,
    };
    let source = SocketAddr::new(address(source)?, port(source_port)?);
    address(destination)?;
    port(destination_port)?;
    words.next().is_none().then_some(Some(Peer::Ip(source)))
}

/// A decimal number without sign or leading zeros.
fn port(text: &str) -> Option<u16> {
    let is_canonical = text == "0" || text.starts_with(|first: char| matches!(first, '1'..='9'));
    text.parse().ok().filter(|_| is_canonical)
}

fn parse_v2(bytes: &[u8]) -> Parsed {
    let version_is_2 = bytes.get(12).is_none_or(|byte| byte >> 4 == 2);
    let command_is_known = bytes.get(12).is_none_or(|byte| byte & 0x0f <= 1);
    if !version_is_2 || !command_is_known {
        return Parsed::Malformed;
    }
    let Some(fixed) = bytes.first_chunk::<V2_FIXED>() else {
        return Parsed::Incomplete;
    };
    let length = V2_FIXED + usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if length > V2_BYTES_MAX {
        return Parsed::Malformed;
    }
    let Some(addresses) = bytes.get(V2_FIXED..length) else {
        return Parsed::Incomplete;
    };
    let is_local = fixed[12] & 0x0f == 0;
    let source = if is_local {
        Some(None)
    } else {
        source_v2(fixed[13], addresses)
    };
    match source {
        Some(source) => Parsed::Header(ProxyHeader { length, source }),
        None => Parsed::Malformed,
    }
}

/// The client's address; `None` if the addresses are too short or the family is reserved.
fn source_v2(family_and_protocol: u8, addresses: &[u8]) -> Option<Option<Peer>> {
    let (family, protocol) = (family_and_protocol >> 4, family_and_protocol & 0x0f);
    if protocol > 2 {
        return None;
    }
    Some(match family {
        0 => None,
        1 => {
            let (source, ports) = (addresses.first_chunk::<4>()?, addresses.get(8..12)?);
            let port = u16::from_be_bytes([ports[0], ports[1]]);
            Some(Peer::Ip((Ipv4Addr::from(*source), port).into()))
        }
        2 => {
            let (source, ports) = (addresses.first_chunk::<16>()?, addresses.get(32..36)?);
            let port = u16::from_be_bytes([ports[0], ports[1]]);
            Some(Peer::Ip((Ipv6Addr::from(*source), port).into()))
        }
        3 => {
            let source = addresses.get(..2 * UNIX_ADDRESS)?.get(..UNIX_ADDRESS)?;
            let end = memchr::memchr(0, source).unwrap_or(UNIX_ADDRESS);
            Some(Peer::Unix(source[..end].to_vec()))
        }
        _ => return None,
    })
}

impl Display for ProxyVersion {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::Any => "any",
        })
    }
}

impl FromStr for ProxyVersion {
    type Err = ServerError;

    fn from_str(name: &str) -> Result<Self, ServerError> {
        match name {
            "v1" => Ok(Self::V1),
            "v2" => Ok(Self::V2),
            "any" => Ok(Self::Any),
            _ => Err(ServerError::Setting(format!(
                "unknown version `{name}` of the PROXY protocol: expected v1, v2 or any"
            ))),
        }
    }
}

#[cfg(test)]
mod tests;
