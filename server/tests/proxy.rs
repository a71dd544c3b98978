//! The header of the PROXY protocol: split, missing, malformed, late.

use std::io::{BufRead, Read, Write};
use std::time::Duration;

use tcprove_server::{Config, Model, Protocol, ProxyVersion};

use crate::common::client::Socket;
use crate::common::{Inside, Process, exchange, expect, read_all};

const V1: &[u8] = b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x28\
    \x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\
    \xdc\x04\x01\xbb\x04\0\x01x";
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

fn start(model: Model, handshake_timeout: Duration) -> Inside {
    Inside::start(Config {
        model,
        protocol: Protocol::Line,
        proxy: Some(ProxyVersion::Any),
        handshake_timeout,
        ..Config::default()
    })
}

const LONG: Duration = Duration::from_secs(3_600);
const SHORT: Duration = Duration::from_millis(200);

#[test]
fn a_header_may_be_split_anywhere_and_requests_may_follow_at_once() {
    for model in Model::all() {
        let server = start(*model, LONG);
        for header in [V1, V2, LOCAL] {
            let mut client = Socket::tcp(server.address.unwrap());
            for byte in header.chunks(1) {
                client.write_all(byte).unwrap();
            }
            exchange(&mut client, b"split\n", b"split\n");
            drop(client);
            let mut client = Socket::tcp(server.address.unwrap());
            let together = [header, b"first\nsec"].concat();
            exchange(&mut client, &together, b"first\n");
            exchange(&mut client, b"ond\n", b"second\n");
        }
        server.stop();
    }
}

#[test]
fn without_a_valid_header_the_connection_is_closed() {
    for model in Model::all() {
        let server = start(*model, LONG);
        for wrong in [
            &b"hello\n"[..],
            b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 65536\r\nhello\n",
            b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c............hello\n",
            &b"PROXY UNKNOWN ".repeat(10_000),
        ] {
            let mut client = Socket::tcp(server.address.unwrap());
            client.write_all(wrong).unwrap();
            assert_eq!(read_all(&mut client), b"", "{model}");
        }
        // The end of the stream instead of a header, and in the middle of one.
        for begun in [&b""[..], b"PROXY TC"] {
            let mut client = Socket::tcp(server.address.unwrap());
            client.write_all(begun).unwrap();
            client.finish();
            assert_eq!(read_all(&mut client), b"", "{model}");
        }
        let mut client = Socket::tcp(server.address.unwrap());
        client.write_all(V1).unwrap();
        exchange(&mut client, b"alive\n", b"alive\n");
        drop(client);
        server.stop();
    }
}

#[test]
fn a_late_header_closes_its_own_connection_only() {
    for model in Model::all() {
        let server = start(*model, SHORT);
        let mut late = Vec::new();
        for begun in [&b""[..], b"PROXY TCP4 192.", &V2[..20]] {
            let mut client = Socket::tcp(server.address.unwrap());
            client.write_all(begun).unwrap();
            late.push(client);
        }
        // In the sequential model this client waits for the others to be timed out.
        let mut client = Socket::tcp(server.address.unwrap());
        client.write_all(V2).unwrap();
        exchange(&mut client, b"served\n", b"served\n");
        for mut client in late {
            assert_eq!(read_all(&mut client), b"", "{model}");
        }
        drop(client);
        server.stop();
    }
}

#[test]
fn others_are_served_while_a_header_is_missing() {
    for model in Model::all() {
        if *model == Model::Sequential {
            continue;
        }
        let server = start(*model, LONG);
        let mut late = Socket::tcp(server.address.unwrap());
        late.write_all(&V1[..10]).unwrap();
        let mut client = Socket::tcp(server.address.unwrap());
        client.write_all(V1).unwrap();
        exchange(&mut client, b"served\n", b"served\n");
        late.write_all(&V1[10..]).unwrap();
        exchange(&mut late, b"late\n", b"late\n");
        drop((late, client));
        // A connection that has sent nothing does not delay a stop.
        let mut silent = Socket::tcp(server.address.unwrap());
        let mut later = Socket::tcp(server.address.unwrap());
        later.write_all(V1).unwrap();
        exchange(&mut later, b"later\n", b"later\n");
        server.shutdown.trigger();
        assert_eq!(read_all(&mut silent), b"", "{model}");
        server.stop();
    }
}

#[test]
fn the_printed_peer_is_the_one_in_the_header() {
    for model in Model::all() {
        let mut server = Process::start(&[
            "--protocol=tutorial",
            "--proxy=any",
            "--model",
            model.name(),
        ]);
        let address = ([127, 0, 0, 1], server.port).into();
        for (header, peer) in [
            (V1, Some("192.0.2.1:56324")),
            (V2, Some("[2001:db8::1]:56324")),
            (LOCAL, None),
        ] {
            let mut client = Socket::tcp(address);
            let Socket::Tcp(stream) = &client else {
                unreachable!("it was made with `tcp`");
            };
            let own = stream.local_addr().unwrap().to_string();
            client.write_all(header).unwrap();
            client.write_all(b"hello").unwrap();
            expect(&mut client, "ok, 问题正在处理中...".as_bytes());
            let lines = server.output.by_ref().lines().take(3);
            let lines: Vec<_> = lines.map(Result::unwrap).collect();
            let expected = format!("peer: {}", peer.unwrap_or(&own));
            assert_eq!(lines[0], expected, "{model}");
        }
    }
}

#[test]
fn only_the_required_version_is_accepted() {
    for (version, header, other) in [("v1", V1, V2), ("v2", V2, V1)] {
        let server = Process::start(&["--proxy", version]);
        let mut client = Socket::tcp(([127, 0, 0, 1], server.port).into());
        client.write_all(header).unwrap();
        exchange(&mut client, b"served\n", b"served\n");
        let mut client = Socket::tcp(([127, 0, 0, 1], server.port).into());
        client.write_all(other).unwrap();
        assert_eq!(read_all(&mut client), b"", "{version}");
    }
}
