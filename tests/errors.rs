//! Errors that a stranger meets: each ends with the exit code of the contract, a short message that
//! names the problem and the next step, and the same message in the JSON that was asked for.

mod arguments;
mod blockers;
mod targets;

use serde_json::Value;

use crate::support::{Bench, Ended};

/// Lines that somebody reads before giving up.
const LINES_MAX: usize = 15;

/// Runs `check --json r.json ARGS`, which must end with `code` and name each of `says`.
fn check_ends(bench: &Bench, code: i32, arguments: &[&str], says: &[&str]) -> Value {
    let mut all = vec!["check", "--json", "r.json"];
    all.extend(arguments);
    error_in(bench, &bench.run(all), code, says)
}

/// What holds for every error.
fn error_in(bench: &Bench, ended: &Ended, code: i32, says: &[&str]) -> Value {
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
    for part in says {
        assert!(
            ended.stderr.contains(part),
            "no {part:?} in: {}",
            ended.stderr
        );
        assert!(message.contains(part), "no {part:?} in: {message}");
    }
    json
}

/// A usage error in an empty folder.
fn refused(arguments: &[&str], says: &[&str]) {
    check_ends(&Bench::new(), 2, arguments, says);
}

/// A file that cannot be used: the place is named, in the text and in the JSON.
fn file_refused(text: &str, line: usize, says: &[&str]) {
    let bench = Bench::new();
    bench.write("tcprove.toml", text);
    let json = check_ends(&bench, 2, &[], says);
    let location = json["error"]["location"].as_str().unwrap();
    assert!(
        location.starts_with(&format!("tcprove.toml:{line}:")),
        "{location}"
    );
}

/// A file for the reference server, with this at its end.
fn sound_file(rest: &str) -> String {
    format!(
        "[server]\nname = \"s\"\ncmd = [\"tcprove\", \"serve\", \"--port\", \"{{port}}\", \"--protocol\", \"line\"]\n[talk]\nuse = \"line\"\n{rest}"
    )
}
