//! The sweep of thirteen servers: which results which of them does not survive, the same each time.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::battery::{check, data, initialized};
use crate::support::is_in_path;
use crate::support::skip::{may_lack, rounds};

/// Number of sweeps of each server, unless `TCPROVE_SLOW` says another.
const ROUNDS: usize = 5;

/// A server, and what it does not survive.
struct Swept {
    name: &'static str,
    /// The program that it needs.
    program: &'static str,
    target: Vec<String>,
    /// The rows that fail, each with the kind of failure.
    fails: &'static [&'static str],
}

/// Every error of accept(2) but ECONNABORTED ends these.
const ACCEPT4_FATAL: &[&str] = &[
    "accept4:1:EPROTO died",
    "accept4:1:EPERM died",
    "accept4:1:ENOBUFS died",
    "accept4:1:ENOMEM died",
    "accept4:1:ENETDOWN died",
];
const ACCEPT_FATAL: &[&str] = &[
    "accept:1:EPROTO died",
    "accept:1:EPERM died",
    "accept:1:ENOBUFS died",
    "accept:1:ENOMEM died",
    "accept:1:ENETDOWN died",
];
/// A connection whose option cannot be set is never closed.
const OPTIONS_LEAK: &[&str] = &["setsockopt:1:EINVAL leak", "setsockopt:1:ENOMEM leak"];

/// The servers whose programs are there.
fn servers(folder: &Path) -> Vec<Swept> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let swept = |name, program, fails, target: &[&str]| Swept {
        name,
        program,
        target: words(target),
        fails,
    };
    let text = |path: &Path| path.to_str().expect("a path in UTF-8").to_owned();
    let described = |name: &str| text(&data(&format!("../servers/{name}.toml")));
    let builtin = |talk: &str| text(&initialized(talk, folder));
    let script = |name: &str| text(&data(name));
    let lines = text(&folder.join("lines"));
    let line = |command: &[&str]| {
        let mut words = vec!["--talk", "line", "--"];
        words.extend(command);
        words.push("{port}");
        words.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let by_line = |name, program, fails, command: &[&str]| Swept {
        name,
        program,
        target: line(command),
        fails,
    };
    let mut all = vec![
        swept("redis", "redis-server", &[], &["-f", &builtin("redis")]),
        swept(
            "memcached",
            "memcached",
            &[],
            &["-f", &builtin("memcached")],
        ),
        swept("nginx", "nginx", &[], &["-f", &builtin("http")]),
        swept("haproxy", "haproxy", &[], &["-f", &described("haproxy")]),
        swept(
            "beanstalkd",
            "beanstalkd",
            &[],
            &["-f", &builtin("beanstalkd")],
        ),
        swept("socat", "socat", ACCEPT_FATAL, &["-f", &described("socat")]),
        swept("ncat", "ncat", &[], &["-f", &described("ncat")]),
        swept("node", "node", &[], &["-f", &described("node-http")]),
        by_line("Go", "go", &[], &[&lines]),
        by_line(
            "asyncio",
            "python3",
            OPTIONS_LEAK,
            &["python3", &script("asyncio_line.py")],
        ),
        by_line(
            "socketserver",
            "python3",
            &[],
            &["python3", &script("injection/socketserver_line.py")],
        ),
        swept("reference server (tokio-multi)", "sh", &[], &["--embedded"]),
        swept(
            "reference server (threads)",
            "sh",
            &[],
            &["--embedded", "--param", "model=threads"],
        ),
        swept(
            "nginx, PROXY header",
            "nginx",
            &[],
            &["-f", &described("nginx-proxy")],
        ),
    ];
    let mut fatal = by_line("Go, log.Fatal", "go", ACCEPT4_FATAL, &[&lines]);
    fatal.target.push("fatal".to_owned());
    all.push(fatal);
    all.retain(|server| {
        let is_there = is_in_path(server.program);
        if !is_there {
            may_lack(&format!("{}, for {}", server.program, server.name));
        }
        is_there
    });
    all
}

/// Compiles the server in Go, if there is a compiler.
fn compile_go(folder: &Path) {
    if is_in_path("go") {
        let mut compiler = Command::new("go");
        compiler.args(["build", "-o"]).arg(folder.join("lines"));
        let status = compiler.arg(data("injection/lines.go")).status();
        assert!(status.is_ok_and(|status| status.success()), "go build");
    }
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The rows: case, outcome and kind.
fn rows(sweep: &Value) -> Vec<(String, String, String)> {
    let rows = sweep["rows"].as_array().expect("rows").iter();
    let row = |row: &Value| {
        let text = |key| word(&row[key]).to_owned();
        (text("case"), text("outcome"), text("kind"))
    };
    rows.map(row).collect()
}

#[test]
#[ignore = "sweeps fifteen servers five times, which takes about ten minutes, and prints a table"]
fn table() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    compile_go(folder.path());
    let count = if rounds() > 0 { rounds() } else { ROUNDS };
    println!(
        "\n| server | calls | rows | served | lost | refused | not reached | fail | seconds |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|");
    let mut wrong = Vec::new();
    for server in servers(folder.path()) {
        let words = server.target.iter().map(String::as_str);
        let sweep = || {
            let words = ["--sweep"].into_iter().chain(words.clone());
            let checked = check(words);
            let sweep = checked.report["sweep"].clone();
            assert!(
                sweep["rows"].is_array(),
                "{}\n{}",
                server.name,
                checked.shown()
            );
            sweep
        };
        let first = sweep();
        let known = rows(&first);
        for round in 1..count {
            let next = rows(&sweep());
            let differ = next.iter().filter(|row| !known.contains(row));
            wrong.extend(differ.map(|row| format!("{}, round {round}: {row:?}", server.name)));
            if next.len() != known.len() {
                wrong.push(format!("{}, round {round}: other cases", server.name));
            }
        }
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, outcome, _) in &known {
            *counts.entry(outcome).or_default() += 1;
        }
        let of = |outcome| counts.get(outcome).copied().unwrap_or_default();
        println!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {:.1} |",
            server.name,
            first["calls"].as_array().map_or(0, Vec::len),
            known.len(),
            of("served"),
            of("lost"),
            of("refused"),
            of("not-reached"),
            of("fail"),
            first["seconds"].as_f64().unwrap_or_default()
        );
        let failed = known
            .iter()
            .filter(|(_, outcome, _)| outcome == "fail" || outcome == "flaky");
        let failed: Vec<String> = failed
            .map(|(case, _, kind)| format!("{case} {kind}"))
            .collect();
        if failed != server.fails {
            wrong.push(format!("{}: {failed:?}", server.name));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
