//! The server cannot be started or reached, or does not hold its conversation: exit 3.

use std::net::TcpListener;

use super::{Transcript, check_ends};
use crate::support::{Bench, python};

#[test]
fn a_program_that_is_not_there() {
    let bench = Bench::new();
    let at = |program| ["--talk", "line", "--", program, "{port}"];
    let mut transcript = Transcript::default();
    bench.write("script", "#!/bin/sh\n");
    for program in ["no-such-server", "./no-such-server", "./script"] {
        transcript.check_ends(&bench, 3, &at(program));
    }
    transcript.assert("no_program");
}

#[test]
fn a_server_that_dies_at_the_start() {
    let script = "echo 'cannot open /etc/x.conf' >&2; exit 4 # {port}";
    let mut transcript = Transcript::default();
    let command = ["--talk", "line", "--", "sh", "-c", script];
    transcript.check_ends(&Bench::new(), 3, &command);
    transcript.assert("dies_at_the_start");
}

#[test]
fn a_server_that_is_on_another_port() {
    let Some(python) = python() else { return };
    let bench = Bench::new();
    let program = "import socket,time; s=socket.create_server(('127.0.0.1',0)); open('port','w').write(str(s.getsockname()[1])); time.sleep(3600)";
    let file = format!(
        "[server]\nname = \"s\"\ncmd = [{python:?}, \"-ESc\", {program:?}, \"{{port}}\"]\nready_timeout = \"1s\"\n[talk]\nuse = \"line\"\n"
    );
    bench.write("tcprove.toml", &file);
    let mut transcript = Transcript::default();
    let json = transcript.check_ends(&bench, 3, &[]);
    transcript.assert("another_port");
    let place = format!("127.0.0.1:{}", bench.read("port"));
    assert!(
        json["error"]["message"].as_str().unwrap().contains(&place),
        "{json:#}"
    );
}

#[test]
fn a_port_that_is_in_use() {
    let Some(python) = python() else { return };
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port().to_string();
    let program = "import socket,sys; socket.create_server(('127.0.0.1',int(sys.argv[1])))";
    let command = [
        "--talk", "line", "--", python, "-ESc", program, &port, "{port}",
    ];
    let json = Transcript::default().check_ends(&Bench::new(), 3, &command);
    // How Python words it is Python's affair.
    let message = json["error"]["message"].as_str().unwrap();
    for says in ["exited with code 1", "in use", "next:"] {
        assert!(message.contains(says), "no {says:?} in: {message}");
    }
}

#[test]
fn a_talk_that_is_not_the_servers() {
    let command = [
        "--seed", "7", "--talk", "redis", "--", "tcprove", "serve", "--port", "{port}",
    ];
    let mut transcript = Transcript::default();
    transcript.check_ends(&Bench::new(), 3, &command);
    transcript.assert("another_talk");
}

#[test]
fn a_server_without_a_talk_that_cannot_be_asked() {
    let bench = Bench::new();
    check_ends(
        &bench,
        3,
        &["--", "no-such-server", "{port}"],
        &["not found in PATH"],
    );
    let script = "echo 'cannot open /etc/x.conf' >&2; exit 4 # {port}";
    let says = ["exited with code 4", "cannot open /etc/x.conf", "next: "];
    check_ends(&bench, 3, &["--", "sh", "-c", script], &says);
    let gate = bench.run(["gate", "--base", "x {port}", "--", "server", "{port}"]);
    assert_eq!(gate.code, Some(2), "{}", gate.all());
    assert!(
        gate.stderr.contains("a gate needs a conversation"),
        "{}",
        gate.stderr
    );
}

#[test]
fn an_address_at_which_nobody_listens() {
    // Nobody else is given the port while this socket holds it, and nobody listens on it.
    let holder = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    holder
        .bind(
            &"127.0.0.1:0"
                .parse::<std::net::SocketAddr>()
                .unwrap()
                .into(),
        )
        .unwrap();
    let address = holder
        .local_addr()
        .unwrap()
        .as_socket()
        .unwrap()
        .to_string();
    let at = ["--talk", "line", "--connect", &address];
    let mut transcript = Transcript::default();
    let json = transcript.check_ends(&Bench::new(), 3, &at);
    let message = json["error"]["message"].as_str().unwrap();
    assert!(message.contains(&address), "{message}");
    let arguments = ["send", "hello", "--connect", &address];
    let sent = Bench::new().run(arguments);
    assert_eq!(sent.code, Some(3), "{}", sent.all());
    transcript.add(&[], &arguments, &sent);
    let gone = ["--talk", "line", "--connect", &address, "--pid", "4194305"];
    transcript.check_ends(&Bench::new(), 3, &gone);
    transcript.assert("nobody_listens");
}

/// A file for a python program, with this time-out and talk.
fn python_file(bench: &Bench, program: &str, talk: &str) -> Option<()> {
    let program = bench.write("server.py", program);
    let cmd = format!("[{:?}, \"-ES\", {program:?}, \"{{port}}\"]", python()?);
    bench.write(
        "tcprove.toml",
        &format!("[server]\nname = \"s\"\ncmd = {cmd}\n{talk}"),
    );
    Some(())
}

#[test]
fn a_server_that_never_listens_is_given_up_at_its_limit() {
    let bench = Bench::new();
    bench.write(
        "tcprove.toml",
        "[server]\nname = \"s\"\ncmd = [\"sleep\", \"1000\", \"{port}\"]\nready_timeout = \"300ms\"\n[talk]\nuse = \"line\"\n",
    );
    let json = check_ends(
        &bench,
        3,
        &["--only", "split-bytewise"],
        &["does not listen on port", "next: start it by hand"],
    );
    let message = json["error"]["message"].as_str().unwrap();
    let waited = message.split(" after ").nth(1).unwrap();
    let waited: f64 = waited.split(' ').next().unwrap().parse().unwrap();
    assert!((0.3..10.0).contains(&waited), "{message}");
}

/// Accepts one client, answers its first line with 220 and any other with 500.
const REFUSES: &str = r"
import socket, sys
s = socket.create_server(('127.0.0.1', int(sys.argv[1])))
while True:
    conn, _ = s.accept()
    conn.sendall(b'220 hello\n')
    while conn.recv(4096):
        conn.sendall(b'500 no\n')
";

#[test]
fn an_opening_that_fails_is_named_with_its_bytes() {
    let bench = Bench::new();
    let talk = "[talk]\nframe = { until = \"\\n\" }\n\
        [[talk.open]]\nexpect = { regex = '^220 [^\\n]*\\n$' }\n\
        [[talk.open]]\nsend = { hex = \"01 02 0a\" }\nexpect = \"230 welcome\\n\"\n\
        [[talk.turn]]\nsend = \"{tok}\\n\"\nexpect = \"{tok}\\n\"\n";
    if python_file(&bench, REFUSES, talk).is_none() {
        return;
    }
    let says = [
        "talk.open[1]: sent \"\\x01\\x02\\n\"",
        "230 welcome",
        "500 no",
    ];
    check_ends(&bench, 3, &[], &says);
}

/// Closes the connection first, and prints its traceback after that.
const ENDS_LATE: &str = r"
import socket, sys, time
s = socket.create_server(('127.0.0.1', int(sys.argv[1])))
conn, _ = s.accept()
conn.recv(4096)
conn.close()
time.sleep(0.05)
def nested(depth):
    if depth == 0:
        raise ValueError('the reason')
    nested(depth - 1) if depth % 2 else again(depth)
def again(depth):
    nested(depth - 1)
nested(40)
";

#[test]
fn the_last_lines_of_a_traceback_are_shown() {
    let bench = Bench::new();
    if python_file(&bench, ENDS_LATE, "[talk]\nuse = \"line\"\n").is_none() {
        return;
    }
    let says = [
        "the server exited with code 1",
        "lines left out",
        "ValueError: the reason",
    ];
    check_ends(&bench, 3, &[], &says);
}
