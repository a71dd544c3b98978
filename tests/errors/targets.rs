//! The server cannot be started or reached, or does not hold its conversation: exit 3.

use std::net::TcpListener;

use super::check_ends;
use crate::support::{Bench, python};

#[test]
fn a_program_that_is_not_there() {
    let bench = Bench::new();
    let at = |program| ["--talk", "line", "--", program, "{port}"];
    check_ends(
        &bench,
        3,
        &at("no-such-server"),
        &["`no-such-server`", "not found in PATH"],
    );
    check_ends(
        &bench,
        3,
        &at("./no-such-server"),
        &["there is no ./no-such-server"],
    );
    bench.write("script", "#!/bin/sh\n");
    check_ends(&bench, 3, &at("./script"), &["is it executable?"]);
}

#[test]
fn a_server_that_dies_at_the_start() {
    let script = "echo 'cannot open /etc/x.conf' >&2; exit 4 # {port}";
    let says = [
        "exited with code 4",
        "cannot open /etc/x.conf",
        "next: start it by hand",
    ];
    check_ends(
        &Bench::new(),
        3,
        &["--talk", "line", "--", "sh", "-c", script],
        &says,
    );
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
    let json = check_ends(
        &bench,
        3,
        &[],
        &["does not listen on port", "does its command use {port}?"],
    );
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
    check_ends(
        &Bench::new(),
        3,
        &command,
        &["exited with code 1", "in use", "next:"],
    );
}

#[test]
fn a_talk_that_is_not_the_servers() {
    let command = [
        "--talk", "redis", "--", "tcprove", "serve", "--port", "{port}",
    ];
    let says = [
        "does not hold the conversation",
        "talk.turn[0]",
        "sent",
        "expected",
        "is `redis` the talk",
    ];
    check_ends(&Bench::new(), 3, &command, &says);
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
    check_ends(
        &Bench::new(),
        3,
        &at,
        &["nobody listens on", &address, "next:"],
    );
    let sent = Bench::new().run(["send", "hello", "--connect", &address]);
    assert_eq!(sent.code, Some(3), "{}", sent.all());
    assert!(
        sent.stderr.contains("is the server running?"),
        "{}",
        sent.stderr
    );
    let gone = ["--talk", "line", "--connect", &address, "--pid", "4194305"];
    check_ends(&Bench::new(), 3, &gone, &["no process 4194305"]);
}
