//! Campaigns against real servers: no findings on sound ones, and the known bugs of others.
//!
//! By default each campaign takes a few seconds; with `TCPROVE_SLOW=N`, those on sound servers take N minutes. Servers
//! that are not installed are skipped. Two servers are not packaged and are only tested if a variable names them:
//! `TCPROVE_MINI_REDIS` is the program of mini-redis 0.4.1, `TCPROVE_WS` a folder in which `npm install ws@8.17.0` was
//! run.

use std::path::Path;

use serde_json::Value;

use crate::support::battery::{data, have, tcprove};
use crate::support::skip::{is_thorough, may_lack, rounds};

/// Duration of a campaign on a sound server, in seconds.
const SOUND_S: usize = 4;
/// Duration of a campaign that usually finds a known bug, in seconds.
const SHORT_S: usize = 5;
/// Time limit for finding a known bug, in seconds.
const KNOWN_S: usize = 30;

/// The result of a campaign.
struct Fuzzed {
    report: Value,
    code: Option<i32>,
    shown: String,
}

impl Fuzzed {
    /// Runs a campaign with these additional arguments in a temporary folder.
    fn new(seconds: usize, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let json = folder.path().join("report.json");
        let mut command = tcprove();
        command
            .args(["fuzz", "--jobs", "2", "--seed", "1", "--no-progress"])
            .arg(format!("--duration={seconds}s"))
            .arg("--json")
            .arg(&json)
            .arg("--out")
            .arg(folder.path().join("out"))
            .args(arguments);
        let output = command.output().expect("tcprove runs");
        let text = std::fs::read_to_string(&json).expect("the report is written on every exit");
        Self {
            report: serde_json::from_str(&text).expect("the report is JSON"),
            code: output.status.code(),
            shown: [output.stdout, output.stderr]
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .concat(),
        }
    }

    /// Runs a campaign, and a longer one if the short one did not find all of these kinds and titles, as a busy machine
    /// runs fewer cases per second.
    fn until_found(arguments: &[&str], wanted: &[(&str, &str)]) -> Self {
        let short = Self::new(SHORT_S, arguments);
        if wanted.iter().all(|(kind, what)| short.has(kind, what)) {
            return short;
        }
        Self::new(KNOWN_S, arguments)
    }

    /// The kind and the title of each finding that all five fresh servers confirmed.
    fn findings(&self) -> Vec<(&str, &str)> {
        let findings = self.report["findings"].as_array().expect("findings");
        findings
            .iter()
            .filter(|finding| finding["confirmed"] == "5/5")
            .filter_map(|finding| Some((finding["kind"].as_str()?, finding["title"].as_str()?)))
            .collect()
    }

    fn has(&self, kind: &str, what: &str) -> bool {
        self.findings()
            .iter()
            .any(|(of, title)| *of == kind && title.contains(what))
    }

    fn assert_found(&self, kind: &str, what: &str) {
        assert!(
            self.has(kind, what),
            "no {kind} with {what:?}\n{}",
            self.shown
        );
        assert_eq!(self.code, Some(1), "{}", self.shown);
    }
}

/// Asserts that a campaign finds nothing and passes.
fn sound(program: &str, arguments: &[&str]) {
    if !have(program) {
        return;
    }
    let seconds = match rounds() {
        0 => SOUND_S,
        minutes => minutes * 60,
    };
    let executions = |fuzzed: &Fuzzed| fuzzed.report["executions"].as_u64().expect("a number");
    let mut fuzzed = Fuzzed::new(seconds, arguments);
    // A busy machine disassembles the server for seconds and then runs few cases.
    if executions(&fuzzed) <= 100 {
        fuzzed = Fuzzed::new(KNOWN_S, arguments);
    }
    assert_eq!(fuzzed.code, Some(0), "{}", fuzzed.shown);
    assert!(executions(&fuzzed) > 100, "{}", fuzzed.shown);
}

/// The file that `tcprove init` writes, with one text replaced.
fn file(folder: &Path, talk: &str, [old, new]: [&str; 2]) -> String {
    let path = folder.join("tcprove.toml");
    let output = tcprove()
        .args(["init", "--talk", talk, "-o"])
        .arg(&path)
        .output()
        .expect("tcprove runs");
    assert!(output.status.success());
    let text = std::fs::read_to_string(&path).expect("it was written");
    assert!(text.contains(old), "{text}");
    std::fs::write(&path, text.replace(old, new)).expect("the file is written");
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// The value of an environment variable. Its server must be downloaded, so the test is optional even with
/// `TCPROVE_REQUIRE_ALL`.
fn pointed_at(name: &str) -> Option<String> {
    let value = std::env::var(name).ok();
    if value.is_none() {
        may_lack(&format!("{name} in the environment"));
    }
    value
}

#[test]
fn redis_is_sound() {
    if !is_thorough() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    sound(
        "redis-server",
        &["-f", &file(folder.path(), "redis", ["", ""])],
    );
}

#[test]
fn memcached_is_sound_with_one_request_at_a_time() {
    // memcached 1.6.18 loses replies in a pipeline: an error, such as that of a key of 251 bytes, discards all earlier
    // replies that are not yet written. A campaign finds this, but takes a long time.
    let without = ["pipelining = true", "pipelining = false"];
    let folder = tempfile::tempdir().expect("a temporary folder");
    sound(
        "memcached",
        &["-f", &file(folder.path(), "memcached", without)],
    );
}

#[test]
fn the_tutorials_server_dies_of_bytes_that_are_no_text_and_of_resets() {
    if !is_thorough() {
        return;
    }
    if !have("python3") {
        return;
    }
    let script = data("tutorial_server.py");
    let script = script.to_str().expect("a path in UTF-8");
    let target = ["--talk", "tutorial", "--", "python3", script, "{port}"];
    let wanted = [
        ("crash", "UnicodeDecodeError"),
        ("crash", "ConnectionResetError"),
    ];
    let fuzzed = Fuzzed::until_found(&[&target[..], &["loop"]].concat(), &wanted);
    for (kind, what) in wanted {
        fuzzed.assert_found(kind, what);
    }
    // With a thread per client the server survives and prints the same error on stderr.
    let first = ["--stop-on-first"];
    let fuzzed = Fuzzed::new(KNOWN_S, &[&first[..], &target[..], &["threads"]].concat());
    fuzzed.assert_found("panic", "UnicodeDecodeError");
}

#[test]
fn mini_redis_overflows_its_stack_and_panics() {
    let Some(program) = pointed_at("TCPROVE_MINI_REDIS") else {
        return;
    };
    let talk = data("mini_redis.toml");
    let talk = talk.to_str().expect("a path in UTF-8");
    let program = format!("program={program}");
    let fuzzed = Fuzzed::new(KNOWN_S, &["-f", talk, "--param", &program]);
    fuzzed.assert_found("crash", "overflowed its stack");
    fuzzed.assert_found("panic", "frame.rs");
}

#[test]
fn ws_dies_of_more_headers_than_it_counts() {
    let Some(modules) = pointed_at("TCPROVE_WS") else {
        return;
    };
    if !have("node") {
        return;
    }
    let talk = data("ws.toml");
    let talk = talk.to_str().expect("a path in UTF-8");
    let modules = format!("modules={modules}/node_modules");
    let fuzzed = Fuzzed::new(KNOWN_S, &["-f", talk, "--param", &modules]);
    // CVE-2024-37890: headers beyond the limit are dropped, including the Upgrade header.
    fuzzed.assert_found("crash", "reading 'toLowerCase'");
}
