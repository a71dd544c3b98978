//! Errors that a stranger meets: each ends with the exit code of the contract, a short message that
//! names the problem and the next step, and the same message in the JSON that was asked for.
//!
//! The messages themselves are snapshots (`errors/snapshots/`): a test holds what was run and what was said.

mod arguments;
mod blockers;
mod targets;

use std::fmt::Write as _;

use serde_json::Value;

use crate::support::{Bench, Ended};

/// Lines that somebody reads before giving up.
const LINES_MAX: usize = 15;

/// What was run and what was said, for a snapshot.
#[derive(Default)]
struct Told {
    text: String,
}

impl Told {
    /// Runs `check --json r.json ARGS`, which must end with `code` and one error.
    fn check_ends(&mut self, bench: &Bench, code: i32, arguments: &[&str]) -> Value {
        let mut all = vec!["check", "--json", "r.json"];
        all.extend(arguments);
        let ended = bench.run(&all);
        self.add(&["check"], arguments, &ended);
        error_in(bench, &ended, code)
    }

    /// A usage error in an empty folder.
    fn refused(&mut self, arguments: &[&str]) {
        self.check_ends(&Bench::new(), 2, arguments);
    }

    /// A file that cannot be used: the place is named, in the text and in the JSON.
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

    /// Compares it with the snapshot of that name; what differs from run to run has been replaced.
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

/// As [`Told::check_ends`], with phrases that the message holds instead of a snapshot of it.
fn check_ends(bench: &Bench, code: i32, arguments: &[&str], says: &[&str]) -> Value {
    let json = Told::default().check_ends(bench, code, arguments);
    let message = json["error"]["message"].as_str().unwrap();
    for phrase in says {
        assert!(message.contains(phrase), "{phrase} is not in: {message}");
    }
    json
}

/// What holds for every error.
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
    // The terminal adds the usage, where that helps.
    let shown = in_words(ended.stderr.split_once("error: ").unwrap().1);
    assert!(
        shown.starts_with(&in_words(message)),
        "{shown:?} is not {message:?}"
    );
    json
}

/// The words of a message, without its line breaks.
fn in_words(message: &str) -> Vec<&str> {
    message.split_whitespace().collect()
}

/// A file for the reference server, with this at its end.
fn sound_file(rest: &str) -> String {
    format!(
        "[server]\nname = \"s\"\ncmd = [\"tcprove\", \"serve\", \"--port\", \"{{port}}\", \"--protocol\", \"line\"]\n[talk]\nuse = \"line\"\n{rest}"
    )
}
