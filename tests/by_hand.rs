//! The commands with which a reader repeats a stimulus without tcprove work as they are printed.

use std::process::Command;

use crate::support::battery::{Checked, have, small_server};

fn checked(checks: &[&str]) -> Option<Checked> {
    have("python3").then(|| small_server("login-in-one-read", &["how=sound"], checks))
}

/// What the command of a check prints, on a port of its own.
fn printed(checked: &Checked, id: &str) -> String {
    let command = checked.outcome(id)["by_hand"].as_str().unwrap();
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
