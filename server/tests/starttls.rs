//! The command that begins TLS.

use std::io::Write;
use std::process::Command;
use std::sync::LazyLock;

use tcprove_server::{Config, Model, Protocol};

use crate::common::client::{Client, Socket};
use crate::common::tls::Authority;
use crate::common::{Inside, PROGRAM, Process, exchange, expect, read_all};

static AUTHORITY: LazyLock<Authority> = LazyLock::new(Authority::new);

const COMMAND: &[u8] = b"STARTTLS\r\n";
const ANSWER: &[u8] = b"OK begin TLS\n";

fn every(check: impl Fn(&Inside)) {
    for model in Model::all() {
        println!("{model}");
        let server = Inside::start(Config {
            model: *model,
            protocol: Protocol::Line,
            tls: AUTHORITY.tls(),
            starttls: true,
            ..Config::default()
        });
        check(&server);
        server.stop();
    }
}

fn connect(server: &Inside) -> Client {
    Client::plain(Socket::tcp(server.address.unwrap()))
}

#[test]
fn a_connection_is_upgraded_between_two_requests() {
    every(|server| {
        let mut client = connect(server);
        exchange(&mut client, b"plain\n", b"plain\n");
        exchange(&mut client, COMMAND, ANSWER);
        client.begin_tls(&AUTHORITY.client());
        exchange(&mut client, b"secret\n", b"secret\n");
        // TLS has begun, so this is an ordinary line.
        exchange(&mut client, COMMAND, b"STARTTLS\n");
        client.finish();
        assert_eq!(read_all(&mut client), b"");
    });
}

#[test]
fn tls_is_not_required() {
    every(|server| {
        let mut client = connect(server);
        exchange(&mut client, b"plain\n", b"plain\n");
        client.finish();
        assert_eq!(read_all(&mut client), b"");
    });
}

/// The attack of CVE-2011-0411: requests in plain text are answered as if they had been protected.
#[test]
fn requests_in_plain_text_after_the_command_are_discarded() {
    every(|server| {
        for injected in [&b"injected\n"[..], b"inj", &b"injected\n".repeat(50)] {
            let mut client = connect(server);
            client
                .write_all(&[b"first\n", COMMAND, injected].concat())
                .unwrap();
            expect(&mut client, &[b"first\n", ANSWER].concat());
            client.begin_tls(&AUTHORITY.client());
            exchange(&mut client, b"secret\n", b"secret\n");
            client.finish();
            assert_eq!(read_all(&mut client), b"");
        }
    });
}

#[test]
fn a_handshake_that_fails_ends_the_connection() {
    every(|server| {
        let mut client = connect(server);
        exchange(&mut client, COMMAND, ANSWER);
        client.write_all(b"no hello at all\n").unwrap();
        let got = read_all(&mut client.socket);
        // A fatal alert (RFC 8446, 5.1 and 6).
        assert!(matches!(got[..], [21, 3, _, 0, 2, 2, _]), "{got:?}");
        drop(client);
        exchange(&mut connect(server), b"alive\n", b"alive\n");
    });
}

#[test]
fn only_a_protocol_with_the_command_can_be_upgraded() {
    let output = Command::new(PROGRAM)
        .args(["--protocol=echo", "--starttls"])
        .args(AUTHORITY.arguments())
        .output()
        .unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(message.contains("--protocol line"), "{message}");
}

#[test]
fn without_the_option_the_command_is_an_ordinary_line() {
    let server = Process::start(&[]);
    exchange(&mut server.connect(), COMMAND, b"STARTTLS\n");
}
