//! `tcprove gate` through the binary: regressions fail, equal servers never fail, a gate that cannot see its control is
//! void, and mistakes are reported. Sessions are short: only differences that are large on every machine are asserted.

mod baseline;
mod behaviour;
mod control;
mod history;
mod matrix;
mod merged;
mod metrics;
mod mistakes;
mod places;
mod scripts;
mod time;
mod weigh;

use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::skip::is_thorough;
use crate::support::{Bench, Ended, alone, data, python, until};

const SERVER: &str = "tcprove serve --protocol line --port {port}";

/// The reference server with these additional arguments.
fn server(arguments: &str) -> String {
    format!("{SERVER} {arguments}").trim_end().to_owned()
}

/// A gate of these two servers, without anything else.
fn of_both<'a>(base: &'a str, candidate: &'a str) -> [&'a str; 7] {
    [
        "gate",
        "--talk",
        "line",
        "--base",
        base,
        "--candidate",
        candidate,
    ]
}

/// A command that runs tcprove without valgrind in PATH, which would take part of the time. Counting has its own tests.
fn uncounted(bench: &Bench) -> Command {
    let mut command = bench.tcprove();
    let folder = Path::new(crate::support::program()).parent();
    command.env("PATH", folder.unwrap());
    command
}

fn gate(bench: &Bench, base: &str, candidate: &str, more: &[&str]) -> (Ended, Value) {
    let _alone = alone();
    let words = [
        &of_both(base, candidate)[..],
        &["--json", "r.json", "--no-progress", "--seed", "5"],
        more,
    ]
    .concat();
    let run = |words: &[&str]| {
        let mut command = uncounted(bench);
        command.args(words);
        bench.end(command)
    };
    let mut ended = run(&words);
    // On a busy machine, starting both servers takes most of a short gate.
    let says = |text: &str| ended.all().contains(text);
    let needs_verdict = !words.contains(&"--allow-same");
    let is_open = ended.code == Some(5) && says("then the time was over") && needs_verdict;
    if says("the time is too short") || is_open {
        let patient = words.iter().map(|word| match *word {
            "8s" => "60s",
            other => other,
        });
        ended = run(&patient.collect::<Vec<_>>());
    }
    (ended, bench.json("r.json"))
}

fn cell<'a>(report: &'a Value, metric: &str) -> &'a Value {
    let cells = report["cells"].as_array().unwrap();
    let found = cells.iter().find(|cell| cell["metric"] == metric);
    found.unwrap_or_else(|| panic!("no cell {metric}: {report:#}"))
}

/// The candidate needs more than ten times the CPU time (`--slower 1000`).
#[test]
fn a_candidate_that_is_much_slower_fails_in_every_format() {
    if !is_thorough() {
        return;
    }
    let bench = Bench::new();
    let formats = [
        "--max-time",
        "8s",
        "--sessions",
        "8",
        "--markdown",
        "r.md",
        "--junit",
        "r.xml",
        "--html",
        "r.html",
        "--history",
        "h.jsonl",
        "--commit",
        "abc123",
    ];
    let (ended, report) = gate(&bench, &server(""), &server("--slower 1000"), &formats);
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    assert_eq!(report["verdict"], "fail");
    let cpu = cell(&report, "server-cpu");
    assert_eq!(cpu["verdict"], "fail", "{cpu:#}");
    assert_eq!(cpu["budget_pct"], 2.0);
    assert!(cpu["low_pct"].as_f64().unwrap() > 100.0, "{cpu:#}");
    // Eight and twelve fresh ones, if a busy machine leaves time for them.
    let sessions = ["sessions", "fresh_sessions"].map(|key| cpu[key].as_u64().unwrap());
    assert!(sessions.iter().sum::<u64>() >= 7, "{cpu:#}");
    let first = ended.stdout.lines().next().unwrap();
    assert!(
        first.contains("it got worse: server CPU per operation"),
        "{first}"
    );
    let markdown = bench.markdown("r.md");
    assert!(markdown.contains("<!-- tcprove gate -->") && markdown.contains("**fail**"));
    let page = bench.read("r.html");
    assert!(page.contains("Every metric against its budget") && page.contains("FAIL"));
    let junit = bench.junit("r.xml");
    assert!(
        junit.iter().any(|element| element.name == "failure"),
        "{}",
        bench.read("r.xml")
    );
    let history = bench.read("h.jsonl");
    let history: Value = serde_json::from_str(history.lines().last().unwrap()).unwrap();
    assert_eq!(history["verdict"], "fail");
    assert_eq!(history["run_id"], report["run_id"]);
    assert_eq!(history["commit"], "abc123");
    let ended = bench.run(["history", "h.jsonl", "--json", "h.json"]);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert!(
        ended.stdout.starts_with("too few gates"),
        "{}",
        ended.stdout
    );
    let read = bench.json("h.json");
    assert_eq!(
        read["machines"][0]["gates"]
            .as_array()
            .unwrap()
            .last()
            .unwrap()["commit"],
        "abc123"
    );
    let metrics = read["machines"][0]["trends"].as_array().unwrap();
    assert!(
        metrics.iter().any(|trend| trend["metric"] == "server-cpu"),
        "{read:#}"
    );
}

#[test]
fn a_candidate_that_keeps_more_memory_fails_by_it() {
    if !is_thorough() {
        return;
    }
    let bench = Bench::new();
    let more = ["--max-time", "8s", "--sessions", "8"];
    let larger = server("--fault extra-memory");
    let (ended, report) = gate(&bench, &server(""), &larger, &more);
    let memory = cell(&report, "rss");
    assert_eq!(memory["verdict"], "fail", "{}", ended.all());
    let of = |side: &str| memory[side].as_f64().unwrap();
    let more = of("candidate") - of("base");
    assert!((8e6..9e6).contains(&more), "{memory:#}");
}

/// Equal servers may be inconclusive because of noise but must never fail. Each of two runs appends to the history.
#[test]
fn a_server_beside_itself_never_fails() {
    if !is_thorough() {
        return;
    }
    let bench = Bench::new();
    let more = [
        "--max-time",
        "8s",
        "--sessions",
        "8",
        "--allow-same",
        "--history",
        "h.jsonl",
    ];
    for _ in 0..2 {
        let (ended, report) = gate(&bench, &server(""), &server(""), &more);
        assert!(matches!(ended.code, Some(0 | 5)), "{}", ended.all());
        assert_ne!(report["verdict"], "fail");
        for metric in ["server-cpu", "server-cpu-all", "p50", "rss"] {
            assert!(cell(&report, metric)["base"].as_f64().unwrap() > 0.0);
        }
    }
    // A gate that a busy machine cut short is repeated.
    assert!(bench.read("h.jsonl").lines().count() >= 2);
}

#[test]
fn an_end_that_is_asked_for_keeps_what_was_measured_and_leaves_nothing() {
    if !is_thorough() {
        return;
    }
    let Some(python) = python() else { return };
    let _alone = alone();
    let bench = Bench::new();
    let server = format!(
        "{python} {} {{port}} {}",
        data("asyncio_line.py"),
        bench.marker
    );
    let mut command = bench.tcprove();
    let words = ["gate", "--talk", "line", "--allow-same", "--json", "r.json"];
    command.args(words).args(["--turn", "0"]);
    command.args(["--base", &server, "--candidate", &server]);
    let running = bench.start(command);
    // During the rehearsals only one of the servers runs at a time.
    until("both servers answer", || {
        let left = bench.left();
        let servers = left
            .iter()
            .filter(|line| line.contains("asyncio_line.py\0"));
        servers.count() >= 4
    });
    running.signal(Signal::INT);
    let ended = running.end();
    assert_eq!(ended.code, Some(130), "{}", ended.all());
    assert_eq!(bench.json("r.json")["interrupted"], true);
    bench.assert_nothing_left();
}
