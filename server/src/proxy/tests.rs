//! Headers that are valid, split, damaged, or written by another implementation.

use std::net::{IpAddr, SocketAddr};

use proptest::prelude::*;
use proxy_header::{ParseConfig, ProxiedAddress, ProxyHeader as Reference, Tlv};

use super::*;

fn ip(text: &str) -> Option<Peer> {
    Some(Peer::Ip(text.parse().expect("an address")))
}

fn v2(version_and_command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("a short body");
    let fixed = [&V2_SIGNATURE[..], &[version_and_command, family]].concat();
    [&fixed, &length.to_be_bytes()[..], body].concat()
}

#[track_caller]
fn is_header(bytes: &[u8], source: Option<Peer>) {
    let length = bytes.len();
    let expected = Parsed::Header(ProxyHeader { length, source });
    assert_eq!(parse(bytes, ProxyVersion::Any), expected);
    // What follows belongs to the client.
    let more = [bytes, b"\r\nhello\n"].concat();
    assert_eq!(parse(&more, ProxyVersion::Any), expected);
    for end in 0..length {
        let part = parse(&bytes[..end], ProxyVersion::Any);
        assert_eq!(part, Parsed::Incomplete, "after {end} bytes");
    }
}

#[test]
fn headers_of_version_1() {
    is_header(
        b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n",
        ip("192.0.2.1:56324"),
    );
    is_header(b"PROXY TCP6 2001:db8::1 ::1 0 1\r\n", ip("[2001:db8::1]:0"));
    is_header(b"PROXY UNKNOWN\r\n", None);
    is_header(b"PROXY UNKNOWN ffff:: who knows 1 2 3\r\n", None);
    let longest = format!("PROXY UNKNOWN{}\r\n", " x".repeat(46));
    assert_eq!(longest.len(), V1_BYTES_MAX);
    is_header(longest.as_bytes(), None);
}

#[test]
fn headers_of_version_2() {
    let tcp4 = [192, 0, 2, 1, 192, 0, 2, 2, 0xdc, 0x04, 0x01, 0xbb];
    is_header(&v2(0x21, 0x11, &tcp4), ip("192.0.2.1:56324"));
    let fields = [&tcp4[..], b"\x04\0\x03abc"].concat();
    is_header(&v2(0x21, 0x11, &fields), ip("192.0.2.1:56324"));
    let tcp6 = [&[0; 15][..], &[1], &[0; 16], &[0, 80, 0, 81]].concat();
    is_header(&v2(0x21, 0x21, &tcp6), ip("[::1]:80"));
    let mut unix = vec![0; 2 * UNIX_ADDRESS];
    unix[..5].copy_from_slice(b"/a\n/b");
    let source = Peer::Unix(b"/a\n/b".to_vec());
    assert_eq!(source.to_string(), "unix:/a\\n/b");
    is_header(&v2(0x21, 0x31, &unix), Some(source));
    is_header(&v2(0x21, 0x00, b""), None);
    is_header(&v2(0x21, 0x00, b"anything"), None);
    // LOCAL: the proxy speaks for itself, whatever the addresses say.
    is_header(&v2(0x20, 0x11, &tcp4), None);
    is_header(&v2(0x20, 0x00, b""), None);
}

#[test]
fn anything_else_is_malformed_at_once() {
    for wrong in [
        &b"hello\n"[..],
        b"PROXY\tTCP4",
        b"PROXY TCP4 1.2.3.4\n",
        b"PROXY TCP4 1.2.3.4\rx",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n",
        b"PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n",
        b"PROXY TCP4 ::1 ::1 1 2\r\n",
        b"PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n",
        b"PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n",
        b"PROXY UNKNOWN\xff\r\n",
        &[b"PROXY UNKNOWN ", &[b'x'; V1_BYTES_MAX][..]].concat(),
        b"\r\n\r\n\0\r\nQUIT\r",
        &v2(0x11, 0x11, &[0; 12]),
        &v2(0x22, 0x11, &[0; 12]),
        &v2(0x21, 0x11, &[0; 11]),
        &v2(0x21, 0x21, &[0; 35]),
        &v2(0x21, 0x31, &[0; 2 * UNIX_ADDRESS - 1]),
        &v2(0x21, 0x13, &[0; 12]),
        &v2(0x21, 0x41, &[0; 12]),
        &v2(0x21, 0x11, &[0; V2_BYTES_MAX])[..V2_FIXED],
    ] {
        assert_eq!(
            parse(wrong, ProxyVersion::Any),
            Parsed::Malformed,
            "{}",
            wrong.escape_ascii()
        );
    }
}

#[test]
fn only_the_accepted_version_is_a_header() {
    let (one, two) = (b"PROXY UNKNOWN\r\n".to_vec(), v2(0x20, 0, b""));
    for (version, accepted, refused) in [
        (ProxyVersion::V1, &one, &two),
        (ProxyVersion::V2, &two, &one),
    ] {
        assert!(matches!(parse(accepted, version), Parsed::Header(_)));
        assert_eq!(parse(refused, version), Parsed::Malformed);
        assert_eq!(version.to_string().parse().ok(), Some(version));
    }
}

/// Two addresses of one family.
fn addresses() -> impl Strategy<Value = (SocketAddr, SocketAddr)> {
    let four = any::<([u8; 4], [u8; 4])>();
    let four = four.prop_map(|(source, to)| (IpAddr::from(source), IpAddr::from(to)));
    let six = any::<([u8; 16], [u8; 16])>();
    let six = six.prop_map(|(source, to)| (IpAddr::from(source), IpAddr::from(to)));
    (prop_oneof![four, six], any::<(u16, u16)>())
        .prop_map(|((source, to), ports)| ((source, ports.0).into(), (to, ports.1).into()))
}

proptest! {
    /// Headers that another implementation has written are read as it meant them.
    #[test]
    fn headers_of_another_implementation((source, to) in addresses(), name in "[a-z]{0,20}") {
        let mut header = Reference::with_address(ProxiedAddress::stream(source, to));
        let mut bytes = Vec::new();
        header.encode_v1(&mut bytes).expect("a vector takes all bytes");
        is_header(&bytes, Some(Peer::Ip(source)));
        header.append_tlv(Tlv::Authority(name.into()));
        bytes.clear();
        header.encode_v2(&mut bytes).expect("a vector takes all bytes");
        is_header(&bytes, Some(Peer::Ip(source)));
    }

    /// Of damaged headers, those that both implementations accept mean the same to both, and more
    /// bytes never change what is known already.
    #[test]
    fn damaged_headers(
        (source, to) in addresses(),
        is_v1: bool,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
    ) {
        let header = Reference::with_address(ProxiedAddress::stream(source, to));
        let mut bytes = Vec::new();
        let encoded = if is_v1 { header.encode_v1(&mut bytes) } else { header.encode_v2(&mut bytes) };
        encoded.expect("a vector takes all bytes");
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let whole = parse(&bytes, ProxyVersion::Any);
        if let (Parsed::Header(ours), Ok((theirs, length))) =
            (&whole, Reference::parse(&bytes, ParseConfig::default()))
        {
            prop_assert_eq!(ours.length, length);
            let theirs = theirs.proxied_address().map(|address| Peer::Ip(address.source));
            if !matches!(ours.source, Some(Peer::Unix(_))) {
                prop_assert_eq!(&ours.source, &theirs);
            }
        }
        for end in 0..bytes.len() {
            match parse(&bytes[..end], ProxyVersion::Any) {
                Parsed::Incomplete => {}
                known => prop_assert_eq!(&known, &whole, "after {} bytes", end),
            }
        }
    }
}
