//! The planted faults for a fuzz campaign act on their trigger, and only on their trigger.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tcprove_server::fault;

use crate::common::{PROGRAM, Process, exchange, expect, finish, read_all};

/// A silence that is longer than any of a healthy server.
const SILENCE: Duration = Duration::from_millis(700);

fn start(fault: &str) -> Process {
    Process::start(&["--fault", fault])
}

/// Performs one exchange on a new connection.
fn is_served(server: &Process) {
    let mut stream = server.connect();
    exchange(&mut stream, b"hello\n", b"hello\n");
    finish(&stream);
    assert_eq!(read_all(&mut stream), b"");
}

/// Sends the bytes and a FIN on a new connection and waits until the connection ends in any way.
fn send(server: &Process, bytes: &[u8]) {
    let mut stream = server.connect();
    stream.write_all(bytes).unwrap();
    finish(&stream);
    let _ = stream.read_to_end(&mut Vec::new());
}

#[test]
fn faults_for_a_fuzzer_name_no_check_and_a_kind_of_finding() {
    let for_fuzz: Vec<_> = fault::all()
        .iter()
        .filter(|fault| fault.is_for_fuzz())
        .map(|fault| (fault.name, fault.kind))
        .collect();
    let expected = [
        ("format-string", "crash"),
        ("three-cases", "crash"),
        ("six-messages", "crash"),
        ("read-error-in-one-state", "crash"),
        ("panic-on-length-313", "panic"),
        ("hang-on-half-message", "hang"),
        ("global-lock-while-slow", "starvation"),
        ("quadratic-parse", "complexity"),
        ("logs-each-space", "flood"),
        ("lossy-decode", "conformance"),
        ("shift-for-all", "conformance"),
    ];
    assert_eq!(for_fuzz, expected);
    for fault in fault::all() {
        let is_for = [
            fault.is_for_check(),
            fault.is_for_load(),
            fault.is_for_fuzz(),
            fault.is_for_gate(),
        ];
        assert_eq!(is_for.into_iter().filter(|yes| *yes).count(), 1);
    }
}

#[test]
fn a_format_string_kills_by_a_signal() {
    for text in [&b"100 %% sure %% now %d\n"[..], b"%\n", b"n%\ns\n"] {
        let server = start("format-string");
        send(&server, text);
        is_served(&server);
    }
    for pieces in [[&b"a %n b\n"[..], b""], [b"%", b"s"], [b"%%%", b"n"]] {
        let mut server = start("format-string");
        let mut stream = server.connect();
        for piece in pieces {
            stream.write_all(piece).unwrap();
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(server.wait().signal(), Some(sigsegv()));
    }
}

fn sigsegv() -> i32 {
    rustix::process::Signal::SEGV.as_raw()
}

#[test]
fn three_connections_in_order_end_the_process() {
    let (invalid, nul, empty) = (&b"\xff\n"[..], &b"\0\n"[..], &b"\n"[..]);
    let all_at_once = &b"\xff\n\0\n\n"[..];
    let mut server = start("three-cases");
    for bytes in [empty, nul, all_at_once, empty, all_at_once, nul, invalid] {
        send(&server, bytes);
        is_served(&server);
    }
    send(&server, empty);
    assert_eq!(server.wait().code(), Some(1));
}

/// Every line gets the reply of any other line, whether it leads on or not.
#[test]
fn six_messages_on_one_connection_end_the_process() {
    let lines = ["LOGIN kiwi\n", "qz7\n", "Vx!3p\r\n", "0mW_k9\n", "jY5\n"];
    let mut server = start("six-messages");
    let mut stream = server.connect();
    for line in lines {
        for one in ["tR~2\n", line] {
            let echo = one.replace('\r', "");
            exchange(&mut stream, one.as_bytes(), echo.as_bytes());
        }
        is_served(&server);
    }
    // Another connection begins anew.
    send(&server, b"tR~2\n");
    is_served(&server);
    stream.write_all(b"tR~2\n").unwrap();
    assert_eq!(server.wait().code(), Some(1));
}

/// No client can cause another error of recv than a reset.
#[test]
fn an_empty_line_and_a_reset_do_no_harm() {
    let server = start("read-error-in-one-state");
    let mut stream = server.connect();
    exchange(&mut stream, b"\n", b"\n");
    socket2::SockRef::from(&stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(stream);
    is_served(&server);
}

#[test]
fn one_byte_shifts_everybody_to_capitals() {
    let server = start("shift-for-all");
    send(&server, "\u{10FFFF}\n".as_bytes());
    is_served(&server);
    send(&server, b"\xf8");
    exchange(&mut server.connect(), b"hello\n", b"HELLO\n");
}

#[test]
fn one_length_panics_and_the_server_lives() {
    let line = |length: usize, end: &str| "a".repeat(length) + end;
    let mut command = Command::new(PROGRAM);
    command.args(["--fault", "panic-on-length-313"]);
    let mut server = Process::spawn(command.stderr(Stdio::piped()));
    for text in [line(312, "\n"), line(314, "\n"), line(312, "\r\n")] {
        let reply = text.replace('\r', "");
        exchange(&mut server.connect(), text.as_bytes(), reply.as_bytes());
    }
    for text in [line(313, "\n"), line(313, "\r\n")] {
        let mut stream = server.connect();
        stream.write_all(text.as_bytes()).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0, "no reply");
        is_served(&server);
    }
    server.child.kill().unwrap();
    let mut errors = String::new();
    let mut stderr = server.child.stderr.take().unwrap();
    stderr.read_to_string(&mut errors).unwrap();
    assert_eq!(errors.matches("panicked at").count(), 2, "{errors}");
}

#[test]
fn half_a_message_hangs_everybody() {
    let server = start("hang-on-half-message");
    send(&server, b"whole\n");
    is_served(&server);
    let mut before = server.connect();
    exchange(&mut before, b"one\n", b"one\n");
    let half = server.connect();
    (&half).write_all(b"hal").unwrap();
    finish(&half);
    std::thread::sleep(Duration::from_millis(100));
    for mut stream in [before, server.connect()] {
        stream.write_all(b"two\n").unwrap();
        stream.set_read_timeout(Some(SILENCE)).unwrap();
        let kind = stream.read(&mut [0]).unwrap_err().kind();
        assert_eq!(kind, ErrorKind::WouldBlock, "the server is silent");
    }
}

/// The duration of one exchange.
fn time(stream: &mut TcpStream, line: &[u8]) -> Duration {
    let begun = Instant::now();
    exchange(stream, line, line);
    begun.elapsed()
}

#[test]
fn an_unfinished_line_makes_the_others_late() {
    let server = start("global-lock-while-slow");
    let (mut slow, mut other) = (server.connect(), server.connect());
    let late = Duration::from_millis(190);
    slow.write_all(b"seven b").unwrap();
    std::thread::sleep(Duration::from_millis(50));
    assert!((0..20).any(|_| time(&mut other, b"hello\n") < late));
    slow.write_all(b"y").unwrap();
    std::thread::sleep(Duration::from_millis(50));
    assert!((0..3).all(|_| time(&mut other, b"hello\n") >= late));
    // The sender that holds the lock is served, and after the end of its line everybody is.
    slow.write_all(b"te\n").unwrap();
    expect(&mut slow, b"seven byte\n");
    assert!((0..20).any(|_| time(&mut other, b"hello\n") < late));
    slow.write_all(b"unfinished").unwrap();
    drop(slow);
    std::thread::sleep(Duration::from_millis(50));
    assert!((0..20).any(|_| time(&mut other, b"hello\n") < late));
}

/// The work is counted in CPU time: wall time is also spent waiting for a processor.
#[test]
fn spaces_cost_quadratic_work() {
    let server = start("quadratic-parse");
    let mut stream = server.connect();
    let mut cost = |byte: u8, count: usize| {
        let line = [vec![byte; count], b"\n".to_vec()].concat();
        let before = server.cpu_time();
        (0..4).for_each(|_| exchange(&mut stream, &line, &line));
        server.cpu_time() - before
    };
    let (small, large) = (cost(b' ', 4_096), cost(b' ', 32_768));
    let letters = cost(b'a', 65_535);
    // 64 times the work, and some for the exchange itself.
    assert!(large > 16 * small, "{small:?} {large:?}");
    assert!(letters < large, "{letters:?} {large:?}");
}

#[test]
fn each_space_is_logged() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["--fault", "logs-each-space"]);
    let server = Process::spawn(command.stderr(log.reopen().unwrap()));
    let mut stream = server.connect();
    let lines = || std::fs::read_to_string(log.path()).unwrap().lines().count();
    exchange(&mut stream, b"letters\n", b"letters\n");
    assert_eq!(lines(), 0);
    let line = [vec![b' '; 1000], b"\n".to_vec()].concat();
    exchange(&mut stream, &line, &line);
    assert_eq!(lines(), 1000);
}

#[test]
fn invalid_text_is_accepted() {
    let server = start("lossy-decode");
    let mut stream = server.connect();
    exchange(
        &mut stream,
        b"a\xff\xfeb\n",
        "a\u{fffd}\u{fffd}b\n".as_bytes(),
    );
    // Characters that are split between reads stay whole.
    for piece in ["问题".as_bytes().chunks(1), b"\xe9\x97".chunks(1)]
        .into_iter()
        .flatten()
    {
        stream.write_all(piece).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    exchange(&mut stream, b"\n", "问题\u{fffd}\n".as_bytes());
}

/// The off-by-one shows at the default size of the receive buffer, 1024 bytes.
#[test]
fn a_line_as_long_as_the_buffer_loses_a_byte() {
    let server = start("full-buffer-byte-lost");
    let line = |length: usize| [vec![b'a'; length], b"\n".to_vec()].concat();
    exchange(&mut server.connect(), &line(1_022), &line(1_022));
    exchange(&mut server.connect(), &line(1_023), &line(1_023));
    exchange(&mut server.connect(), &line(1_024), &line(1_023));
}

/// The output of a panic is available before the process ends.
#[test]
fn a_panic_is_on_stderr_at_once() {
    let mut command = Command::new(PROGRAM);
    command.args(["--fault", "panic-on-length-313"]);
    let mut server = Process::spawn(command.stderr(Stdio::piped()));
    send(&server, ("a".repeat(313) + "\n").as_bytes());
    let stderr = BufReader::new(server.child.stderr.take().unwrap());
    let mut lines = stderr.lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("panicked at")));
}
