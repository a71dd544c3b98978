//! Errors that a new user meets. Each ends with the exit code of the contract and a short message that names the
//! problem and the next step, which is also in the JSON report.
//!
//! The messages are snapshots (`snapshots/main__errors__*`): each contains the commands and their output.

mod arguments;
mod blockers;
mod targets;

use std::fmt::Write as _;

use serde_json::Value;

use crate::support::{Bench, Ended};

/// Maximum number of lines that an error prints.
const LINES_MAX: usize = 15;

/// The commands that were run and their output, for a snapshot.
#[derive(Default)]
struct Transcript {
    text: String,
}

impl Transcript {
    /// Runs `check --json r.json ARGS`, which must exit with `code` and print one error.
    fn check_ends(&mut self, bench: &Bench, code: i32, arguments: &[&str]) -> Value {
        let mut all = vec!["check", "--json", "r.json"];
        all.extend(arguments);
        let ended = bench.run(&all);
        self.add(&["check"], arguments, &ended);
        error_in(bench, &ended, code)
    }

    /// Runs a check in an empty folder, which must be a usage error.
    fn refused(&mut self, arguments: &[&str]) {
        self.check_ends(&Bench::new(), 2, arguments);
    }

    /// Runs a check with an invalid file. The error must name the line, in the text and in the JSON.
    fn file_refused(&mut self, text: &str, line: usize) {
        let bench = Bench::new();
        bench.write("tcprove.toml", text);
        let json = self.check_ends(&bench, 2, &[]);
        let location = json["error"]["location"].as_str().unwrap();
        assert!(
            location.starts_with(&format!("tcprove.toml:{line}:")),
            "{location}"
        );
    }

    fn add(&mut self, command: &[&str], arguments: &[&str], ended: &Ended) {
        let words: Vec<&str> = command.iter().chain(arguments).copied().collect();
        let _ = writeln!(self.text, "$ tcprove {}", words.join(" "));
        let _ = writeln!(self.text, "{}{}", ended.stdout, ended.stderr);
    }

    /// Compares the transcript with the snapshot `name`. Values that differ between runs are replaced first.
    fn assert(&self, name: &str) {
        insta::with_settings!({
            omit_expression => true,
            filters => vec![
                (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
                (r"port \d+", "port PORT"),
                (r"seed \d+", "seed N"),
                (r"(?:/[\w.-]+)+/python3?[\d.]*", "PYTHON"),
                (r"/tmp/[\w./-]+", "/tmp/FOLDER"),
                (r"\d+(?:\.\d+)? ?(?:ms|s)\b", "TIME"),
            ],
        }, {
            insta::assert_snapshot!(name, self.text);
        });
    }
}

/// As [`Transcript::check_ends`], but asserts phrases of the message instead of a snapshot.
fn check_ends(bench: &Bench, code: i32, arguments: &[&str], says: &[&str]) -> Value {
    let json = Transcript::default().check_ends(bench, code, arguments);
    let message = json["error"]["message"].as_str().unwrap();
    for phrase in says {
        assert!(message.contains(phrase), "{phrase} is not in: {message}");
    }
    json
}

/// Asserts what holds for every error, and returns the JSON report.
fn error_in(bench: &Bench, ended: &Ended, code: i32) -> Value {
    assert_eq!(ended.code, Some(code), "{}", ended.all());
    assert_eq!(ended.stdout, "", "{}", ended.all());
    let lines = ended.stderr.lines().count();
    assert!((1..=LINES_MAX).contains(&lines), "{}", ended.stderr);
    assert_eq!(
        ended.stderr.matches("error:").count(),
        1,
        "{}",
        ended.stderr
    );
    let json = bench.json("r.json");
    assert_eq!(json["schema"], "tcprove/1");
    assert_eq!(json["command"], "check");
    assert_eq!(json["verdict"], "error");
    let expected = if code == 2 {
        ["usage", "config"]
    } else {
        ["target", "target"]
    };
    let found = json["error"]["code"].as_str().unwrap();
    assert!(expected.contains(&found), "{json:#}");
    let message = json["error"]["message"].as_str().unwrap();
    assert!(!message.starts_with("error"), "{message}");
    // On the terminal the usage may follow.
    let shown = in_words(ended.stderr.split_once("error: ").unwrap().1);
    assert!(
        shown.starts_with(&in_words(message)),
        "{shown:?} is not {message:?}"
    );
    json
}

/// The words of a message, to compare it regardless of its line breaks.
fn in_words(message: &str) -> Vec<&str> {
    message.split_whitespace().collect()
}

/// A file for the reference server, followed by `rest`.
fn sound_file(rest: &str) -> String {
    format!(
        "[server]\nname = \"s\"\ncmd = [\"tcprove\", \"serve\", \"--port\", \"{{port}}\", \"--protocol\", \"line\"]\n[talk]\nuse = \"line\"\n{rest}"
    )
}
