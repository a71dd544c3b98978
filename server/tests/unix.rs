//! The file of a Unix socket.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use tcprove_server::Model;

use crate::common::client::Socket;
use crate::common::{PROGRAM, Process, children, exchange, runs, until};

fn start(path: &Path, model: Model) -> Process {
    let arguments = ["--workers", "1", "--model", model.name(), "--unix"];
    Process::spawn(Command::new(PROGRAM).args(arguments).arg(path))
}

fn is_served(path: &Path) {
    exchange(&mut Socket::unix(path), b"here\n", b"here\n");
}

#[test]
fn the_file_is_removed_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    for model in Model::all() {
        for signal in [Signal::TERM, Signal::INT] {
            let mut server = start(&path, *model);
            is_served(&path);
            server.signal(signal);
            assert_eq!(server.wait().code(), Some(0), "{model}");
            assert!(!path.exists(), "{model}");
        }
    }
}

#[test]
fn a_socket_that_a_killed_server_has_left_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    for model in Model::all() {
        let mut server = start(&path, *model);
        is_served(&path);
        let workers = children(server.child.id());
        server.child.kill().unwrap();
        server.wait();
        until("the workers are gone", || {
            !workers.iter().any(|id| runs(*id))
        });
        assert!(path.exists(), "{model}");
    }
    start(&path, Model::Threads);
}

#[test]
fn a_socket_in_use_and_any_other_file_stay() {
    let folder = tempfile::tempdir().unwrap();
    let used = folder.path().join("used");
    let _listener = UnixListener::bind(&used).unwrap();
    let text = folder.path().join("text");
    fs::write(&text, "precious").unwrap();
    for path in [&used, &text] {
        let output = Command::new(PROGRAM)
            .arg("--unix")
            .arg(path)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let message = String::from_utf8(output.stderr).unwrap();
        let address = format!("cannot listen on unix:{}", path.display());
        assert!(message.contains(&address), "{message}");
        assert!(path.exists());
    }
    assert_eq!(fs::read_to_string(&text).unwrap(), "precious");
}

#[test]
fn the_file_of_a_successor_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let mut first = start(&path, Model::Threads);
    fs::remove_file(&path).unwrap();
    let _second = start(&path, Model::Threads);
    first.signal(Signal::TERM);
    assert_eq!(first.wait().code(), Some(0));
    is_served(&path);
}

#[test]
fn a_path_that_is_too_long_is_an_error() {
    let output = Command::new(PROGRAM)
        .args(["--unix", &"x".repeat(200)])
        .stdout(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot listen on unix:xxx"));
}
