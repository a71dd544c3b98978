//! What `[server]` says about files, helpers, users, sockets and readiness.

use std::collections::BTreeMap;
use std::path::Path;

use super::faults::check;
use crate::file::{File, parse};
use crate::process::{Launch, LaunchFile, Listening, Ready, ReadyStream, StartValues};

const TALK: &str =
    "[talk]\nframe = \"none\"\n[[talk.turn]]\nsend = \"{tok}\"\nexpect = \"{tok}\"\n";

fn file(server: &str) -> File {
    let source = format!("[server]\ncmd = [\"x\", \"{{port}}\"]\n{server}{TALK}");
    parse(&source, "t", Path::new(".")).unwrap_or_else(|error| panic!("{error}"))
}

fn launch(server: &str) -> Launch {
    file(server).server.unwrap()
}

#[test]
fn files_and_commands_around_the_server() {
    let launch = launch(
        r#"
files = { "app.conf" = "port {port}\ndir {tmp}\n", "run/start" = { mode = "0755", text = "{level} {{x}" } }
prepare = [["make-key", "{tmp}/key"]]
beside = [["backend", "{port:backend}"], ["watch"]]
user = "postgres"
singleton = true
params = { level = "debug" }
"#,
    );
    let further = BTreeMap::from([("backend".to_owned(), 7001)]);
    let values = StartValues {
        port: 7000,
        further: &further,
        tmp: Path::new("/t"),
    };
    let filled = |path: &str| {
        let LaunchFile { text, mode } = &launch.files[Path::new(path)];
        (launch.expand(text, values), *mode)
    };
    assert_eq!(
        filled("app.conf"),
        ("port 7000\ndir /t\n".to_owned(), 0o644)
    );
    assert_eq!(filled("run/start"), ("debug {x}".to_owned(), 0o755));
    assert_eq!(launch.prepare, [["make-key", "{tmp}/key"]]);
    assert_eq!(launch.beside[0], ["backend", "{port:backend}"]);
    assert_eq!(launch.beside[1], ["watch"]);
    assert_eq!(launch.user.as_deref(), Some("postgres"));
    assert!(launch.singleton);
    assert_eq!(launch.listening, Listening::Server);
}

#[test]
fn ways_to_be_ready() {
    assert!(matches!(launch("").ready, Ready::Listen));
    assert!(matches!(
        launch("ready = \"exchange\"\n").ready,
        Ready::Exchange
    ));
    for (name, stream) in [
        ("stdout", ReadyStream::Stdout),
        ("stderr", ReadyStream::Stderr),
        ("output", ReadyStream::Either),
    ] {
        let launch = launch(&format!("ready = {{ {name} = \"^ready$\" }}\n"));
        assert!(matches!(
            launch.ready,
            Ready::Line(found, regex) if found == stream && regex.is_match("ready")
        ));
    }
}

#[test]
fn who_listens() {
    let inherited = |name: &str| Listening::Inherited { name: name.into() };
    for (server, listening) in [
        ("stdio = true\n", Listening::PerConnection),
        ("stdio = false\nactivation = false\n", Listening::Server),
        ("activation = true\n", inherited("x.socket")),
        (
            "name = \"my server\"\nactivation = true\n",
            inherited("my-server.socket"),
        ),
        ("activation = \"http\"\n", inherited("http")),
    ] {
        assert_eq!(launch(server).listening, listening, "{server}");
    }
}

/// A turn may name the further ports that `[server]` names.
#[test]
fn turns_know_further_ports() {
    let turn = "[[talk.turn]]\nsend = \"{port:admin}\"\nexpect = \"ok\"\n";
    let source =
        |server: &str| format!("[server]\ncmd = [\"x\", \"{{port}}\"{server}]\n{TALK}{turn}");
    assert!(parse(&source(", \"{port:admin}\""), "t", Path::new(".")).is_ok());
    check(&source(""), "9:9", &["`{port:admin}` has no value"]);
}

/// What follows `cmd`, the place, and what the report has to contain.
const FAULTS: &[(&str, &str, &[&str])] = &[
    (
        "files = { \"/etc/x\" = \"a\" }\n",
        "3:11",
        &["absolute", "app.conf"],
    ),
    (
        "files = { \"../x\" = \"a\" }\n",
        "3:11",
        &["without `.` and `..`"],
    ),
    ("files = { \"\" = \"a\" }\n", "3:11", &["is empty"]),
    (
        "files = { a = \"dir {tpm}\" }\n",
        "3:20",
        &["`{tpm}` in a file has no value", "did you mean `tmp`?"],
    ),
    (
        "files = { a = { mode = \"rw\", text = \"b\" } }\n",
        "3:24",
        &["not a file mode", "0600"],
    ),
    (
        "files = { a = { mode = \"0600\" } }\n",
        "3:15",
        &["`mode` goes with `text`"],
    ),
    (
        "files = { a = 1 }\n",
        "3:15",
        &["must be a string or { text"],
    ),
    (
        "beside = [\"backend\"]\n",
        "3:11",
        &[
            "a command of `beside` must be a list of words",
            "[[\"program\"",
        ],
    ),
    (
        "beside = [[]]\n",
        "3:11",
        &["a command of `beside` is empty"],
    ),
    (
        "prepare = [[\"a\", \"{prot}\"]]\n",
        "3:19",
        &["`{prot}` in a command has no value", "did you mean `port`?"],
    ),
    (
        "env = { A = \"{port:9}\" }\n",
        "3:14",
        &["is not a placeholder"],
    ),
    ("user = \"\"\n", "3:8", &["`user` is empty"]),
    (
        "stdio = true\nactivation = true\n",
        "4:14",
        &["exclude each other", "for each connection"],
    ),
    (
        "activation = \"a:b\"\n",
        "3:14",
        &["not a name of a socket"],
    ),
    (
        "stdio = true\nready = { stdout = \"x\" }\n",
        "4:9",
        &["prints nothing before", "remove `ready`"],
    ),
    (
        "reload = \"KILL\"\n",
        "3:10",
        &["unknown signal `KILL` for `reload`", "HUP"],
    ),
    (
        "stop = \"USR1\"\nreload = \"SIGUSR1\"\n",
        "4:10",
        &["is the signal that stops the server"],
    ),
    (
        "ready = \"exchnge\"\n",
        "3:9",
        &["unknown `ready`", "did you mean `exchange`?"],
    ),
];

#[test]
fn faults() {
    for (server, place, contains) in FAULTS {
        check(
            &format!("[server]\ncmd = [\"x\"]\n{server}{TALK}"),
            place,
            contains,
        );
    }
}
