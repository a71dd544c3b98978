//! Commands without `{port}`.

use std::net::TcpListener;

use super::{command, init_with, said};
use crate::support::Bench;
use crate::support::skip::is_thorough;

/// A port that was free a moment ago.
fn free_port() -> String {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    holder.local_addr().unwrap().port().to_string()
}

/// The command of a small server with this word, or none, in place of `{port}`.
fn with_port(port: Option<&str>) -> Option<Vec<String>> {
    let mut command = command("line_lf")?;
    command.pop();
    command.extend(port.map(str::to_owned));
    Some(command)
}

fn checks(bench: &Bench) {
    let checked = bench.run([
        "check",
        "--only",
        "zero-length",
        "--only",
        "second-instance",
    ]);
    assert_eq!(checked.code, Some(0), "{}", checked.all());
}

#[test]
fn a_port_in_a_word() {
    if !is_thorough() {
        return;
    }
    let port = free_port();
    let Some(command) = with_port(Some(&port)) else {
        return;
    };
    let bench = Bench::new();
    let ended = init_with(&bench, command);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert!(said(&ended, "port").contains(&port), "{}", ended.stdout);
    let file = tcprove::file::load(&bench.path("tcprove.toml")).unwrap();
    assert_eq!(file.server.unwrap().cmd.last().unwrap(), "{port}");
    checks(&bench);
}

#[test]
fn a_port_from_the_environment() {
    if !is_thorough() {
        return;
    }
    let Some(command) = with_port(None) else {
        return;
    };
    let bench = Bench::new();
    let ended = init_with(&bench, command);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert!(said(&ended, "port").contains("PORT"), "{}", ended.stdout);
    checks(&bench);
}

#[test]
fn a_port_that_the_server_chooses_and_prints() {
    if !is_thorough() {
        return;
    }
    let Some(command) = with_port(Some("0")) else {
        return;
    };
    let bench = Bench::new();
    let ended = init_with(&bench, command);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert!(said(&ended, "port").contains("prints"), "{}", ended.stdout);
    let checked = bench.run(["check", "--only", "zero-length"]);
    assert_eq!(checked.code, Some(0), "{}", checked.all());
}

#[test]
fn a_port_that_nothing_says() {
    if !is_thorough() {
        return;
    }
    let Some(python) = crate::support::python() else {
        return;
    };
    let program = "import socket,time; s=socket.create_server(('127.0.0.1',0)); time.sleep(3600)";
    let bench = Bench::new();
    let ended = init_with(
        &bench,
        ["-ESc", program]
            .iter()
            .fold(vec![python.to_owned()], |mut words, word| {
                words.push((*word).to_owned());
                words
            }),
    );
    assert_eq!(ended.code, Some(2), "{}", ended.all());
    for says in ["listens on port", "next: add the option that sets its port"] {
        assert!(ended.stderr.contains(says), "no {says:?}: {}", ended.stderr);
    }
}

/// A server with a port of its own prints it as well as one that chooses.
#[test]
fn a_port_that_is_always_the_same_is_not_chosen() {
    let Some(python) = crate::support::python() else {
        return;
    };
    let bench = Bench::new();
    let port = free_port();
    let program = format!(
        "import socket,time\ns=socket.create_server(('127.0.0.1',{port}))\nprint('listening on {port}',flush=True)\ntime.sleep(3600)\n"
    );
    bench.write("server.py", &program);
    let script = bench.path("server.py").display().to_string();
    let ended = init_with(&bench, vec![python.to_owned(), script]);
    assert_eq!(ended.code, Some(2), "{}", ended.all());
    assert!(ended.stderr.contains("{port}"), "{}", ended.stderr);
}

#[test]
fn a_forgotten_port_is_named_when_the_server_does_not_start() {
    let Some(python) = crate::support::python() else {
        return;
    };
    let bench = Bench::new();
    let ended = bench.run([
        "check",
        "--",
        python,
        "-c",
        "import sys; print(sys.argv[1])",
    ]);
    assert_eq!(ended.code, Some(3), "{}", ended.all());
    assert!(ended.stderr.contains("no {port}"), "{}", ended.stderr);
}
