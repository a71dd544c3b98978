//! Every model over every transport: ordinary exchanges, many requests at once, long replies.

use std::io::Write;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::thread;

use tcprove_server::{Config, Model, Protocol, ProxyVersion};
use tempfile::TempDir;

use crate::common::client::{Client, Socket};
use crate::common::tls::Authority;
use crate::common::{Inside, exchange, expect, read_all};

static AUTHORITY: LazyLock<Authority> = LazyLock::new(Authority::new);

/// A combination of transports.
#[derive(Debug, Clone, Copy)]
struct Wire {
    unix: bool,
    proxy: Option<ProxyVersion>,
    tls: bool,
}

const TCP: Wire = Wire {
    unix: false,
    proxy: None,
    tls: false,
};

const WIRES: [Wire; 7] = [
    Wire { tls: true, ..TCP },
    Wire { unix: true, ..TCP },
    Wire {
        proxy: Some(ProxyVersion::V1),
        ..TCP
    },
    Wire {
        proxy: Some(ProxyVersion::V2),
        ..TCP
    },
    Wire {
        proxy: Some(ProxyVersion::V1),
        tls: true,
        ..TCP
    },
    Wire {
        unix: true,
        tls: true,
        ..TCP
    },
    Wire {
        unix: true,
        proxy: Some(ProxyVersion::Any),
        tls: true,
    },
];

/// A server over one of the combinations.
struct Server {
    inside: Inside,
    wire: Wire,
    path: PathBuf,
    _folder: TempDir,
}

impl Server {
    fn start(wire: Wire, config: Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let inside = Inside::start(Config {
            unix: wire.unix.then(|| path.clone()),
            proxy: wire.proxy,
            tls: wire.tls.then(|| AUTHORITY.tls()).flatten(),
            ..config
        });
        Self {
            inside,
            wire,
            path,
            _folder: folder,
        }
    }

    fn connect(&self) -> Client {
        let mut socket = match self.inside.address {
            Some(address) => Socket::tcp(address),
            None => Socket::unix(&self.path),
        };
        if let Some(version) = self.wire.proxy {
            socket.write_all(header(version)).unwrap();
        }
        if self.wire.tls {
            Client::tls(socket, &AUTHORITY.client())
        } else {
            Client::plain(socket)
        }
    }
}

/// A header of the PROXY protocol.
fn header(version: ProxyVersion) -> &'static [u8] {
    match version {
        ProxyVersion::V1 => b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n",
        ProxyVersion::V2 | ProxyVersion::Any => {
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\xdc\x04\x01\xbb"
        }
    }
}

fn every(check: impl Fn(Wire, Model) + Sync) {
    thread::scope(|scope| {
        for wire in WIRES {
            let check = &check;
            scope.spawn(move || {
                for model in Model::all() {
                    println!("{wire:?} {model}");
                    check(wire, *model);
                }
            });
        }
    });
}

fn line(model: Model) -> Config {
    Config {
        model,
        protocol: Protocol::Line,
        ..Config::default()
    }
}

#[test]
fn an_ordinary_conversation() {
    every(|wire, model| {
        let server = Server::start(wire, line(model));
        let mut client = server.connect();
        exchange(&mut client, "问题\n".as_bytes(), "问题\n".as_bytes());
        client.write_all(b"sec").unwrap();
        exchange(&mut client, b"ond\nthird\n", b"second\nthird\n");
        client.finish();
        assert_eq!(read_all(&mut client), b"", "{wire:?} {model}");
        server.inside.stop();
    });
}

#[test]
fn concurrent_clients_get_their_own_replies() {
    every(|wire, model| {
        let server = Server::start(wire, line(model));
        thread::scope(|scope| {
            for number in 0..4 {
                let server = &server;
                scope.spawn(move || {
                    let mut client = server.connect();
                    for index in 0..10 {
                        let line = format!("{number} {index}\n");
                        exchange(&mut client, line.as_bytes(), line.as_bytes());
                    }
                });
            }
        });
        server.inside.stop();
    });
}

#[test]
fn requests_before_the_end_of_the_stream_are_answered() {
    every(|wire, model| {
        let server = Server::start(wire, line(model));
        let mut client = server.connect();
        let lines = b"0123456789\n".repeat(200);
        client.write_all(&lines).unwrap();
        client.finish();
        assert!(read_all(&mut client) == lines, "{wire:?} {model}");
        server.inside.stop();
    });
}

#[test]
fn a_request_in_single_bytes_is_one_request() {
    every(|wire, model| {
        let config = Config {
            recv_buffer: 1,
            ..line(model)
        };
        let server = Server::start(wire, config);
        let mut client = server.connect();
        for byte in b"hello\n".chunks(1) {
            client.write_all(byte).unwrap();
        }
        expect(&mut client, b"hello\n");
        drop(client);
        server.inside.stop();
    });
}

/// The reply exceeds what the sockets hold, and the client reads nothing before it has sent everything.
#[test]
fn a_long_reply_arrives_whole() {
    every(|wire, model| {
        let config = Config {
            protocol: Protocol::Frame,
            max_message: 8 << 20,
            recv_buffer: 65_536,
            ..line(model)
        };
        let server = Server::start(wire, config);
        let mut client = server.connect();
        let length = 3_u32 << 20;
        let body = vec![b'x'; length as usize];
        let frame = [&length.to_be_bytes()[..], &body].concat();
        client.write_all(&frame).unwrap();
        client.finish();
        assert!(read_all(&mut client) == frame, "{wire:?} {model}");
        server.inside.stop();
    });
}

#[test]
fn the_tutorial_replies_and_closes() {
    every(|wire, model| {
        let config = Config {
            protocol: Protocol::Tutorial,
            ..line(model)
        };
        let server = Server::start(wire, config);
        let mut client = server.connect();
        client.write_all("问题".as_bytes()).unwrap();
        assert_eq!(read_all(&mut client), "ok, 问题正在处理中...".as_bytes());
        drop(client);
        server.inside.stop();
    });
}

#[test]
fn a_stop_closes_idle_connections_and_lets_a_half_request_finish() {
    every(|wire, model| {
        if model == Model::Sequential {
            return;
        }
        let server = Server::start(wire, line(model));
        let (mut idle, mut busy) = (server.connect(), server.connect());
        exchange(&mut idle, b"here\n", b"here\n");
        exchange(&mut busy, b"first\n", b"first\n");
        busy.write_all(b"sec").unwrap();
        server.inside.shutdown.trigger();
        assert_eq!(read_all(&mut idle), b"", "{wire:?} {model}");
        exchange(&mut busy, b"ond\n", b"second\n");
        assert_eq!(read_all(&mut busy), b"", "{wire:?} {model}");
        server.inside.stop();
        assert!(!server.path.exists(), "{wire:?} {model}");
    });
}
