//! However a campaign ends, what it has found and kept is there, and the next one goes on from it.

use rustix::process::{Pid, Signal, kill_process};

use super::fuzz;
use crate::support::{Bench, data, python, until};

/// Files in a folder of the bench, hidden ones not.
fn files(bench: &Bench, folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(bench.path(folder))
        .into_iter()
        .flatten()
        .flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    names.filter(|name| !name.starts_with('.')).collect()
}

/// A campaign that has found a crash and kept cases, and would go on for long.
fn under_way(bench: &Bench) -> crate::support::Running {
    let mut command = bench.tcprove();
    command.args([
        "fuzz",
        "--embedded",
        "--param",
        "fault=format-string",
        "--duration",
        "100s",
    ]);
    command.args([
        "--feedback",
        "shape",
        "--json",
        "fuzz.json",
        "--out",
        "kept",
    ]);
    let running = bench.start(command);
    until("a finding and a corpus", || {
        !files(bench, "kept/findings").is_empty() && files(bench, "kept/corpus").len() > 3
    });
    running
}

fn assert_all_there(bench: &Bench) {
    for id in files(bench, "kept/findings") {
        let text = bench.read(&format!("kept/findings/{id}/case.json"));
        assert!(tcprove::fuzz::CaseFile::parse(&text).is_ok(), "{text}");
    }
    for name in files(bench, "kept/corpus") {
        let text = bench.read(&format!("kept/corpus/{name}"));
        assert!(tcprove::fuzz::CaseFile::parse(&text).is_ok(), "{text}");
    }
}

#[test]
fn an_interrupt_keeps_everything_and_says_so() {
    let bench = Bench::new();
    let running = under_way(&bench);
    running.signal(Signal::INT);
    let ended = running.end();
    assert_eq!(ended.code, Some(130), "{}", ended.all());
    let report = bench.json("fuzz.json");
    assert_eq!(report["findings"][0]["kind"], "crash");
    assert_all_there(&bench);
}

/// A terminal or a scheduler signals tcprove and the server at the same time: the server's end is no crash.
#[test]
fn a_server_that_is_stopped_with_the_campaign_has_not_crashed() {
    let Some(python) = python() else { return };
    let bench = Bench::new();
    let script = data("asyncio_line.py");
    let mut command = bench.tcprove();
    command.args([
        "fuzz",
        "--talk",
        "line",
        "--duration",
        "100s",
        "--jobs",
        "1",
    ]);
    command.args([
        "--json",
        "fuzz.json",
        "--out",
        "kept",
        "--",
        python,
        &script,
    ]);
    command.args(["{port}", &bench.marker]);
    let running = bench.start(command);
    let servers = || {
        let left = bench.left().into_iter();
        let pid = |process: String| {
            let (pid, words) = process.split_once(": ")?;
            let is_server = words.split('\0').next()?.ends_with(python);
            is_server.then(|| pid.parse().expect("a pid"))
        };
        left.filter_map(pid).collect::<Vec<i32>>()
    };
    until("a server and a corpus", || {
        !servers().is_empty() && files(&bench, "kept/corpus").len() > 3
    });
    for pid in servers() {
        // It may have ended meanwhile.
        let _ = kill_process(Pid::from_raw(pid).expect("a pid"), Signal::TERM);
    }
    running.signal(Signal::TERM);
    let ended = running.end();
    assert_eq!(ended.code, Some(130), "{}", ended.all());
    let report = bench.json("fuzz.json");
    let findings = report["findings"].as_array().expect("a list");
    assert!(findings.is_empty(), "{}", ended.all());
}

#[test]
fn a_kill_loses_no_finding_and_no_case() {
    let bench = Bench::new();
    let running = under_way(&bench);
    let (findings, corpus) = (files(&bench, "kept/findings"), files(&bench, "kept/corpus"));
    running.signal(Signal::KILL);
    running.end();
    let later = |folder: &str| files(&bench, folder);
    assert!(
        findings
            .iter()
            .all(|id| later("kept/findings").contains(id))
    );
    assert!(
        corpus
            .iter()
            .all(|name| later("kept/corpus").contains(name))
    );
    assert_all_there(&bench);
    // The next campaign takes the corpus first, and looks at the epoch that was cut off.
    let words = ["--embedded", "--cases", "200", "--out", "kept"];
    let fuzzed = fuzz(&bench, &words);
    assert_eq!(fuzzed.ended.code, Some(0), "{}", fuzzed.ended.all());
    assert!(fuzzed.report["corpus"].as_u64().unwrap() >= corpus.len() as u64);
}

#[test]
fn an_epoch_that_was_cut_off_is_looked_at_again() {
    let bench = Bench::new();
    std::fs::create_dir_all(bench.path("kept/running")).unwrap();
    // As the log has it when tcprove is killed while the server dies.
    let log = "[{\"send\":{\"data\":[\"hello\\n\"]}}]\n[{\"send\":{\"data\":[\"%n\\n\"]}}]\n[{\"se";
    std::fs::write(bench.path("kept/running/lane-0.jsonl"), log).unwrap();
    let words = [
        "--embedded",
        "--param",
        "fault=format-string",
        "--cases",
        "1",
        "--jobs",
        "1",
        "--out",
        "kept",
    ];
    let fuzzed = fuzz(&bench, &words);
    assert_eq!(
        fuzzed.findings()[0]["kind"],
        "crash",
        "{}",
        fuzzed.ended.all()
    );
    assert_eq!(fuzzed.findings()[0]["confirmed"], "5/5");
    assert!(
        fuzzed.ended.stdout.contains("earlier campaign"),
        "{}",
        fuzzed.ended.all()
    );
}
