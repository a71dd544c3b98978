//! The planted faults of TLS and the PROXY protocol: each shows, and only with its layer.

use std::io::{ErrorKind, Read, Write};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use tcprove_server::{Layer, fault};

use crate::common::client::{Client, Socket};
use crate::common::tls::Authority;
use crate::common::{PROGRAM, Process, exchange, expect, read_all};

static AUTHORITY: LazyLock<Authority> = LazyLock::new(Authority::new);

const HEADER: &[u8] = b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n";

fn start(fault: &str, arguments: &[&str]) -> Process {
    let mut command = Command::new(PROGRAM);
    command.args(["--fault", fault]).args(arguments);
    if fault.contains("tls") {
        command.args(AUTHORITY.arguments());
    }
    Process::spawn(&mut command)
}

fn socket(server: &Process) -> Socket {
    Socket::tcp(([127, 0, 0, 1], server.port).into())
}

fn tls(server: &Process) -> Client {
    Client::tls(socket(server), &AUTHORITY.client())
}

/// Whether the server replies within a short time.
fn is_silent(socket: &mut Socket) -> bool {
    let Socket::Tcp(stream) = socket else {
        unreachable!("it was made with `tcp`");
    };
    let short = Some(Duration::from_millis(100));
    stream.set_read_timeout(short).unwrap();
    matches!(stream.read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
}

#[test]
fn a_half_header_blocks_everybody() {
    let server = start("proxy-late-blocks", &["--proxy=any"]);
    let mut late = socket(&server);
    late.write_all(&HEADER[..10]).unwrap();
    let mut other = socket(&server);
    other.write_all(&[HEADER, b"other\n"].concat()).unwrap();
    assert!(is_silent(&mut other));
    late.write_all(&HEADER[10..]).unwrap();
    exchange(&mut late, b"late\n", b"late\n");
    expect(&mut other, b"other\n");
}

#[test]
fn a_split_header_is_refused() {
    let server = start("proxy-read-once", &["--proxy=any"]);
    let mut split = socket(&server);
    split.write_all(&HEADER[..10]).unwrap();
    assert_eq!(read_all(&mut split), b"");
    let mut whole = socket(&server);
    whole.write_all(HEADER).unwrap();
    exchange(&mut whole, b"whole\n", b"whole\n");
}

#[test]
fn a_missing_header_is_tolerated() {
    let server = start("proxy-optional", &["--proxy=any"]);
    exchange(&mut socket(&server), b"hello\n", b"hello\n");
    exchange(&mut socket(&server), b"PRO hello\n", b"PRO hello\n");
}

#[test]
fn a_half_hello_blocks_everybody() {
    let server = start("tls-handshake-blocks", &[]);
    for begun in [&b""[..], b"\x16\x03", b"\x16\x03\x01\x01\0half"] {
        let mut half = socket(&server);
        half.write_all(begun).unwrap();
        let mut other = tls(&server);
        let hello = &mut other.tls.as_mut().unwrap();
        hello.write_tls(&mut other.socket).unwrap();
        assert!(is_silent(&mut other.socket));
        drop(half);
        let Socket::Tcp(stream) = &other.socket else {
            unreachable!("it was made with `tcp`");
        };
        stream
            .set_read_timeout(Some(crate::common::PATIENCE))
            .unwrap();
        exchange(&mut other, b"other\n", b"other\n");
    }
}

#[test]
fn garbage_ends_the_process() {
    let mut server = start("tls-garbage-kills", &[]);
    socket(&server).write_all(b"hello\n").unwrap();
    assert_eq!(server.wait().code(), Some(1));
}

#[test]
fn the_second_record_of_a_read_is_lost() {
    let server = start("tls-one-record", &[]);
    let mut client = tls(&server);
    exchange(&mut client, b"first\n", b"first\n");
    let Client { socket, tls } = &mut client;
    let tls = tls.as_mut().unwrap();
    let mut records = Vec::new();
    for piece in [&b"sec"[..], b"ond\n"] {
        tls.writer().write_all(piece).unwrap();
        tls.write_tls(&mut records).unwrap();
    }
    socket.write_all(&records).unwrap();
    expect(&mut client, b"sec\n");
    exchange(&mut client, b"third\n", b"third\n");
}

#[test]
fn a_request_in_plain_text_is_answered_under_tls() {
    let server = start("starttls-injection", &["--starttls"]);
    let mut client = Client::plain(socket(&server));
    let request = b"STARTTLS\r\ninjected\n";
    exchange(&mut client, request, b"OK begin TLS\n");
    client.begin_tls(&AUTHORITY.client());
    exchange(&mut client, b"own\n", b"injected\nown\n");
}

#[test]
fn a_fault_without_its_layer_is_refused() {
    for fault in fault::all() {
        let Some(layer) = fault.layer() else {
            continue;
        };
        let without = match layer {
            Layer::Socket => AUTHORITY.arguments(),
            Layer::Proxy | Layer::Tls | Layer::StartTls => Vec::new(),
        };
        let output = Command::new(PROGRAM)
            .args(["--fault", fault.name])
            .args(without)
            .output()
            .unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", fault.name);
        assert!(message.contains(&layer.to_string()), "{message}");
    }
}
