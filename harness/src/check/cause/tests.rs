//! Which failures have a cause in common, and which do not.

use std::time::Duration;

use super::*;
use crate::check::Verdict;
use crate::data::Actions;

fn outcome(id: &'static str, kind: FailureKind) -> Outcome {
    Outcome {
        id,
        group: "g",
        outcome: Verdict::Fail,
        kind: Some(kind),
        requirement: "",
        expected: None,
        actual: None,
        reason: None,
        enable: Vec::new(),
        evidence: serde_json::Map::new(),
        transcript: Actions::default(),
        stimulus_proof: None,
        attempts: 2,
        control: None,
        waived: None,
        duration: Duration::ZERO,
        ran: Vec::new(),
        reproduce: String::new(),
        by_hand: String::new(),
        next: None,
        cause: None,
    }
}

fn causes(failures: &[(&'static str, FailureKind)]) -> Vec<(&'static str, usize)> {
    let outcomes = failures.iter().map(|(id, kind)| outcome(id, *kind));
    let found = infer(&mut outcomes.collect::<Vec<_>>());
    found
        .iter()
        .map(|cause| (cause.id, cause.checks.len()))
        .collect()
}

#[test]
fn each_failure_has_one_cause() {
    let failures = [
        ("split-bytewise", Kind::WrongReply),
        ("coalesce-100", Kind::LostReply),
        ("utf8-split-char", Kind::WrongReply),
        ("rst-mid-reply", Kind::Died),
        ("prefix-abort", Kind::Died),
        ("rst-in-queue", Kind::Spin),
        ("endless-message", Kind::Growth),
    ];
    let expected = [("read-is-message", 3), ("connection-error-ends-server", 2)];
    assert_eq!(causes(&failures), expected);
}

#[test]
fn a_cause_needs_what_decides_it() {
    // No message was cut in vain, so reads are not taken for messages.
    let failures = [
        ("coalesce-100", Kind::LostReply),
        ("split-across-two", Kind::LostReply),
    ];
    assert_eq!(causes(&failures), [("rest-of-read-dropped", 2)]);
    assert_eq!(causes(&failures[..1]), []);
}

#[test]
fn a_thread_that_cannot_be_started_is_one_cause() {
    for kind in [Kind::Died, Kind::Blocked] {
        let failures = [("nproc-live", kind), ("no-thread", Kind::Died)];
        assert_eq!(causes(&failures), [("thread-error-ends-server", 2)]);
    }
}

/// The words of a server that has no place for a client decide, and only where clients left abruptly.
#[test]
fn places_that_are_not_given_back_are_one_cause() {
    let busy = |id| Outcome {
        actual: Some(format!("\"busy\", {BEYOND_CLIENTS}100 clients")),
        ..outcome(id, Kind::WrongReply)
    };
    let plain = outcome("thread-leak", Kind::WrongReply);
    let found = infer(&mut [busy("fd-leak"), busy("rss-slope"), plain.clone()]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].id, "places-not-given-back");
    assert_eq!(found[0].checks, ["fd-leak", "rss-slope"]);
    assert_eq!(infer(&mut [busy("fd-leak"), plain]), []);
    assert_eq!(infer(&mut [busy("herd"), busy("backlog-burst")]), []);
}

#[test]
fn waived_failures_have_no_part_in_it() {
    let mut outcomes = [
        outcome("utf8-invalid", Kind::Died),
        outcome("nul-bytes", Kind::Died),
    ];
    outcomes[1].waived = Some("issue 7".into());
    assert_eq!(infer(&mut outcomes), []);
    assert_eq!(outcomes[0].cause, None);
}
