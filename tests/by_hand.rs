//! The commands with which a reader repeats a stimulus without tcprove work as they are printed.

use std::process::Command;

use crate::support::battery::{Checked, check, have, small_server};
use crate::support::skip::is_thorough;
use crate::support::{is_in_path, skip};

fn checked(checks: &[&str]) -> Option<Checked> {
    have("python3").then(|| small_server("login-in-one-read", &["how=sound"], checks))
}

/// What the command of a check prints, on a port of its own.
fn printed(checked: &Checked, id: &str) -> String {
    run(checked.outcome(id)["by_hand"].as_str().unwrap())
}

/// What a command prints, on a port of its own.
pub(crate) fn run(command: &str) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    drop(listener);
    let command = command.replace("9000", &port);
    let output = Command::new("sh").arg("-c").arg(&command).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    format!("{text}{errors}")
}

#[test]
fn they_perform_the_opening_and_wrap_payloads() {
    let checks = ["split-bytewise", "nul-bytes", "utf8-split-char"];
    let Some(checked) = checked(&checks) else {
        return;
    };
    for (id, part) in [
        ("split-bytewise", "ping\\n'"),
        ("nul-bytes", " abc\\x00def\\n'"),
        ("utf8-split-char", " \\xe9\\x97\\xae\\n'"),
    ] {
        let printed = printed(&checked, id);
        // The reply to a request, with its token, and not that to the opening.
        assert!(printed.contains(part), "{id}: {printed}");
        assert!(!printed.contains("Traceback"), "{id}: {printed}");
    }
}

#[test]
fn there_is_none_where_it_would_not_work() {
    let Some(checked) = checked(&["at-limit", "split-bytewise"]) else {
        return;
    };
    // It sends as many bytes as the server promises to accept, and this one promises nothing.
    assert_eq!(checked.outcome("at-limit")["by_hand"], "");
    let command = checked.outcome("split-bytewise")["by_hand"].as_str();
    assert!(command.unwrap().starts_with("cd '"), "{command:?}");
}

/// The peaks of memory that a command prints, in KiB.
fn peaks(printed: &str) -> Vec<u64> {
    let lines = printed
        .lines()
        .filter_map(|line| line.strip_prefix("VmHWM:"));
    let numbers = lines.filter_map(|line| line.split_whitespace().next()?.parse().ok());
    numbers.collect()
}

/// What the command of a check prints for the server with this fault, and for the one without.
fn with_and_without(id: &str, fault: &str) -> (String, String) {
    let checked = check([
        "--only",
        id,
        "--embedded",
        "--param",
        &format!("fault={fault}"),
    ]);
    let command = checked.outcome(id)["by_hand"].as_str().unwrap();
    let without = command.replace(&format!("--fault {fault} "), "");
    assert_ne!(command, without, "the fault is in the command");
    (run(command), run(&without))
}

#[test]
fn memory_that_grows_is_seen() {
    if !is_thorough() {
        return;
    }
    if !have("python3") {
        return;
    }
    for (id, fault) in [
        ("huge-length", "trust-length"),
        ("never-read", "unbounded-write-queue"),
    ] {
        let (faulty, sound) = with_and_without(id, fault);
        let growth = |printed: &str| match peaks(printed).as_slice() {
            [before, .., after] => after - before,
            _ => panic!("{id}: {printed}"),
        };
        assert!(growth(&faulty) > 100 << 10, "{id}: {faulty}");
        assert!(growth(&sound) < 24 << 10, "{id}: {sound}");
    }
}

#[test]
fn an_end_after_a_failed_send_is_seen() {
    if !have("python3") {
        return;
    }
    if !is_in_path("strace") {
        return skip::may_lack("strace");
    }
    let (faulty, sound) = with_and_without("send-error", "exit-on-send-error");
    assert!(faulty.contains("the server has ended"), "{faulty}");
    assert!(sound.contains("the server still ran"), "{sound}");
}
