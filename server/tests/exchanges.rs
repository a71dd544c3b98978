//! Every protocol in every model: ordinary exchanges, concurrent clients, half-close.

use std::io::Write;
use std::thread;

use tcprove_server::{Config, Model, Protocol};

use crate::common::{Inside, exchange, expect, finish, read_all};

/// A request and its reply.
fn turn(protocol: Protocol, index: usize) -> (Vec<u8>, Vec<u8>) {
    let body = format!("问题 {index}");
    match protocol {
        Protocol::Tutorial => (body.into_bytes(), "ok, 问题正在处理中...".into()),
        Protocol::Echo => (body.clone().into_bytes(), body.into_bytes()),
        Protocol::Line => (
            format!("{body}\r\n").into_bytes(),
            format!("{body}\n").into_bytes(),
        ),
        Protocol::Frame => {
            let length = u32::try_from(body.len()).unwrap().to_be_bytes();
            let frame = [&length[..], body.as_bytes()].concat();
            (frame.clone(), frame)
        }
    }
}

fn every(mut check: impl FnMut(Protocol, Model)) {
    for protocol in Protocol::all() {
        for model in Model::all() {
            println!("{protocol} {model}");
            check(*protocol, *model);
        }
    }
}

fn start(protocol: Protocol, model: Model) -> Inside {
    Inside::start(Config {
        protocol,
        model,
        ..Config::default()
    })
}

#[test]
fn concurrent_clients_get_their_own_replies() {
    every(|protocol, model| {
        let server = start(protocol, model);
        thread::scope(|scope| {
            for client in 0..8 {
                let server = &server;
                scope.spawn(move || {
                    let mut stream = server.connect();
                    let turns = if protocol == Protocol::Tutorial {
                        1
                    } else {
                        10
                    };
                    for index in 0..turns {
                        let (request, reply) = turn(protocol, client * 100 + index);
                        exchange(&mut stream, &request, &reply);
                    }
                });
            }
        });
        server.stop();
    });
}

#[test]
fn requests_before_a_fin_are_answered() {
    every(|protocol, model| {
        let server = start(protocol, model);
        let mut stream = server.connect();
        let turns = if protocol == Protocol::Tutorial {
            1
        } else {
            50
        };
        let (requests, replies): (Vec<_>, Vec<_>) =
            (0..turns).map(|index| turn(protocol, index)).unzip();
        stream.write_all(&requests.concat()).unwrap();
        finish(&stream);
        assert_eq!(read_all(&mut stream), replies.concat());
        server.stop();
    });
}

#[test]
fn a_request_in_single_bytes_is_one_request() {
    for protocol in [Protocol::Line, Protocol::Frame, Protocol::Echo] {
        let server = start(protocol, Model::TokioCurrent);
        let mut stream = server.connect();
        stream.set_nodelay(true).unwrap();
        let (request, reply) = turn(protocol, 1);
        for byte in request.chunks(1) {
            stream.write_all(byte).unwrap();
        }
        expect(&mut stream, &reply);
        server.stop();
    }
}

#[test]
fn a_refusal_is_seen_however_much_was_sent() {
    let flood = vec![0xff; 300_000];
    for (protocol, refusal) in [
        (Protocol::Line, &b"ERR line too long\n"[..]),
        (Protocol::Frame, b"\0\0\0\x12ERR frame too long"),
        (Protocol::Tutorial, b"error: not valid UTF-8"),
    ] {
        for model in Model::all() {
            let server = start(protocol, *model);
            let mut stream = server.connect();
            stream.write_all(&flood).unwrap();
            assert_eq!(read_all(&mut stream), refusal, "{protocol} {model}");
            // The server lingers until the client closes.
            drop(stream);
            server.stop();
        }
    }
}

#[test]
fn a_big_receive_buffer_takes_many_requests_at_once() {
    let config = Config {
        recv_buffer: 1 << 20,
        so_rcvbuf_after_accept: Some(1 << 20),
        so_sndbuf: Some(1 << 20),
        so_rcvbuf: Some(1 << 20),
        ..Config::default()
    };
    let server = Inside::start(config);
    let mut stream = server.connect();
    let lines = b"0123456789\n".repeat(50_000);
    thread::scope(|scope| {
        let mut writer = stream.try_clone().unwrap();
        scope.spawn(move || writer.write_all(&b"0123456789\r\n".repeat(50_000)).unwrap());
        expect(&mut stream, &lines);
    });
    server.stop();
}
