//! Encodes requests and decodes answers of `NETLINK_SOCK_DIAG` (linux/netlink.h, linux/inet_diag.h).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::sys::TcpInfo;

/// Size of `struct nlmsghdr` in bytes.
const HEADER: usize = 16;
/// Size of `struct inet_diag_msg` in bytes.
const MESSAGE: usize = 72;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_DUMP: u16 = 0x300;
const INET_DIAG_INFO: u16 = 2;
const INET_DIAG_SKMEMINFO: u16 = 7;
const INET_DIAG_SKV6ONLY: u16 = 11;

/// An address family, with the kernel's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    V4 = 2,
    V6 = 10,
}

/// One socket of an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Row {
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    pub(super) state: u8,
    pub(super) timer: u8,
    pub(super) retries: u8,
    pub(super) expires_ms: u32,
    pub(super) rqueue: u32,
    pub(super) wqueue: u32,
    pub(super) inode: u32,
    pub(super) v6_only: bool,
    pub(super) rcvbuf: u32,
    pub(super) sndbuf: u32,
    pub(super) info: TcpInfo,
}

/// How the answer continues after a datagram.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// Another datagram follows.
    More,
    /// The answer is complete.
    Done,
    /// The request failed with this errno.
    Failed(i32),
}

/// Encodes a request for all sockets of a family in a state, on a local port (0 for any).
pub(super) fn dump(sequence: u32, family: Family, state: u8, port: u16) -> Vec<u8> {
    let any = match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let (local, remote) = (SocketAddr::new(any, port), SocketAddr::new(any, 0));
    request(
        sequence,
        NLM_F_REQUEST | NLM_F_DUMP,
        family,
        0,
        1 << state,
        local,
        remote,
    )
}

/// Encodes a request for one socket by its two addresses.
pub(super) fn lookup(sequence: u32, local: SocketAddr, remote: SocketAddr) -> Vec<u8> {
    let family = if local.is_ipv4() {
        Family::V4
    } else {
        Family::V6
    };
    let extensions = (1 << (INET_DIAG_INFO - 1)) | (1 << (INET_DIAG_SKMEMINFO - 1));
    request(
        sequence,
        NLM_F_REQUEST,
        family,
        extensions,
        u32::MAX,
        local,
        remote,
    )
}

fn request(
    sequence: u32,
    flags: u16,
    family: Family,
    extensions: u8,
    states: u32,
    local: SocketAddr,
    remote: SocketAddr,
) -> Vec<u8> {
    const LENGTH: u32 = 72;
    let mut out = Vec::with_capacity(LENGTH as usize);
    out.extend(LENGTH.to_ne_bytes());
    out.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    out.extend(flags.to_ne_bytes());
    out.extend(sequence.to_ne_bytes());
    out.extend(0u32.to_ne_bytes());
    // struct inet_diag_req_v2, then struct inet_diag_sockid in it.
    out.extend([family as u8, 6 /* IPPROTO_TCP */, extensions, 0]);
    out.extend(states.to_ne_bytes());
    out.extend(local.port().to_be_bytes());
    out.extend(remote.port().to_be_bytes());
    out.extend(address(local.ip()));
    out.extend(address(remote.ip()));
    out.extend(scope(local).to_ne_bytes());
    out.extend([0xff; 8]); // INET_DIAG_NOCOOKIE
    out
}

fn address(ip: IpAddr) -> [u8; 16] {
    let mut out = [0; 16];
    match ip {
        IpAddr::V4(ip) => out[..4].copy_from_slice(&ip.octets()),
        IpAddr::V6(ip) => out = ip.octets(),
    }
    out
}

/// The interface index of a link-local address.
fn scope(addr: SocketAddr) -> u32 {
    match addr {
        SocketAddr::V4(_) => 0,
        SocketAddr::V6(addr) => addr.scope_id(),
    }
}

/// Decodes the sockets of one datagram. Skips messages that answer another request.
pub(super) fn parse(mut datagram: &[u8], sequence: u32, rows: &mut Vec<Row>) -> Reply {
    while datagram.len() >= HEADER {
        let length = u32_at(datagram, 0) as usize;
        let Some(message) = datagram.get(..length).filter(|_| length >= HEADER) else {
            break;
        };
        let (kind, flags) = (u16_at(message, 4), u16_at(message, 6));
        if u32_at(message, 8) == sequence {
            let body = &message[HEADER..];
            match kind {
                NLMSG_ERROR if body.len() >= 4 && u32_at(body, 0) == 0 => return Reply::Done,
                NLMSG_ERROR => return Reply::Failed(i32_at(body, 0).saturating_neg().max(1)),
                NLMSG_DONE => return Reply::Done,
                SOCK_DIAG_BY_FAMILY => rows.extend(row(body)),
                _ => {}
            }
            if flags & 2 == 0 {
                return Reply::Done; // Not NLM_F_MULTI: the only message.
            }
        }
        datagram = datagram
            .get(length.next_multiple_of(4)..)
            .unwrap_or_default();
    }
    Reply::More
}

fn row(body: &[u8]) -> Option<Row> {
    let message = body.get(..MESSAGE)?;
    let (family, port) = (message[0], |at| {
        u16::from_be_bytes([message[at], message[at + 1]])
    });
    let mut row = Row {
        local: SocketAddr::new(ip(family, &message[8..24])?, port(4)),
        remote: SocketAddr::new(ip(family, &message[24..40])?, port(6)),
        state: message[1],
        timer: message[2],
        retries: message[3],
        expires_ms: u32_at(message, 52),
        rqueue: u32_at(message, 56),
        wqueue: u32_at(message, 60),
        inode: u32_at(message, 68),
        v6_only: false,
        rcvbuf: 0,
        sndbuf: 0,
        info: TcpInfo::default(),
    };
    take_attributes(&body[MESSAGE..], &mut row);
    Some(row)
}

/// Decodes an address. An IPv4-mapped IPv6 address becomes an IPv4 address.
fn ip(family: u8, bytes: &[u8]) -> Option<IpAddr> {
    if family == Family::V4 as u8 {
        return Some(IpAddr::from(<[u8; 4]>::try_from(&bytes[..4]).ok()?));
    }
    Some(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?).to_canonical())
}

fn take_attributes(mut rest: &[u8], row: &mut Row) {
    while rest.len() >= 4 {
        let length = usize::from(u16_at(rest, 0));
        let Some(value) = rest.get(4..length) else {
            return;
        };
        match u16_at(rest, 2) {
            INET_DIAG_INFO => row.info = TcpInfo::parse(value),
            // struct sk_meminfo: rmem_alloc, rcvbuf, wmem_alloc, sndbuf, ...
            INET_DIAG_SKMEMINFO => (row.rcvbuf, row.sndbuf) = (u32_at(value, 4), u32_at(value, 12)),
            INET_DIAG_SKV6ONLY => row.v6_only = value.first() == Some(&1),
            _ => {}
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes
        .get(at..at + 2)
        .and_then(|b| b.try_into().ok())
        .map_or(0, u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..at + 4)
        .and_then(|b| b.try_into().ok())
        .map_or(0, u32::from_ne_bytes)
}

fn i32_at(bytes: &[u8], at: usize) -> i32 {
    u32_at(bytes, at).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_the_length_in_their_header() {
        let addr: SocketAddr = "127.0.0.1:80".parse().unwrap();
        for bytes in [dump(1, Family::V6, 10, 80), lookup(2, addr, addr)] {
            assert_eq!(bytes.len(), 72);
            assert_eq!(u32_at(&bytes, 0), 72);
        }
    }

    #[test]
    fn invalid_lengths_end_decoding() {
        let mut rows = Vec::new();
        assert_eq!(parse(&[0; 64], 0, &mut rows), Reply::More);
        assert_eq!(parse(&[0xff; 64], 0, &mut rows), Reply::More);
        assert_eq!(row(&[2; 71]), None);
        let mut found = row(&[2; 72]).unwrap();
        take_attributes(&[3, 0, 2, 0, 9], &mut found);
        take_attributes(&[0, 0, 2, 0, 9, 9, 9, 9], &mut found);
        assert!(rows.is_empty());
    }
}
