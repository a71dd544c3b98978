//! Stored counts: the same server passes by them, one more system call does not, and what is no baseline is told.

use serde_json::Value;

use super::{cell, server};
use crate::support::battery::have;
use crate::support::skip::{is_slow, is_thorough};
use crate::support::{Bench, alone};

/// A gate without a base.
fn without_base(bench: &Bench, candidate: &str, more: &[&str]) -> (Option<i32>, Value, String) {
    let words = [
        "gate",
        "--talk",
        "line",
        "--max-time",
        "16s",
        "--json",
        "r.json",
    ];
    let all = [
        &words[..],
        &["--candidate", candidate, "--no-progress"],
        more,
    ]
    .concat();
    let ended = bench.run(all);
    (ended.code, bench.json("r.json"), ended.all())
}

#[test]
fn a_stored_baseline_passes_itself_and_finds_one_more_system_call() {
    if !have("valgrind") {
        return;
    }
    if !is_slow("half a minute of counting three times") {
        return;
    }
    let _alone = alone();
    let bench = Bench::new();
    let sound = server("--model sequential");
    let (code, _, all) = without_base(&bench, &sound, &["--save-baseline", "b.json"]);
    assert_eq!(code, Some(0), "{all}");
    let stored = bench.json("b.json");
    assert_eq!(stored["schema"], "tcprove-baseline/1");
    assert!(stored["instructions"]["estimate"].as_f64().unwrap() > 100.0);
    let (code, report, all) = without_base(&bench, &sound, &["--baseline", "b.json"]);
    assert_eq!(code, Some(0), "{all}");
    assert_eq!(cell(&report, "syscalls")["verdict"], "pass");
    let faulty = server("--model sequential --fault extra-syscall");
    let (code, report, all) = without_base(&bench, &faulty, &["--baseline", "b.json"]);
    assert_eq!(code, Some(1), "{all}");
    assert_eq!(cell(&report, "syscalls")["verdict"], "fail");
}

#[test]
fn what_is_no_baseline_is_told() {
    if !is_thorough() {
        return;
    }
    let bench = Bench::new();
    bench.write("empty.json", "");
    bench.write("other.json", "{\"schema\": \"tcprove/1\"}");
    bench.write("newer.json", "{\"schema\": \"tcprove-baseline/99\"}");
    for (file, says) in [
        ("missing.json", "there is no baseline"),
        ("empty.json", "is not a baseline"),
        ("other.json", "is not a baseline"),
        ("newer.json", "tcprove-baseline/99"),
    ] {
        let (code, report, all) = without_base(&bench, &server(""), &["--baseline", file]);
        assert_eq!(code, Some(2), "{all}");
        let message = report["error"]["message"].as_str().unwrap();
        assert!(
            message.contains(says) && message.contains("next: "),
            "{message}"
        );
    }
}

/// Nothing but counts is compared without a base.
#[test]
fn a_budget_of_what_is_not_stored_is_told() {
    if !is_thorough() {
        return;
    }
    let bench = Bench::new();
    bench.write("b.json", "{}");
    let more = ["--save-baseline", "b.json", "--budget", "p50=5%"];
    let (code, report, all) = without_base(&bench, &server(""), &more);
    assert_eq!(code, Some(2), "{all}");
    let message = report["error"]["message"].as_str().unwrap();
    assert!(message.contains("--budget p50"), "{message}");
}
