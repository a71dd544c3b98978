//! `tcprove history`: the changes of a written history in every format, and files that are no history.

use serde_json::json;

use crate::support::Bench;
use crate::support::skip::is_thorough;

/// A history of 60 gates: the CPU time rises by 4 % with `c30`, and by nothing else.
fn lines() -> String {
    let line = |gate: usize| {
        let noise = (gate as f64 * 12.9898).sin() / 4.0;
        let figure = if gate < 30 { 100.0 } else { 104.0 } + noise;
        let cell =
            json!({"metric": "server-cpu", "at": null, "candidate": figure, "estimate_pct": 0.1});
        let line = json!({
            "schema": "tcprove-history/1",
            "run_id": format!("r{gate}"),
            "time": "2026-03-01T10:00:00Z",
            "commit": format!("c{gate}"),
            "fingerprint": "1",
            "machine": {"model": "m", "cpus": 2, "kernel": "6"},
            "target": "echo",
            "cells": [cell],
        });
        format!("{line}\n")
    };
    (0..60).map(line).collect()
}

#[test]
fn a_step_is_named_by_its_commit_in_every_format() {
    if !is_thorough() {
        return;
    }
    let bench = Bench::new();
    bench.write(
        "old.jsonl",
        &lines()
            .lines()
            .take(20)
            .map(|line| format!("{line}\n"))
            .collect::<String>(),
    );
    bench.write(
        "new.jsonl",
        &lines()
            .lines()
            .skip(20)
            .map(|line| format!("{line}\n"))
            .collect::<String>(),
    );
    let ended = bench.run([
        "history",
        "old.jsonl",
        "new.jsonl",
        "--json",
        "h.json",
        "--markdown",
        "h.md",
        "--html",
        "h.html",
        "--junit",
        "h.xml",
    ]);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    let answer = ended.stdout.lines().next().unwrap();
    assert!(
        answer.starts_with("it got worse: server CPU per operation +"),
        "{answer}"
    );
    assert!(answer.ends_with("with c30"), "{answer}");
    let read = bench.json("h.json");
    let trend = &read["machines"][0]["trends"][0];
    assert_eq!(trend["shifts"].as_array().unwrap().len(), 1, "{trend:#}");
    assert_eq!(trend["shifts"][0]["gate"], 30);
    let size = trend["shifts"][0]["change_pct"].as_f64().unwrap();
    assert!((3.8..4.2).contains(&size), "{size}");
    assert!(bench.markdown("h.md").contains("c30"));
    let page = bench.read("h.html");
    assert!(
        page.contains("<code>c30</code>") && !page.contains("<script") && !page.contains("http")
    );
    // A look back gives no verdict.
    assert!(!page.contains("class=\"pill"), "{page}");
    assert_eq!(
        bench
            .junit("h.xml")
            .iter()
            .filter(|element| element.name == "failure")
            .count(),
        0
    );
}

#[test]
fn what_is_no_history_is_refused() {
    let bench = Bench::new();
    bench.write("empty.jsonl", "\n");
    bench.write("broken.jsonl", &format!("{}{{\n", lines()));
    for (file, says) in [
        ("empty.jsonl", "the history has no gates"),
        ("broken.jsonl", "broken.jsonl cannot be read: line 61: "),
        ("missing.jsonl", "missing.jsonl cannot be read: "),
    ] {
        let ended = bench.run(["history", file]);
        assert_eq!(ended.code, Some(2), "{}", ended.all());
        assert!(ended.stderr.contains(says), "{}", ended.all());
    }
    let ended = bench.run([
        "gate",
        "--commit",
        "x",
        "--base",
        "a {port}",
        "--candidate",
        "b {port}",
    ]);
    assert_eq!(
        ended.code,
        Some(2),
        "--commit without --history: {}",
        ended.all()
    );
}
