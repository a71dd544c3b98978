//! What the formats hold: the JSON of CONTRACT.md, JUnit, Markdown, the step summary.

use serde_json::Value;

use super::file;
use crate::support::{Bench, Ended};

/// One of each: two failures waived apart, a failure, a pass, a skip, an inconclusive check.
fn mixed(bench: &Bench, arguments: &[&str]) -> Ended {
    let waiver = "[[waive]]\ncheck = \"split-each-offset\"\nreason = \"issue | 5 <b>\"\n";
    file(bench, "recv-is-message", waiver);
    let mut all = vec![
        "check",
        "--json",
        "r.json",
        "--junit",
        "r.xml",
        "--markdown",
        "r.md",
        "--seed",
        "11",
    ];
    for id in [
        "split-bytewise",
        "split-each-offset",
        "zero-length",
        "huge-length",
    ] {
        all.extend(["--only", id]);
    }
    all.extend(arguments);
    bench.run(all)
}

/// Every key with its type: `s`tring, `n`umber, `i`nteger, `b`oolean, `o`bject, `a`rray, `?` or null.
fn assert_keys(value: &Value, keys: &[(&str, &str)]) {
    for (key, kinds) in keys {
        let found = value
            .get(key)
            .unwrap_or_else(|| panic!("`{key}` is not in {value:#}"));
        let kind = match found {
            Value::Null => '?',
            Value::Bool(_) => 'b',
            Value::Number(number) if number.is_u64() => 'i',
            Value::Number(_) => 'n',
            Value::String(_) => 's',
            Value::Array(_) => 'a',
            Value::Object(_) => 'o',
        };
        let fits = kinds.contains(kind) || (kind == 'i' && kinds.contains('n'));
        assert!(fits, "`{key}` is {found}, not one of `{kinds}`");
    }
}

#[test]
fn the_json_has_every_key_of_the_contract() {
    let bench = Bench::new();
    mixed(&bench, &[]);
    let json = bench.json("r.json");
    let keys = [
        ("schema", "s"),
        ("command", "s"),
        ("run_id", "s"),
        ("seed", "i"),
        ("plan", "o"),
        ("plan_hash", "s"),
        ("environment", "o"),
        ("target", "o"),
        ("verdict", "s"),
        ("outcomes", "a"),
        ("counts", "o"),
        ("blockers", "a"),
        ("interrupted", "b"),
        ("duration_s", "n"),
    ];
    assert_keys(&json, &keys);
    assert_eq!(json["schema"], "tcprove/1");
    assert_eq!(json["command"], "check");
    assert_eq!(json["seed"], 11);
    assert_eq!(json["verdict"], "fail");
    assert!(json.get("error").is_none());
    let environment = [
        ("kernel", "s"),
        ("cpus", "i"),
        ("model", "s"),
        ("nofile", "i"),
        ("steal", "n?"),
        ("throttled", "i?"),
    ];
    assert_keys(&json["environment"], &environment);
    assert_keys(
        &json["target"],
        &[("name", "s"), ("command", "s"), ("embedded", "b")],
    );
    assert_eq!(json["target"]["embedded"], false);
    let outcomes = json["outcomes"].as_array().unwrap();
    assert_eq!(outcomes.len(), 4);
    let outcome = [
        ("id", "s"),
        ("group", "s"),
        ("outcome", "s"),
        ("kind", "s?"),
        ("expected", "s?"),
        ("actual", "s?"),
        ("evidence", "o"),
        ("stimulus_proof", "s?"),
        ("attempts", "i"),
        ("control", "s?"),
        ("duration_ms", "i"),
        ("reproduce", "s"),
        ("by_hand", "s"),
        ("waived", "s?"),
    ];
    for one in outcomes {
        assert_keys(one, &outcome);
    }
}

#[test]
fn a_failure_is_told_in_full() {
    let bench = Bench::new();
    let ended = mixed(&bench, &[]);
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    let json = bench.json("r.json");
    let failed = &json["outcomes"][0];
    assert_eq!(failed["id"], "split-bytewise");
    assert_eq!(failed["outcome"], "fail");
    for key in ["kind", "expected", "actual", "stimulus_proof"] {
        assert!(failed[key].is_string(), "{key} of {failed:#}");
    }
    assert_eq!(failed["attempts"], 2, "a failure is confirmed");
    for part in [
        "split-bytewise",
        "expected",
        "actual",
        "reproduce",
        "by hand",
        "next:",
        "seed 11",
    ] {
        assert!(
            ended.stdout.contains(part),
            "no {part:?} in {}",
            ended.stdout
        );
    }
    let whole = ended.stdout.lines().all(|line| line == line.trim_end());
    assert!(whole, "spaces at the end of a line: {}", ended.stdout);
}

#[test]
fn junit_tells_failed_from_skipped_and_waived() {
    let bench = Bench::new();
    mixed(&bench, &[]);
    let elements = bench.junit("r.xml");
    let case = |id: &str| {
        let at = elements
            .iter()
            .position(|one| one.name == "testcase" && one.get("name") == Some(id));
        let at = at.unwrap_or_else(|| panic!("no case {id}"));
        assert!(
            elements[at]
                .get("classname")
                .unwrap()
                .starts_with("tcprove.")
        );
        elements[at + 1..]
            .iter()
            .take_while(|one| one.path.iter().any(|name| name == "testcase"))
            .next()
            .cloned()
    };
    let failed = case("split-bytewise").unwrap();
    assert_eq!(failed.name, "failure");
    assert!(failed.get("message").unwrap().contains("expected"));
    let waived = case("split-each-offset").unwrap();
    assert_eq!(waived.name, "skipped");
    assert_eq!(waived.get("message"), Some("waived: issue | 5 <b>"));
    let skipped = case("huge-length").unwrap();
    assert_eq!(skipped.name, "skipped");
    assert!(skipped.get("message").unwrap().starts_with("skipped: "));
    assert!(case("zero-length").is_none(), "a pass has nothing below it");
    let suites = elements
        .iter()
        .find(|one| one.name == "testsuites")
        .unwrap();
    assert_eq!(suites.get("failures"), Some("1"));
}

#[test]
fn inconclusive_is_skipped_in_junit() {
    let bench = Bench::new();
    let ended = bench.run([
        "check",
        "--embedded",
        "--only",
        "zero-length",
        "--max-time",
        "1ms",
        "--junit",
        "r.xml",
    ]);
    // A machine that begins within a millisecond passes.
    let skipped: Vec<_> = bench
        .junit("r.xml")
        .into_iter()
        .filter(|one| one.name == "skipped")
        .collect();
    match ended.code {
        Some(0) => assert!(skipped.is_empty()),
        code => {
            assert_eq!(code, Some(5), "{}", ended.all());
            assert!(
                skipped[0]
                    .get("message")
                    .unwrap()
                    .starts_with("inconclusive: ")
            );
        }
    }
}

#[test]
fn markdown_begins_with_the_answer_and_holds_a_table() {
    let bench = Bench::new();
    mixed(&bench, &[]);
    let text = bench.markdown("r.md");
    assert!(
        text.starts_with("### tcprove check: **fail** — mine\n"),
        "{text}"
    );
    assert!(
        text.contains("1 passed, 1 failed, 0 warned, 0 inconclusive, 1 waived, 1 skipped"),
        "{text}"
    );
    assert!(text.contains("| split-bytewise | fail |"), "{text}");
    assert!(text.contains("| split-each-offset | waived |"), "{text}");
    for row in text.lines().filter(|line| line.starts_with('|')) {
        let bars = row.replace("\\|", "").matches('|').count();
        assert_eq!(bars, 4, "{row}");
    }
}

#[test]
fn the_step_summary_is_added_to() {
    let bench = Bench::new();
    bench.write("summary", "before\n");
    let mut command = bench.tcprove();
    command.env("GITHUB_STEP_SUMMARY", bench.path("summary"));
    command.args(["check", "--embedded", "--only", "zero-length"]);
    assert_eq!(bench.end(command).code, Some(0));
    let summary = bench.markdown("summary");
    assert!(
        summary.starts_with("before\n### tcprove check: pass"),
        "{summary}"
    );
}

#[test]
fn names_in_the_file_are_harmless_everywhere() {
    let bench = Bench::new();
    file(&bench, "", "");
    let text = bench
        .read("tcprove.toml")
        .replace("\"mine\"", "\"\\u001b[31m<b>|`\\u009b\"");
    bench.write("tcprove.toml", &text);
    let arguments = [
        "check",
        "--only",
        "zero-length",
        "--junit",
        "r.xml",
        "--markdown",
        "r.md",
    ];
    let ended = bench.run(arguments);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    crate::support::reports::assert_no_controls(&ended.stdout);
    crate::support::reports::assert_no_controls(&ended.stderr);
    bench.junit("r.xml");
    assert!(!bench.markdown("r.md").contains("<b>"));
}

/// A server of lines that ends with a long traceback when a line is not UTF-8.
const ENDS: &str = r"
import socket, sys, threading, os, traceback
s = socket.create_server(('127.0.0.1', int(sys.argv[1])))
def decode(data, depth):
    if depth == 0:
        return data.decode()
    return again(data, depth - 1)
def again(data, depth):
    return decode(data, depth)
def serve(conn):
    try:
        while data := conn.recv(65536):
            decode(data, 9)
            conn.sendall(data)
    except ValueError:
        traceback.print_exc()
        os._exit(3)
while True:
    threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
";

#[test]
fn the_excerpt_of_stderr_names_the_error() {
    let Some(python) = crate::support::python() else {
        return;
    };
    let bench = Bench::new();
    let program = bench.write("server.py", ENDS);
    let program = program.to_str().unwrap();
    let ended = bench.run([
        "check",
        "--only",
        "utf8-invalid",
        "--json",
        "r.json",
        "--talk",
        "line",
        "--",
        python,
        "-ES",
        program,
        "{port}",
    ]);
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    assert!(
        ended
            .stdout
            .contains("UnicodeDecodeError: 'utf-8' codec can't decode"),
        "{}",
        ended.all()
    );
    let json = bench.json("r.json");
    let lines = json["outcomes"][0]["evidence"]["stderr"]
        .as_array()
        .unwrap();
    assert!(
        lines.iter().any(|line| line
            .as_str()
            .is_some_and(|line| line.ends_with("lines left out)"))),
        "{lines:#?}"
    );
}

#[test]
fn the_trace_has_the_steps_of_what_fell_short_and_every_attempt() {
    let bench = Bench::new();
    mixed(&bench, &["--trace", "r.trace"]);
    let outcomes = bench.json("r.json")["outcomes"].clone();
    let trace = bench.json("r.trace");
    let events = trace["traceEvents"].as_array().unwrap();
    let of = |phase: &str| -> Vec<&Value> {
        let events = events.iter();
        events.filter(|event| event["ph"] == phase).collect()
    };
    for outcome in outcomes.as_array().unwrap() {
        let attempts = outcome["ran"].as_array().map_or(0, Vec::len);
        let spans = of("X");
        let spans = spans
            .iter()
            .filter(|span| span["pid"] == 1 && span["name"] == outcome["id"]);
        assert_eq!(spans.count(), attempts, "{}", outcome["id"]);
    }
    let sends = of("X");
    let mut sends = sends
        .iter()
        .filter(|span| span["name"].as_str().unwrap().starts_with("send "));
    assert!(sends.any(|send| send["pid"] != 1 && send["dur"].as_u64() > Some(0)));
}
