//! Servers that have to be waited for, and those from which nothing can be learned.

use super::{finds, init, said};
use crate::support::skip::is_slow;
use crate::support::{Bench, at_once};

#[test]
fn a_late_greeting() {
    if !is_slow("40 seconds of waiting for servers") {
        return;
    }
    let bench = Bench::new();
    let Some(ended) = init(&bench, "greets_late") else {
        return;
    };
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert!(said(&ended, "talk").contains("`smtp`"), "{}", ended.stdout);
}

#[test]
fn a_server_that_listens_before_it_is_ready() {
    if !is_slow("40 seconds of waiting for servers") {
        return;
    }
    let Some((bench, ended)) = finds("warms_up", "`line`") else {
        return;
    };
    assert!(
        said(&ended, "changed").contains("exchange"),
        "{}",
        ended.stdout
    );
    assert!(
        bench
            .read("tcprove.toml")
            .contains("\nready = \"exchange\"\n")
    );
}

/// What nobody can learn from is no talk, and the error says what was tried and what came.
#[test]
fn what_is_never_assumed() {
    if !is_slow("40 seconds of waiting for servers") {
        return;
    }
    let servers = [
        ("mute", "nothing came within"),
        ("closes", "the server closed the connection"),
        ("noise", "a talk learned from the replies: "),
        ("greets_only", "come back later"),
    ];
    at_once(&servers, |(kind, says)| {
        let bench = Bench::new();
        let Some(ended) = init(&bench, kind) else {
            return;
        };
        assert_eq!(ended.code, Some(3), "{kind}: {}", ended.all());
        for says in ["no talk was found", says, "next: "] {
            assert!(
                ended.stderr.contains(says),
                "{kind}: no {says:?}: {}",
                ended.stderr
            );
        }
        assert!(!bench.path("tcprove.toml").exists(), "{kind}");
    });
}
