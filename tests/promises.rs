//! Promises: servers that keep them, and servers that break them.

use crate::by_hand::run;
use crate::support::battery::{Checked, check, file_stating, have, small_server};
use crate::support::skip::is_thorough;

/// Runs these checks on the line server with places, whose clients give them back only as `how` says.
fn places(how: &str) -> Option<Checked> {
    if !have("python3") {
        return None;
    }
    let how = format!("how={how}");
    let checks = ["conn-limit", "places-given-back"];
    Some(small_server("slot-leak", &[&how], &checks))
}

#[test]
fn a_place_that_is_kept_after_a_reset_is_found() {
    if !is_thorough() {
        return;
    }
    let Some(checked) = places("leaky") else {
        return;
    };
    checked.assert("places-given-back", "fail", "leak");
    let outcome = checked.outcome("places-given-back");
    let actual = outcome["actual"].as_str().unwrap();
    assert!(
        actual.starts_with("after 60 clients left by RST, 0 are served"),
        "{actual}"
    );
    // It refuses as it should.
    assert_eq!(checked.ids("pass"), ["conn-limit"]);
    assert_eq!(checked.outcome("conn-limit")["evidence"]["refused"], 20);
}

/// Without the promise, a place that is kept shows wherever clients leave abruptly: the refusal is recognised, and is one cause.
#[test]
fn kept_places_are_one_cause_where_nothing_is_promised() {
    if !is_thorough() {
        return;
    }
    if !have("python3") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = file_stating("slot-leak", "", folder.path());
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("max_connections = 60\n", "")).unwrap();
    let checks = ["rst-in-queue", "fd-leak", "thread-leak"].map(|id| ["--only", id]);
    let checked = check(
        ["--file", &file]
            .into_iter()
            .chain(checks.iter().flatten().copied()),
    );
    let of_cause = |id: &&str| checked.outcome(id)["cause"] == "places-not-given-back";
    let failed = checked.ids("fail");
    assert_eq!(failed.len(), 3, "{}", checked.shown());
    assert!(failed.iter().all(of_cause), "{}", checked.shown());
    let actual = checked.actual("fd-leak");
    assert!(
        actual.contains("ERR no place left") && actual.contains("beyond its limit of 60 clients"),
        "{actual}"
    );
    // The command shows what fell short, the refusal, and not descriptors or threads.
    for id in ["fd-leak", "thread-leak"] {
        let command = checked.outcome(id)["by_hand"].as_str().unwrap();
        let printed = run(command);
        assert!(printed.contains("ERR no place left"), "{id}: {printed}");
        let printed = run(&command.replace(" leaky", " sound"));
        assert!(!printed.contains("ERR no place left"), "{id}: {printed}");
    }
}

#[test]
fn places_that_are_given_back() {
    let Some(checked) = places("sound") else {
        return;
    };
    assert_eq!(checked.code(), 0, "{}", checked.shown());
    assert_eq!(checked.ids("pass").len(), 2, "{}", checked.shown());
}

/// The reference server promises what its parameters say.
#[test]
fn promises_of_the_reference_server() {
    if !is_thorough() {
        return;
    }
    let arguments = |more: &[&'static str]| {
        let only = ["conn-limit", "idle-timeout", "dual-stack", "reload-*"];
        let only = only.into_iter().flat_map(|id| ["--only", id]);
        let all = ["--embedded"].into_iter().chain(only);
        all.chain(more.iter().copied()).collect::<Vec<_>>()
    };
    let checked = check(arguments(&[
        "--param",
        "max_connections=30",
        "--param",
        "idle_timeout=300ms",
    ]));
    assert_eq!(checked.code(), 0, "{}", checked.shown());
    assert_eq!(checked.ids("pass").len(), 4, "{}", checked.shown());

    let checked = check(arguments(&["--param", "model=sequential"]));
    let reason = |id| checked.outcome(id)["reason"].as_str().unwrap_or_default();
    assert_eq!(reason("conn-limit"), "needs promise.max_connections");
    assert!(reason("idle-timeout").contains("--slow"));
    assert_eq!(checked.outcome("idle-timeout")["enable"][0], "--slow");

    let checked = check(arguments(&["--param", "max_connections=5000"]));
    let reason = checked.outcome("conn-limit")["reason"].as_str();
    assert!(reason.is_some_and(|reason| reason.contains("--slow")));
}
