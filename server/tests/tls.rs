//! TLS: handshakes that stall or fail, the end of a stream, certificates of clients.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::process::Command;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rustls::ClientConfig;
use socket2::SockRef;
use tcprove_server::{Config, Model, Protocol, Tls, TlsFiles};

use crate::common::client::{Client, Socket};
use crate::common::tls::Authority;
use crate::common::{Inside, PROGRAM, Process, exchange, read_all};

static AUTHORITY: LazyLock<Authority> = LazyLock::new(Authority::new);

fn config(model: Model) -> Config {
    Config {
        model,
        protocol: Protocol::Line,
        tls: AUTHORITY.tls(),
        ..Config::default()
    }
}

fn socket(server: &Inside) -> Socket {
    Socket::tcp(server.address.unwrap())
}

fn connect(server: &Inside) -> Client {
    Client::tls(socket(server), &AUTHORITY.client())
}

/// A ClientHello.
fn hello() -> Vec<u8> {
    let name = "localhost".try_into().unwrap();
    let mut client = rustls::ClientConnection::new(AUTHORITY.client(), name).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    hello
}

/// A fatal alert, and nothing else (RFC 8446, 5.1 and 6).
fn is_alert(bytes: &[u8]) -> bool {
    matches!(bytes, [21, 3, _, 0, 2, 2, _])
}

#[test]
fn a_stalled_handshake_is_timed_out_and_holds_up_nobody_for_longer() {
    for model in Model::all() {
        let server = Inside::start(Config {
            handshake_timeout: Duration::from_millis(200),
            ..config(*model)
        });
        let hello = hello();
        let mut stalled = Vec::new();
        for begun in [&b""[..], &hello[..20], &hello] {
            let mut socket = socket(&server);
            socket.write_all(begun).unwrap();
            stalled.push(socket);
        }
        // In the sequential model this client waits for the others to be timed out.
        let mut client = connect(&server);
        exchange(&mut client, b"served\n", b"served\n");
        for (number, mut socket) in stalled.into_iter().enumerate() {
            let got = read_all(&mut socket);
            // Only a whole hello is answered.
            assert_eq!(got.is_empty(), number < 2, "{model} {number}");
        }
        drop(client);
        server.stop();
    }
}

#[test]
fn others_are_served_during_a_handshake() {
    for model in Model::all() {
        if *model == Model::Sequential {
            continue;
        }
        let server = Inside::start(Config {
            handshake_timeout: Duration::from_secs(3_600),
            ..config(*model)
        });
        let mut slow = connect(&server);
        let mut half = socket(&server);
        half.write_all(&hello()[..20]).unwrap();
        let mut client = connect(&server);
        exchange(&mut client, b"served\n", b"served\n");
        exchange(&mut slow, b"slow\n", b"slow\n");
        drop((slow, client, half));
        // A connection that has sent nothing does not delay a stop.
        let mut silent = socket(&server);
        exchange(&mut connect(&server), b"later\n", b"later\n");
        server.shutdown.trigger();
        assert_eq!(read_all(&mut silent), b"", "{model}");
        server.stop();
    }
}

#[test]
fn garbage_instead_of_a_hello_gets_an_alert() {
    for model in Model::all() {
        let server = Inside::start(config(*model));
        // The alert arrives although most of the flood is never read.
        let flood = b"GET / HTTP/1.1\r\n\r\n".repeat(20_000);
        for garbage in [
            &b"hello\n"[..],
            &flood,
            &[0xff; 5],
            b"\x16\x03\x01\0\x04\x02\0\0\0",
        ] {
            let mut socket = socket(&server);
            socket.write_all(garbage).unwrap();
            let got = read_all(&mut socket);
            assert!(is_alert(&got), "{model} {got:?}");
        }
        exchange(&mut connect(&server), b"alive\n", b"alive\n");
        server.stop();
    }
}

#[test]
fn garbage_instead_of_a_record_gets_an_alert() {
    for model in Model::all() {
        let server = Inside::start(config(*model));
        let mut client = connect(&server);
        exchange(&mut client, b"here\n", b"here\n");
        // An encrypted record that nobody has encrypted.
        client.socket.write_all(&[23, 3, 3, 0, 20]).unwrap();
        client.socket.write_all(&[7; 20]).unwrap();
        let error = client.read(&mut [0]).unwrap_err();
        assert!(
            error.to_string().contains("BadRecordMac"),
            "{model} {error}"
        );
        drop(client);
        exchange(&mut connect(&server), b"alive\n", b"alive\n");
        server.stop();
    }
}

#[test]
fn a_close_notify_precedes_every_end() {
    for model in Model::all() {
        let idle_timeout = Duration::from_millis(100);
        let server = Inside::start(Config {
            idle_timeout,
            max_message: 100,
            ..config(*model)
        });
        // `read_all` fails without a close_notify.
        let mut idle = connect(&server);
        exchange(&mut idle, b"here\n", b"here\n");
        assert_eq!(read_all(&mut idle), b"", "{model}");
        let mut refused = connect(&server);
        refused.write_all(&[b'x'; 200]).unwrap();
        assert_eq!(read_all(&mut refused), b"ERR line too long\n", "{model}");
        drop((idle, refused));
        server.stop();
    }
    let server = Inside::start(Config {
        max_connections: 1,
        ..config(Model::TokioCurrent)
    });
    let mut served = connect(&server);
    exchange(&mut served, b"here\n", b"here\n");
    let mut refused = connect(&server);
    assert_eq!(read_all(&mut refused), b"ERR too many connections\n");
    drop((served, refused));
    server.stop();
}

#[test]
fn without_lingering_a_close_notify_is_sent_too() {
    let server = Inside::start(Config {
        protocol: Protocol::Tutorial,
        linger: Duration::ZERO,
        ..config(Model::Threads)
    });
    let mut client = connect(&server);
    client.write_all(b"hello").unwrap();
    assert_eq!(read_all(&mut client), "ok, 问题正在处理中...".as_bytes());
    server.stop();
}

#[test]
fn a_fin_without_a_close_notify_is_the_end_of_the_stream() {
    for model in Model::all() {
        let server = Inside::start(config(*model));
        let mut client = connect(&server);
        let lines = b"line\n".repeat(100);
        client.write_all(&lines).unwrap();
        client.socket.finish();
        assert!(read_all(&mut client) == lines, "{model}");
        server.stop();
    }
}

#[test]
fn the_server_stops_reading_from_a_client_that_never_reads() {
    for model in Model::all() {
        if *model == Model::Sequential {
            continue;
        }
        // With default buffers the kernel alone would take many megabytes.
        let small = Some(16_384);
        let server = Inside::start(Config {
            so_sndbuf: small,
            so_rcvbuf: small,
            ..config(*model)
        });
        let mut hog = connect(&server);
        let Socket::Tcp(stream) = &hog.socket else {
            unreachable!("it was made with `tcp`");
        };
        SockRef::from(stream).set_send_buffer_size(16_384).unwrap();
        let stream = stream.try_clone().unwrap();
        let line = [b"a".repeat(999), b"\n".to_vec()].concat();
        exchange(&mut hog, &line, &line);
        stream.set_nonblocking(true).unwrap();
        // Other clients are still served; each exchange gives the server time to read more.
        let mut other = connect(&server);
        let (mut sent, mut blocked) = (0, 0);
        while blocked < 50 {
            let tls = hog.tls.as_mut().unwrap();
            if !tls.wants_write() {
                tls.writer().write_all(&line).unwrap();
                sent += 1;
            }
            match tls.write_tls(&mut hog.socket) {
                Ok(_) => blocked = 0,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    blocked += 1;
                    exchange(&mut other, b"other\n", b"other\n");
                }
                Err(error) => panic!("{model}: {error}"),
            }
            assert!(sent < 16_000, "{model} reads without limit");
        }
        // Everything is answered once the client reads. It still has to send the rest of a record.
        stream.set_nonblocking(false).unwrap();
        let while_reading = Duration::from_millis(1);
        stream.set_write_timeout(Some(while_reading)).unwrap();
        let (tls, mut got) = (hog.tls.as_mut().unwrap(), Vec::new());
        while got.len() < sent * line.len() {
            match tls.write_tls(&mut hog.socket) {
                Err(error) if error.kind() != ErrorKind::WouldBlock => panic!("{model}: {error}"),
                _ => {}
            }
            tls.read_tls(&mut hog.socket).unwrap();
            let more = tls.process_new_packets().unwrap().plaintext_bytes_to_read();
            let known = got.len();
            got.resize(known + more, 0);
            tls.reader().read_exact(&mut got[known..]).unwrap();
        }
        assert!(got == line.repeat(sent), "{model}");
        drop((hog, other));
        server.stop();
    }
}

fn start_with(change: impl FnOnce(&mut TlsFiles)) -> Inside {
    let mut files = AUTHORITY.files();
    change(&mut files);
    Inside::start(Config {
        tls: Some(Tls::load(files).unwrap()),
        ..config(Model::TokioMulti)
    })
}

#[test]
fn a_client_needs_a_certificate_if_the_server_has_an_authority() {
    let server = start_with(|files| files.client_ca = Some(AUTHORITY.path("ca.pem")));
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let known = AUTHORITY.client_with(&[version], true);
        let mut client = Client::tls(socket(&server), &known);
        exchange(&mut client, b"known\n", b"known\n");
        let unknown = AUTHORITY.client_with(&[version], false);
        let mut client = Client::tls(socket(&server), &unknown);
        // In TLS 1.3 the client ends its handshake before the server refuses it.
        let refused = client.handshake().and_then(|()| client.read(&mut [0]));
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("alert"), "{error}");
    }
    server.stop();
}

#[test]
fn a_protocol_is_agreed_on_with_alpn() {
    let server = start_with(|files| files.alpn = vec!["b".to_owned(), "a".to_owned()]);
    let client = |offered: &[&str]| {
        let mut config = ClientConfig::clone(&AUTHORITY.client());
        config.alpn_protocols = offered
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        Client::tls(socket(&server), &Arc::new(config))
    };
    for (offered, agreed) in [
        (&["a"][..], Some(&b"a"[..])),
        (&["a", "b"], Some(b"b")),
        (&[], None),
    ] {
        let mut client = client(offered);
        exchange(&mut client, b"here\n", b"here\n");
        assert_eq!(client.tls.as_ref().unwrap().alpn_protocol(), agreed);
    }
    let error = client(&["c"]).handshake().unwrap_err().to_string();
    assert!(error.contains("NoApplicationProtocol"), "{error}");
    server.stop();
}

#[test]
fn the_program_speaks_tls_in_every_model() {
    for model in Model::all() {
        let mut arguments = AUTHORITY.arguments();
        arguments.push(format!(
            "--tls-client-ca={}",
            AUTHORITY.path("ca.pem").display()
        ));
        arguments.extend(["--tls-alpn=a,b", "--model", model.name()].map(str::to_owned));
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let server = Process::start(&arguments);
        let mut config =
            ClientConfig::clone(&AUTHORITY.client_with(&[&rustls::version::TLS12], true));
        config.alpn_protocols = vec![b"b".to_vec()];
        let socket = Socket::tcp(([127, 0, 0, 1], server.port).into());
        let mut client = Client::tls(socket, &Arc::new(config));
        exchange(&mut client, b"here\n", b"here\n");
        assert_eq!(
            client.tls.as_ref().unwrap().alpn_protocol(),
            Some(&b"b"[..])
        );
    }
}

#[test]
fn the_error_names_the_file_that_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    fs::write(&empty, "").unwrap();
    let missing = folder.path().join("missing.pem");
    let other = Authority::new();
    let (cert, key) = (AUTHORITY.path("cert.pem"), AUTHORITY.path("key.pem"));
    for (cert, key, message) in [
        (&empty, Some(&key), "cannot read a certificate from"),
        (&missing, Some(&key), "missing.pem"),
        (&cert, Some(&empty), "cannot read a private key from"),
        (&cert, Some(&other.path("key.pem")), "cannot use"),
        (&cert, None, "add --tls-key"),
    ] {
        let mut command = Command::new(PROGRAM);
        command.arg("--tls-cert").arg(cert);
        if let Some(key) = key {
            command.arg("--tls-key").arg(key);
        }
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(said.contains(message), "{said}");
        // Nobody is told to connect to a server that cannot serve.
        assert!(output.stdout.is_empty(), "{message}");
    }
}
