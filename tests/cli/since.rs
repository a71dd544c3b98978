//! `--since`: what changed since an earlier run.

use serde_json::Value;

use crate::support::reports::changes;
use crate::support::{Bench, Ended};

/// Checks the embedded server with this fault, and the same checks each time.
fn check(bench: &Bench, fault: &str, more: &[&str]) -> Ended {
    let fault = format!("fault={fault}");
    let mut all = vec!["check", "--embedded", "--seed", "7", "--param", &fault];
    all.extend([
        "--only",
        "split-bytewise,nul-bytes,zero-length,utf8-invalid",
    ]);
    all.extend(more);
    bench.run(all)
}

#[test]
fn a_new_failure_and_a_fixed_one_are_told_apart_from_what_is_unchanged() {
    let bench = Bench::new();
    let ended = check(&bench, "nul-cut", &["--json", "then.json"]);
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    let outputs = [
        "--since",
        "then.json",
        "--json",
        "now.json",
        "--html",
        "now.html",
        "--markdown",
        "now.md",
    ];
    let ended = check(&bench, "recv-is-message", &outputs);
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    let report = bench.json("now.json");
    let expected = [("new-failure", "split-bytewise"), ("fixed", "nul-bytes")];
    assert_eq!(changes(&report["since"]), expected, "{report:#}");
    let since = &report["since"];
    assert_eq!(since["compared"], 4);
    assert_eq!(since["unchanged"], 2);
    assert_eq!(since["run_id"], bench.json("then.json")["run_id"]);
    // Another fault is another command.
    assert_eq!(since["notes"].as_array().unwrap().len(), 1);
    let answer = "1 new failure, 1 fixed, 2 unchanged";
    for text in [
        &ended.stdout,
        &bench.read("now.html"),
        &bench.read("now.md"),
    ] {
        assert!(text.contains(answer), "{text}");
        assert!(text.contains("split-bytewise"), "{text}");
    }
}

#[test]
fn the_same_server_has_no_change() {
    let bench = Bench::new();
    check(&bench, "nul-cut", &["--json", "then.json"]);
    let outputs = ["--since", "then.json", "--json", "now.json"];
    let ended = check(&bench, "nul-cut", &outputs);
    let since = &bench.json("now.json")["since"];
    assert_eq!(since["changes"], Value::Array(Vec::new()), "{since:#}");
    assert_eq!(
        (&since["still_failing"], &since["unchanged"]),
        (&1.into(), &3.into())
    );
    assert_eq!(
        since["notes"],
        Value::Array(Vec::new()),
        "the plan is the same"
    );
    let answer = "0 new failures, 1 still failing, 3 unchanged";
    assert!(ended.stdout.contains(answer), "{}", ended.all());
}

/// A file that is no earlier run is refused before anything runs.
#[test]
fn what_is_no_earlier_run_is_refused() {
    let bench = Bench::new();
    bench.write("no.json", "{}");
    bench.write(
        "load.json",
        r#"{"schema":"tcprove/1","command":"load","run_id":"r","plan_hash":null}"#,
    );
    for (file, says) in [
        ("missing.json", "No such file"),
        ("no.json", "no report of this version"),
        ("load.json", "it is the report of `tcprove load`"),
    ] {
        let ended = check(&bench, "nul-cut", &["--since", file]);
        assert_eq!(ended.code, Some(2), "{}", ended.all());
        assert!(ended.stderr.contains(says), "{}", ended.stderr);
        assert!(
            ended.stderr.contains("next: give the file that an earlier"),
            "{}",
            ended.stderr
        );
    }
}
