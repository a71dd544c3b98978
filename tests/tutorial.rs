//! One run on the tutorial's server reports its known faults.

use std::process::Command;

use crate::support::battery::{Checked, check, data, have};
use crate::support::skip::rounds;

/// Runs the tutorial's server through the whole battery if slow tests are enabled, otherwise only through the checks that
/// are asserted. `None` if there is no python3.
fn tutorial(mode: &str, asserted: &[&str]) -> Option<Checked> {
    if !have("python3") {
        return None;
    }
    let script = data("tutorial_server.py");
    let script = script.to_str().expect("a path in UTF-8");
    let only = asserted.iter().flat_map(|id| ["--only", id]);
    let only: Vec<&str> = only.filter(|_| rounds() == 0).collect();
    let target = [
        "--talk", "tutorial", "--", "python3", script, "{port}", mode,
    ];
    Some(check(only.into_iter().chain(target)))
}

/// Runs the command that the report gives to reproduce a result, and asserts the same result.
fn reproduces(checked: &Checked, id: &str) {
    let command = checked.outcome(id)["reproduce"]
        .as_str()
        .expect("a command");
    let output = Command::new("sh")
        .args(["-c", command])
        .output()
        .expect("sh runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let wanted = checked.outcome(id)["outcome"].as_str().expect("an outcome");
    assert!(
        text.contains(&format!("{wanted:<12} {id}")),
        "{command}\n{text}"
    );
    assert_eq!(
        output.status.code(),
        Some(i32::from(wanted == "fail")),
        "{command}\n{text}"
    );
}

#[test]
fn loop_mode_dies_and_blocks_in_the_ways_that_it_does() {
    let expected = [
        ("utf8-invalid", "fail", "died"),
        ("utf8-split-char", "fail", "died"),
        ("utf8-split-buffer", "fail", "died"),
        ("rst-on-connect", "fail", "died"),
        ("hol-idle", "fail", "blocked"),
        ("over-buffer", "warn", "reset"),
    ];
    let Some(checked) = tutorial("loop", &expected.map(|(id, ..)| id)) else {
        return;
    };
    for (id, outcome, kind) in expected {
        checked.assert(id, outcome, kind);
    }
    assert_eq!(checked.code(), 1);
    assert_eq!(checked.ids("inconclusive"), [""; 0], "{}", checked.shown());
    let again = if rounds() == 0 { 1 } else { expected.len() };
    for (id, ..) in &expected[..again] {
        reproduces(&checked, id);
    }
}

#[test]
fn threads_mode_dies_without_descriptors() {
    let Some(checked) = tutorial("threads", &["emfile-live", "hol-idle", "rst-on-connect"]) else {
        return;
    };
    checked.assert("emfile-live", "fail", "died");
    for id in ["hol-idle", "rst-on-connect"] {
        assert_eq!(
            checked.outcome(id)["outcome"],
            "pass",
            "{id}\n{}",
            checked.shown()
        );
    }
    reproduces(&checked, "emfile-live");
}

#[test]
fn once_mode_serves_a_single_client() {
    let Some(checked) = tutorial("once", &[]) else {
        return;
    };
    checked.assert("serves-again", "fail", "died");
    let actual = checked.outcome("serves-again")["actual"]
        .as_str()
        .expect("text");
    assert!(actual.contains("exited with code 0"), "{actual}");
    assert_eq!(checked.ids("fail"), ["serves-again"], "{}", checked.shown());
    reproduces(&checked, "serves-again");
}
