//! Gates that are merged: one verdict from the sessions of all, and what does not belong together.

use serde_json::Value;

use super::{cell, gate, server};
use crate::support::{Bench, skip};

/// A short gate of the reference server against a slow one, with its own report.
fn report(bench: &Bench, file: &str, more: &[&str]) {
    let short = ["--max-time", "8s", "--sessions", "8"];
    let words = [&short[..], more].concat();
    let (ended, _) = gate(bench, &server(""), &server("--slower 1000"), &words);
    assert!(matches!(ended.code, Some(0 | 1 | 5)), "{}", ended.all());
    std::fs::rename(bench.path("r.json"), bench.path(file)).unwrap();
}

#[test]
fn gates_are_merged_into_one_verdict() {
    if !skip::is_slow("three gates") {
        return;
    }
    let bench = Bench::new();
    report(&bench, "1.json", &["--part", "1/2"]);
    report(&bench, "2.json", &["--part", "2/2"]);
    let (one, two) = (bench.json("1.json"), bench.json("2.json"));
    let files = [
        "--json", "all.json", "--html", "all.html", "--junit", "all.xml",
    ];
    let merged = bench.run([&["merge", "2.json", "1.json"][..], &files].concat());
    assert!(matches!(merged.code, Some(0 | 1 | 5)), "{}", merged.all());
    assert!(
        merged.stdout.contains("merged from 2 gates"),
        "{}",
        merged.all()
    );
    let all = bench.json("all.json");
    let count = |report: &Value, stage: &str| report["duet"][stage].as_u64().unwrap();
    for stage in ["real", "control", "fresh"] {
        assert_eq!(count(&all, stage), count(&one, stage) + count(&two, stage));
    }
    assert_eq!(
        cell(&all, "server-cpu")["verdict"],
        "fail",
        "{}",
        merged.all()
    );
    assert_eq!(all["gates"].as_array().unwrap().len(), 2);
    assert!(bench.read("all.html").contains("merged from 2 gates"));

    let lacking = bench.run(["merge", "1.json"]);
    assert_eq!(lacking.code, Some(2), "{}", lacking.all());
    assert!(
        lacking.stderr.contains("gate 2 of 2 is missing"),
        "{}",
        lacking.all()
    );
    let again = bench.run(["merge", "1.json", "2.json", "1.json"]);
    assert!(
        again.stderr.contains("gate 1 of 2 is there twice"),
        "{}",
        again.all()
    );
    report(
        &bench,
        "other.json",
        &["--part", "2/2", "--budget", "p50=9%"],
    );
    let refused = bench.run(["merge", "1.json", "other.json"]);
    assert_eq!(refused.code, Some(2), "{}", refused.all());
    assert!(
        refused.stderr.contains("budgets.p50: 0.05, and 0.09"),
        "{}",
        refused.all()
    );
}
