//! Every protocol of the reference server passes the battery in every concurrency model.
//!
//! By default each protocol runs in one model; with `TCPROVE_SLOW=1` every fourth combination, with
//! `TCPROVE_SLOW=N` all twenty N times.

use crate::support::battery::check;
use crate::support::skip::{is_thorough, slow_rounds};

const PROTOCOLS: [&str; 4] = ["tutorial", "echo", "line", "frame"];
const MODELS: [&str; 5] = [
    "sequential",
    "threads",
    "prefork",
    "tokio-current",
    "tokio-multi",
];

/// Checks that a server in this model cannot pass, because it serves one client at a time.
fn cannot_pass(model: &str) -> &'static [&'static str] {
    match model {
        "sequential" => tcprove_server::model::SEQUENTIAL_CANNOT_PASS,
        _ => &[],
    }
}

fn battery(protocol: &str, model: &str) {
    let checked = check([
        "--embedded",
        "--param",
        &format!("protocol={protocol}"),
        "--param",
        &format!("model={model}"),
    ]);
    let unexpected = |outcome| {
        let mut ids = checked.ids(outcome);
        ids.retain(|id| !cannot_pass(model).contains(id));
        ids
    };
    for outcome in ["fail", "warn", "inconclusive"] {
        assert_eq!(
            unexpected(outcome),
            [""; 0],
            "{protocol} on {model}: {outcome}\n{}",
            checked.shown()
        );
    }
    assert!(
        checked.ids("pass").len() >= 15,
        "{protocol} on {model}: too few checks passed\n{}",
        checked.shown()
    );
}

#[test]
fn tutorial_passes_in_threads() {
    if !is_thorough() {
        return;
    }
    battery("tutorial", "threads");
}

#[test]
fn echo_passes_in_prefork() {
    if !is_thorough() {
        return;
    }
    battery("echo", "prefork");
}

#[test]
fn line_passes_in_tokio_multi() {
    if !is_thorough() {
        return;
    }
    battery("line", "tokio-multi");
}

#[test]
fn frame_passes_in_tokio_current() {
    if !is_thorough() {
        return;
    }
    battery("frame", "tokio-current");
}

#[test]
fn one_client_at_a_time_passes_what_needs_no_second() {
    if !is_thorough() {
        return;
    }
    let skipped = tcprove_server::model::SEQUENTIAL_CANNOT_PASS;
    let skips = skipped.iter().flat_map(|id| ["--skip", id]);
    let arguments = ["--embedded", "--param", "model=sequential"];
    let checked = check(arguments.into_iter().chain(skips));
    assert_eq!(checked.code(), 0, "{}", checked.shown());
}

/// With `TCPROVE_SLOW=1` every fourth pair, with each protocol and each model in it; with more, all pairs.
#[test]
fn every_protocol_passes_in_every_model() {
    let rounds = slow_rounds(1, "minutes of batteries");
    for _ in 0..rounds {
        for (row, protocol) in PROTOCOLS.into_iter().enumerate() {
            for (column, model) in MODELS.into_iter().enumerate() {
                if rounds > 1 || (row + column).is_multiple_of(4) {
                    battery(protocol, model);
                }
            }
        }
    }
}
