//! Campaigns that give system calls of the server other results: `--inject`.

use serde_json::Value;

use super::{Fuzzed, fuzz, fuzz_lines};
use crate::support::Bench;
use crate::support::skip::{is_slow, is_thorough, slow_rounds};

const FAULT: [&str; 3] = ["--embedded", "--param", "fault=read-error-in-one-state"];

fn injects(finding: &Value) -> bool {
    finding["cases"].to_string().contains("\"inject\"")
}

fn only_finding(fuzzed: &Fuzzed) -> &Value {
    assert_eq!(fuzzed.ended.code, Some(1), "{}", fuzzed.ended.all());
    &fuzzed.findings()[0]
}

#[test]
fn a_crash_that_takes_an_error_after_a_message() {
    if !is_thorough() {
        return;
    }
    let bench = Bench::new();
    let words = [
        "--inject",
        "--seed",
        "1",
        "--duration",
        "60s",
        "--stop-on-first",
        "--out",
        "out",
    ];
    let fuzzed = fuzz(&bench, &[&FAULT[..], &words].concat());
    let finding = only_finding(&fuzzed);
    let told = || fuzzed.ended.all();
    // Where the error comes while the server is not yet reading, it does not meet the state.
    assert_eq!(finding["kind"], "crash", "{}", told());
    assert_ne!(finding["confirmed"], "0/5", "{}", told());
    assert!(injects(finding), "{}", told());
    // The whole cases stay where the smaller ones show it less often.
    let is_small = finding["steps"].as_u64().unwrap() <= 3;
    assert!(is_small || finding["minimal"] == false, "{}", told());
    let injected = finding["evidence"]["injected"].as_str().unwrap();
    assert!(injected.contains("recvfrom returned E"), "{injected}");
    assert!(
        told().contains("inject: the next recvfrom returns E"),
        "{}",
        told()
    );
    let folder = bench.path(finding["reproducer"].as_str().unwrap());
    assert!(folder.join("case.json").is_file());
    assert!(!folder.join("reproduce.py").exists() && !folder.join("reproduce.rs").exists());
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
    assert!(
        readme.contains("no programs in Python and Rust"),
        "{readme}"
    );
    assert!(readme.contains(" replay "), "{readme}");
    let there = bench.run([&["replay", "out/findings"][..], &FAULT].concat());
    assert_eq!(there.code, Some(1), "{}", there.all());
    let gone = bench.run(["replay", "out/findings", "--embedded"]);
    assert_eq!(gone.code, Some(0), "{}", gone.all());
}

#[test]
fn without_injections_it_does_not_show() {
    let bench = Bench::new();
    let fuzzed = fuzz(&bench, &[&FAULT[..], &["--cases", "1500"]].concat());
    assert_eq!(fuzzed.ended.code, Some(0), "{}", fuzzed.ended.all());
}

#[test]
fn a_finding_that_needs_no_injection_loses_the_step() {
    if !is_slow("a campaign of up to 90 s") {
        return;
    }
    let bench = Bench::new();
    let fault = ["--embedded", "--param", "fault=exit-on-decode-error"];
    let words = ["--inject", "--duration", "60s", "--stop-on-first"];
    let fuzzed = fuzz(&bench, &[&fault[..], &words].concat());
    let finding = only_finding(&fuzzed);
    assert!(!injects(finding), "{}", fuzzed.ended.all());
    assert_eq!(finding["confirmed"], "5/5");
    let folder = bench.path(finding["reproducer"].as_str().unwrap());
    assert!(folder.join("reproduce.py").is_file());
}

#[test]
fn breakpoints_lead_to_a_message_and_an_error_to_the_crash() {
    if !is_slow("a campaign of up to 90 s") {
        return;
    }
    let bench = Bench::new();
    let words = [
        "--inject",
        "--feedback",
        "breakpoints",
        "--duration",
        "90s",
        "--stop-on-first",
        "--jobs",
        "1",
    ];
    let Some(fuzzed) = fuzz_lines(&bench, &[], &words) else {
        return;
    };
    let finding = only_finding(&fuzzed);
    assert_eq!(finding["kind"], "crash", "{}", fuzzed.ended.all());
    assert!(injects(finding), "{}", fuzzed.ended.all());
    assert!(
        fuzzed.report["coverage"]["blocks"]["reached"]
            .as_u64()
            .unwrap()
            > 10
    );
}

/// Accepting goes on, and so does a thread that was started after an error.
#[test]
fn a_server_that_computes_ever_after_spins() {
    if !is_slow("a campaign of up to 90 s") {
        return;
    }
    let bench = Bench::new();
    let words = [
        "--inject",
        "--feedback",
        "shape",
        "--duration",
        "60s",
        "--stop-on-first",
    ];
    let Some(fuzzed) = fuzz_lines(&bench, &["-DSPINS"], &words) else {
        return;
    };
    let finding = only_finding(&fuzzed);
    assert_eq!(finding["kind"], "spin", "{}", fuzzed.ended.all());
    assert!(injects(finding), "{}", fuzzed.ended.all());
}

#[test]
fn another_client_that_is_lost_with_the_one_that_failed() {
    if !is_slow("a campaign of up to 90 s") {
        return;
    }
    let bench = Bench::new();
    let words = [
        "--embedded",
        "--param",
        "fault=refusal-ends-all",
        "--inject",
        "--feedback",
        "shape",
        "--duration",
        "60s",
        "--stop-on-first",
    ];
    let fuzzed = fuzz(&bench, &words);
    let finding = only_finding(&fuzzed);
    assert_eq!(finding["kind"], "conformance", "{}", fuzzed.ended.all());
    assert!(finding["evidence"]["client"].is_string());
    assert_eq!(finding["steps"], 2, "{}", fuzzed.ended.all());
}

fn sound(parameter: &str, end: [&str; 2]) {
    let bench = Bench::new();
    let words = [
        "--embedded",
        "--param",
        parameter,
        "--inject",
        "--feedback",
        "shape",
        end[0],
        end[1],
    ];
    let fuzzed = fuzz(&bench, &words);
    assert_eq!(
        fuzzed.ended.code,
        Some(0),
        "{parameter}: {}",
        fuzzed.ended.all()
    );
    assert!(
        fuzzed.findings().is_empty(),
        "{parameter}: {}",
        fuzzed.ended.all()
    );
}

#[test]
fn a_sound_server_may_lose_the_connection_that_has_failed() {
    if !is_thorough() {
        return;
    }
    for parameter in ["model=threads", "model=tokio-current", "protocol=frame"] {
        sound(parameter, ["--cases", "100"]);
    }
}

#[test]
fn sound_servers_of_each_model_for_longer() {
    let rounds = slow_rounds(1, "two minutes of campaigns");
    let duration = format!("{}s", 10 * rounds);
    let models = [
        "sequential",
        "threads",
        "prefork",
        "tokio-current",
        "tokio-multi",
    ];
    let parameters = models.iter().map(|model| format!("model={model}"));
    let protocols = ["frame", "echo", "tutorial"]
        .iter()
        .map(|one| format!("protocol={one}"));
    if rounds > 0 {
        parameters
            .chain(protocols)
            .for_each(|parameter| sound(&parameter, ["--duration", &duration]));
    }
}

#[test]
fn two_servers_are_not_compared_under_errors() {
    let bench = Bench::new();
    let ended = bench.run(["fuzz", "--embedded", "--inject", "--against", "x {port}"]);
    assert_eq!(ended.code, Some(2), "{}", ended.all());
    assert!(ended.all().contains("--against"), "{}", ended.all());
}
