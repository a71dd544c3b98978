//! The server cannot be started or reached, or does not hold its conversation: exit 3.

use std::net::TcpListener;

use super::Told;
use crate::support::{Bench, python};

#[test]
fn a_program_that_is_not_there() {
    let bench = Bench::new();
    let at = |program| ["--talk", "line", "--", program, "{port}"];
    let mut told = Told::default();
    bench.write("script", "#!/bin/sh\n");
    for program in ["no-such-server", "./no-such-server", "./script"] {
        told.check_ends(&bench, 3, &at(program));
    }
    told.assert("no_program");
}

#[test]
fn a_server_that_dies_at_the_start() {
    let script = "echo 'cannot open /etc/x.conf' >&2; exit 4 # {port}";
    let mut told = Told::default();
    let command = ["--talk", "line", "--", "sh", "-c", script];
    told.check_ends(&Bench::new(), 3, &command);
    told.assert("dies_at_the_start");
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
    let mut told = Told::default();
    let json = told.check_ends(&bench, 3, &[]);
    told.assert("another_port");
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
    let json = Told::default().check_ends(&Bench::new(), 3, &command);
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
    let mut told = Told::default();
    told.check_ends(&Bench::new(), 3, &command);
    told.assert("another_talk");
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
    let mut told = Told::default();
    let json = told.check_ends(&Bench::new(), 3, &at);
    let message = json["error"]["message"].as_str().unwrap();
    assert!(message.contains(&address), "{message}");
    let arguments = ["send", "hello", "--connect", &address];
    let sent = Bench::new().run(arguments);
    assert_eq!(sent.code, Some(3), "{}", sent.all());
    told.add(&[], &arguments, &sent);
    let gone = ["--talk", "line", "--connect", &address, "--pid", "4194305"];
    told.check_ends(&Bench::new(), 3, &gone);
    told.assert("nobody_listens");
}
