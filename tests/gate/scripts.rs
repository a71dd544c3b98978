//! A gate names the function of a script in which something got worse, by the profiler of its interpreter.

use serde_json::Value;

use super::gate;
use crate::support::skip::{is_slow, needs};
use crate::support::{Bench, data, is_in_path, python};

/// The report of a gate in which the function `respond` got more expensive.
fn planted(bench: &Bench, command: &str) -> Value {
    let base = format!("{command} {{port}}");
    let candidate = format!("{command} {{port}} respond");
    let more = [
        "--sessions",
        "7",
        "--max-time",
        "60s",
        "--html",
        "page.html",
    ];
    let (ended, report) = gate(bench, &base, &candidate, &more);
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    report
}

/// `respond` comes first, in its file, and in the answer.
fn names_it(bench: &Bench, report: &Value, by: &str, place: &str) {
    let explained = &report["explained"][0];
    assert_eq!(explained["metric"], "server-cpu", "{report:#}");
    assert_eq!(explained["by"], by, "{report:#}");
    let first = &explained["functions"][0];
    assert_eq!(first["function"], place, "{report:#}");
    let share = first["share_pct"].as_f64().unwrap();
    assert!((50.0..=150.0).contains(&share), "{report:#}");
    let page = bench.read("page.html");
    let begin = page.find(&format!("<title>{place}: "));
    let frame = &page[begin.expect("a frame of the flame graph")..];
    let class = frame.split("class=\"").nth(1).unwrap();
    assert!(class.starts_with("flame more"), "{}", &frame[..200]);
}

#[test]
fn python_names_the_function() {
    let Some(python) = python().filter(|_| is_slow("a gate of up to a minute")) else {
        return;
    };
    let bench = Bench::new();
    let report = planted(&bench, &format!("{python} {}", data("places/server.py")));
    names_it(&bench, &report, "calls", "respond (server.py:16)");
    // It is called once in both, so the number of calls explains nothing of it.
    let calls = report["explained"][0]["calls"].to_string();
    assert!(!calls.contains("respond (server.py"), "{report:#}");
}

/// Without a hook the gate says why it knows no function.
#[test]
fn python_without_a_hook_is_told() {
    let Some(python) = python().filter(|_| is_slow("a gate of up to a minute")) else {
        return;
    };
    let bench = Bench::new();
    let report = planted(&bench, &format!("{python} -I {}", data("places/server.py")));
    assert_eq!(report["explained"], Value::Array(Vec::new()), "{report:#}");
    let notes = report["notes"].to_string();
    assert!(notes.contains("does not run tcprove's hook"), "{report:#}");
}

#[test]
fn node_names_the_function() {
    if !is_in_path("node") {
        return needs("node");
    }
    if !is_slow("a gate of up to a minute") {
        return;
    }
    let bench = Bench::new();
    // The folder of node is not in the PATH of the gate.
    let out = std::process::Command::new("node")
        .args(["-p", "process.execPath"])
        .output()
        .unwrap();
    let node = String::from_utf8(out.stdout).unwrap();
    let report = planted(
        &bench,
        &format!("{} {}", node.trim(), data("places/server.js")),
    );
    names_it(&bench, &report, "samples", "respond (server.js:13)");
}
