//! Findings, put to servers again: those with the bug, and those without.

use std::process::Command;

use super::{Fuzzed, fuzz};
use crate::support::skip::is_thorough;
use crate::support::{Bench, python};

fn found(bench: &Bench, fault: &str) -> Fuzzed {
    let fault = format!("fault={fault}");
    let words = [
        "--embedded",
        "--param",
        &fault,
        "--duration",
        "150s",
        "--stop-on-first",
        "--out",
        "out",
    ];
    fuzz(bench, &words)
}

#[test]
fn by_tcprove_on_the_server_with_the_bug_and_on_a_sound_one() {
    let bench = Bench::new();
    let fuzzed = found(&bench, "three-cases");
    let words = [
        "replay",
        "out/findings",
        "--embedded",
        "--json",
        "replay.json",
    ];
    let fault = ["--param", "fault=three-cases"];
    let there = bench.run(words.iter().chain(&fault));
    assert_eq!(there.code, Some(1), "{}", there.all());
    // The bug needs three cases in a row, of which a very busy machine may delay one.
    let seen = &bench.json("replay.json")["items"][0]["seen"];
    assert!(seen == "3/3" || seen == "2/3", "{seen}: {}", there.all());
    let id = fuzzed.findings()[0]["id"].as_str().unwrap();
    assert!(there.stdout.contains(id), "{}", there.all());
    assert!(!there.stdout.contains("another one"), "{}", there.all());
    let gone = bench.run(words);
    assert_eq!(gone.code, Some(0), "{}", gone.all());
    assert!(gone.stdout.contains("gone"), "{}", gone.all());
}

#[test]
fn by_the_command_of_the_report_and_by_the_python_program() {
    let Some(python) = python() else { return };
    let bench = Bench::new();
    let fuzzed = found(&bench, "nul-cut");
    let finding = &fuzzed.findings()[0];
    let mut shell = Command::new("sh");
    let command = finding["reproduce"].as_str().unwrap();
    shell.args(["-c", command]).current_dir(bench.path(""));
    let output = shell.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{command}: {output:?}");
    let program = bench
        .path(finding["reproducer"].as_str().unwrap())
        .join("reproduce.py");
    let output = Command::new(python).arg(&program).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn what_is_no_case_is_told_and_the_others_are_replayed() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("cases")).unwrap();
    bench.write("cases/a.json", "{}");
    bench.write(
        "cases/b.json",
        r#"{"schema":"tcprove-case/1","cases":[[{"send":{"data":["hello\n"]}},"receive"]]}"#,
    );
    let ended = bench.run(["replay", "cases", "--embedded", "--times", "1"]);
    assert_eq!(ended.code, Some(5), "{}", ended.all());
    assert!(
        ended.stdout.contains("a.json") && ended.stdout.contains("schema"),
        "{}",
        ended.all()
    );
    let ended = bench.run(["replay", "nowhere", "--embedded"]);
    assert_eq!(ended.code, Some(2), "{}", ended.all());
    assert!(ended.stderr.contains("nowhere"), "{}", ended.all());
}

#[test]
fn a_finding_that_is_waived_does_not_count_and_a_waiver_of_one_disturbs_no_check() {
    let bench = Bench::new();
    let file = r#"
        [server]
        name = "mine"
        cmd = ["tcprove", "serve", "--port", "{port}", "--fault", "exit-on-decode-error"]
        [talk]
        frame = { until = "\n" }
        [[talk.turn]]
        send = "{tok} {payload}\n"
        expect = "{tok} {payload}\n"
        [[waive]]
        check = "fuzz"
        finding = "crash-*"
        reason = "known"
    "#;
    bench.write("tcprove.toml", file);
    let fuzzed = fuzz(&bench, &["--cases", "300"]);
    assert_eq!(
        fuzzed.findings()[0]["waived"],
        "known",
        "{}",
        fuzzed.ended.all()
    );
    assert_eq!(fuzzed.ended.code, Some(0), "{}", fuzzed.ended.all());
    let ended = bench.run(["check", "--only", "zero-length"]);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
}

/// Once a bug is repaired, its case may show another one, which is not the same that is still there.
#[test]
fn another_bug_in_its_place_is_called_another_one() {
    if !is_thorough() {
        return;
    }
    let Some(python) = python() else { return };
    let bench = Bench::new();
    let server = |error: &str| {
        let script = format!(
            "import socket, sys, threading
def serve(client):
    with client:
        for line in client.makefile('rb'):
            if len(line) > 40: raise {error}('long')
            client.sendall(line)
server = socket.create_server(('127.0.0.1', int(sys.argv[1])))
while True: threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"
        );
        bench.write("server.py", &script);
    };
    let file = format!(
        "[server]\nname = \"mine\"\ncmd = [{python:?}, \"server.py\", \"{{port}}\"]\n[talk]\nuse = \"line\"\n"
    );
    bench.write("tcprove.toml", &file);
    server("ValueError");
    let words = ["--duration", "100s", "--stop-on-first", "--out", "out"];
    let fuzzed = fuzz(&bench, &words);
    let seen = fuzzed.findings()[0]["title"].to_string();
    assert!(seen.contains("ValueError"), "{seen}");
    let words = ["replay", "out/findings"];
    let same = bench.run(words);
    assert_eq!(same.code, Some(1), "{}", same.all());
    assert!(!same.stdout.contains("another one"), "{}", same.all());
    server("KeyError");
    let other = bench.run(words);
    assert_eq!(other.code, Some(1), "{}", other.all());
    let said = other.stdout.contains("another one than before");
    assert!(said && other.stdout.contains("KeyError"), "{}", other.all());
}
