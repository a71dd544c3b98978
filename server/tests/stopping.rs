//! The ways in which connections end: drained, timed out, refused, reset.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use socket2::SockRef;
use tcprove_server::{Config, Model, Protocol};

use crate::common::{Inside, exchange, expect, read_all};

fn line(model: Model) -> Config {
    Config {
        model,
        protocol: Protocol::Line,
        ..Config::default()
    }
}

const CONCURRENT: [Model; 4] = [
    Model::Threads,
    Model::Prefork,
    Model::TokioCurrent,
    Model::TokioMulti,
];

#[test]
fn a_stop_closes_idle_connections_and_lets_a_half_request_finish() {
    for model in CONCURRENT {
        // If the server waited for the whole drain, the test would time out.
        let server = Inside::start(Config {
            drain: Duration::from_secs(3_600),
            ..line(model)
        });
        let (mut idle, mut busy) = (server.connect(), server.connect());
        exchange(&mut idle, b"here\n", b"here\n");
        exchange(&mut busy, b"first\nsec", b"first\n");
        server.shutdown.trigger();
        assert_eq!(read_all(&mut idle), b"", "{model}");
        exchange(&mut busy, b"ond\n", b"second\n");
        assert_eq!(read_all(&mut busy), b"", "{model}");
        let address = server.address.unwrap();
        server.stop();
        assert_eq!(
            TcpStream::connect(address).unwrap_err().kind(),
            ErrorKind::ConnectionRefused
        );
    }
}

#[test]
fn the_sequential_model_stops_while_it_serves() {
    let server = Inside::start(line(Model::Sequential));
    let mut stream = server.connect();
    exchange(&mut stream, b"here\n", b"here\n");
    server.shutdown.trigger();
    assert_eq!(read_all(&mut stream), b"");
    server.stop();
}

#[test]
fn a_drain_ends_without_the_rest_of_a_request() {
    for model in Model::all() {
        let server = Inside::start(Config {
            drain: Duration::from_millis(100),
            ..line(*model)
        });
        let mut stream = server.connect();
        exchange(&mut stream, b"first\nsec", b"first\n");
        server.stop();
        assert_eq!(read_all(&mut stream), b"", "{model}");
    }
}

#[test]
fn silent_and_slow_clients_are_timed_out() {
    for model in CONCURRENT {
        if model == Model::Prefork {
            continue;
        }
        let idle_timeout = Duration::from_millis(200);
        let server = Inside::start(Config {
            idle_timeout,
            ..line(model)
        });
        let mut silent = server.connect();
        assert_eq!(read_all(&mut silent), b"", "{model}");
        // Sending single bytes does not extend the timeout.
        let mut slow = server.connect();
        slow.set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        while slow.write_all(b"a").is_ok() {
            match slow.read(&mut [0]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                _ => break,
            }
        }
        server.stop();
    }
}

#[test]
fn the_server_stops_reading_from_a_client_that_never_reads() {
    for model in CONCURRENT {
        // With default buffers the kernel alone would take many megabytes.
        let small = Some(16_384);
        let server = Inside::start(Config {
            so_sndbuf: small,
            so_rcvbuf: small,
            ..line(model)
        });
        let mut hog = server.connect();
        SockRef::from(&hog).set_send_buffer_size(16_384).unwrap();
        hog.set_nonblocking(true).unwrap();
        let line = [b"a".repeat(999), b"\n".to_vec()].concat();
        let mut sent = 0;
        // Other clients are still served; each exchange gives the server time to read more.
        let mut other = server.connect();
        let mut blocked = 0;
        while blocked < 50 {
            match hog.write(&line[sent % line.len()..]) {
                Ok(count) => (sent, blocked) = (sent + count, 0),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    blocked += 1;
                    exchange(&mut other, b"other\n", b"other\n");
                }
                Err(error) => panic!("{model}: {error}"),
            }
            assert!(sent < 16 << 20, "{model} reads without limit");
        }
        // Everything that the server has read is answered once the client reads.
        hog.set_nonblocking(false).unwrap();
        let whole = sent / line.len();
        expect(&mut hog, &line.repeat(whole));
        server.stop();
    }
}

#[test]
fn too_many_connections_are_refused_until_there_is_room_again() {
    for model in [Model::Threads, Model::TokioCurrent, Model::TokioMulti] {
        for (protocol, refusal) in [
            (Protocol::Line, &b"ERR too many connections\n"[..]),
            (Protocol::Frame, b"\0\0\0\x18ERR too many connections"),
            (Protocol::Echo, b""),
        ] {
            let config = Config {
                protocol,
                max_connections: 2,
                ..line(model)
            };
            let server = Inside::start(config);
            let turn: &[u8] = if protocol == Protocol::Frame {
                b"\0\0\0\x01a"
            } else {
                b"a\n"
            };
            let mut served = [server.connect(), server.connect()];
            for stream in &mut served {
                exchange(stream, turn, turn);
            }
            let mut refused = server.connect();
            // A request that was sent already must not destroy the refusal.
            refused.write_all(turn).unwrap();
            assert_eq!(read_all(&mut refused), refusal, "{model} {protocol}");
            drop((served, refused));
            crate::common::until("there is room again", || {
                let mut stream = server.connect();
                stream.write_all(turn).unwrap();
                let mut got = vec![0; turn.len()];
                stream.read_exact(&mut got).is_ok() && got == turn
            });
            server.stop();
        }
    }
}

#[test]
fn resets_end_one_connection_only() {
    for model in CONCURRENT {
        let server = Inside::start(line(model));
        for sent in [&b""[..], b"half", b"whole\n"] {
            for _ in 0..20 {
                let mut stream = server.connect();
                stream.write_all(sent).unwrap();
                SockRef::from(&stream)
                    .set_linger(Some(Duration::ZERO))
                    .unwrap();
            }
        }
        exchange(&mut server.connect(), b"alive\n", b"alive\n");
        server.stop();
    }
}

#[test]
fn an_urgent_byte_leaves_the_stream_intact() {
    for model in Model::all() {
        let server = Inside::start(line(*model));
        // How much the server has read when the urgent byte arrives varies.
        for _ in 0..50 {
            let mut stream = server.connect();
            stream.set_nodelay(true).unwrap();
            stream.write_all(b"be").unwrap();
            SockRef::from(&stream).send_out_of_band(b"!").unwrap();
            exchange(&mut stream, b"fore\n", b"before\n");
            exchange(&mut stream, b"later\n", b"later\n");
        }
        server.stop();
    }
}
