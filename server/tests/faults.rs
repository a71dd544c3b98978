//! A server with a planted fault starts and holds an ordinary conversation: only its own check fails.

use std::collections::HashSet;
use std::io::{ErrorKind, Read, Write};
use std::process::Command;
use std::sync::LazyLock;

use rustix::process::{Pid, Signal, kill_process};
use tcprove_server::fault::{self, Layer};
use tcprove_server::{Fault, Protocol};

use crate::common::client::{Client, Socket};
use crate::common::tls::Authority;
use crate::common::{PROGRAM, Process, children, exchange, read_all};

static AUTHORITY: LazyLock<Authority> = LazyLock::new(Authority::new);

const HEADER: &[u8] = b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n";

#[test]
fn every_fault_holds_an_ordinary_conversation() {
    std::thread::scope(|scope| {
        for fault in that_say_where() {
            scope.spawn(move || converse(fault, fault.layer()));
        }
    });
}

#[test]
fn every_fault_holds_an_ordinary_conversation_over_tls() {
    std::thread::scope(|scope| {
        for fault in that_say_where() {
            scope.spawn(move || {
                if fault.layer().is_none() {
                    converse(fault, Some(Layer::Tls));
                }
            });
        }
    });
}

/// The faults of servers that announce where they listen.
fn that_say_where() -> impl Iterator<Item = &'static Fault> {
    let all = fault::all().iter().copied();
    all.filter(|fault| fault.caught_by != "start-port0")
}

/// The arguments that add the layer.
fn arguments(layer: Option<Layer>) -> Vec<String> {
    match layer {
        None | Some(Layer::Socket) => Vec::new(),
        Some(Layer::Proxy) => vec!["--proxy=v1".to_owned()],
        Some(Layer::Tls) => AUTHORITY.arguments(),
        Some(Layer::StartTls) => {
            let mut arguments = AUTHORITY.arguments();
            arguments.push("--starttls".to_owned());
            arguments
        }
    }
}

fn connect(server: &Process, layer: Option<Layer>) -> Client {
    let mut socket = Socket::tcp(([127, 0, 0, 1], server.port).into());
    match layer {
        None | Some(Layer::Socket) => {}
        Some(Layer::Proxy) => socket.write_all(HEADER).unwrap(),
        Some(Layer::Tls) => return Client::tls(socket, &AUTHORITY.client()),
        Some(Layer::StartTls) => {
            let mut client = Client::plain(socket);
            exchange(&mut client, b"STARTTLS\n", b"OK begin TLS\n");
            client.begin_tls(&AUTHORITY.client());
            return client;
        }
    }
    Client::plain(socket)
}

fn start(fault: &Fault, layer: Option<Layer>) -> Process {
    let mut command = Command::new(PROGRAM);
    command.args(["--fault", fault.name]).args(arguments(layer));
    Process::spawn(&mut command)
}

fn converse(fault: &Fault, layer: Option<Layer>) {
    println!("{}", fault.name);
    let server = start(fault, layer);
    let mut stream = connect(&server, layer);
    match fault.protocol {
        Protocol::Tutorial => {
            stream.write_all("问题".as_bytes()).unwrap();
            assert_eq!(read_all(&mut stream), "ok, 问题正在处理中...".as_bytes());
        }
        Protocol::Frame => exchange(&mut stream, b"\0\0\0\x02ab", b"\0\0\0\x02ab"),
        _ => {
            exchange(&mut stream, b"first\n", b"first\n");
            exchange(&mut stream, "第二\n".as_bytes(), "第二\n".as_bytes());
        }
    }
    // eof-spin never closes.
    if fault.name != "eof-spin" && fault.protocol != Protocol::Tutorial {
        stream.finish();
        match (fault.name, stream.read(&mut [0])) {
            ("tls-no-close-notify", Err(error)) => {
                assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
            }
            (name, end) => assert_eq!(end.unwrap(), 0, "{name}"),
        }
    }
    // Some faults leave children behind, which cannot be found after the server has ended.
    for child in children(server.child.id()) {
        let child = Pid::from_raw(i32::try_from(child).unwrap()).unwrap();
        kill_process(child, Signal::KILL).unwrap();
    }
}

#[test]
fn the_list_names_each_fault_once_with_its_check() {
    let output = Command::new(PROGRAM).arg("--list-faults").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), fault::all().len());
    for (line, fault) in text.lines().zip(fault::all()) {
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words[..2], [fault.name, fault.caught_by]);
        assert!(line.ends_with(fault.about));
        assert!(fault::find(fault.name).is_some());
    }
    let names: HashSet<_> = fault::all().iter().map(|fault| fault.name).collect();
    assert_eq!(names.len(), fault::all().len());
}

/// Performs up to `count` exchanges on a new connection, until one fails. Returns the number of
/// replies, how many of them had one wrong byte, and the error.
fn load(server: &Process, count: usize) -> (usize, usize, Option<ErrorKind>) {
    let mut stream = server.connect();
    let mut wrong = 0;
    for done in 0..count {
        let mut reply = [0; 6];
        let result = stream
            .write_all(b"hello\n")
            .and_then(|()| stream.read_exact(&mut reply));
        if let Err(error) = result {
            return (done, wrong, Some(error.kind()));
        }
        let differ = reply
            .iter()
            .zip(b"hello\n")
            .filter(|(got, want)| got != want);
        match differ.count() {
            0 => {}
            1 => wrong += 1,
            bytes => panic!("{bytes} bytes differ"),
        }
        assert_eq!(reply[5], b'\n');
    }
    (count, wrong, None)
}

#[test]
fn every_thousandth_reply_is_wrong() {
    let server = Process::start(&["--fault", "wrong-reply-1-in-1000"]);
    assert_eq!(load(&server, 999), (999, 0, None));
    assert_eq!(load(&server, 1_000), (1_000, 1, None));
    assert_eq!(load(&server, 1), (1, 1, None));
}

#[test]
fn every_fiftieth_connection_is_reset_after_twenty_replies() {
    let server = Process::start(&["--fault", "drop-connection-1-in-50"]);
    let lost = Some(ErrorKind::ConnectionReset);
    for number in 1..=100 {
        let expected = if number % 50 == 0 {
            (20, 0, lost)
        } else {
            (25, 0, None)
        };
        assert_eq!(load(&server, 25), expected, "{number}");
    }
}

#[test]
fn the_process_dies_after_ten_thousand_replies() {
    let mut server = Process::start(&["--fault", "die-after-10000"]);
    assert_eq!(load(&server, 9_000), (9_000, 0, None));
    let (done, _, error) = load(&server, 9_000);
    assert_eq!(done, 1_000);
    assert!(error.is_some());
    assert_eq!(server.wait().code(), Some(1));
}

#[test]
fn faults_for_a_load_name_no_check() {
    let for_load: Vec<_> = fault::all()
        .iter()
        .filter(|fault| fault.is_for_load())
        .map(|fault| (fault.name, fault.caught_by, fault.kind))
        .collect();
    let expected = [
        ("wrong-reply-1-in-1000", fault::LOAD, "wrong-replies"),
        ("drop-connection-1-in-50", fault::LOAD, "connections-lost"),
        ("die-after-10000", fault::LOAD, "server-died"),
    ];
    assert_eq!(for_load, expected);
}

#[test]
fn faults_for_the_gate_name_no_check_and_the_metric_that_shows_them() {
    let for_gate: Vec<_> = fault::all()
        .iter()
        .filter(|fault| fault.is_for_gate())
        .map(|fault| (fault.name, fault.caught_by, fault.kind))
        .collect();
    let expected = [
        ("extra-syscall", fault::GATE, "syscalls"),
        ("extra-allocation", fault::GATE, "allocations"),
        ("extra-memory", fault::GATE, "rss"),
    ];
    assert_eq!(for_gate, expected);
}
