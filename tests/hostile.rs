//! Hostile servers do not harm tcprove: memory stays bounded, the verdict is clear, reports are well-formed, the
//! terminal is protected from control characters, and no process is left, however tcprove ends.
//!
//! The servers are the modes of `data/hostile/hostile.py`.

use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::reports::assert_no_controls;
use crate::support::skip::is_thorough;
use crate::support::{Bench, Ended, data, python, until};

/// Maximum peak memory of tcprove, in KiB. The largest message that it reads is 64 MiB, and a buffer may double.
const RSS_KIB_MAX: u64 = 300 * 1024;

/// Runs `tcprove check` with all report formats on a hostile server. `None` if there is no python3.
fn check(bench: &Bench, talk: &str, mode: &str, only: &[&str]) -> Option<Command> {
    let python = python()?;
    let mut command = bench.tcprove();
    command.args(["check", "-v", "--talk", talk, "--seed", "7"]);
    command.args(["--json", "r.json", "--junit", "r.xml", "--markdown", "r.md"]);
    command.args(["--html", "r.html"]);
    for id in only {
        command.args(["--only", id]);
    }
    command.args([
        "--",
        python,
        "-ES",
        &data("hostile/hostile.py"),
        mode,
        "{port}",
    ]);
    command.arg(&bench.marker).arg(bench.path("note"));
    Some(command)
}

/// Asserts what must hold after every run.
fn unhurt(bench: &Bench, ended: &Ended) -> Value {
    bench.assert_nothing_left();
    assert!(ended.rss_peak_kib > 0, "memory was never seen");
    assert!(
        ended.rss_peak_kib < RSS_KIB_MAX,
        "{} KiB",
        ended.rss_peak_kib
    );
    assert_no_controls(&ended.stdout);
    assert_no_controls(&ended.stderr);
    bench.junit("r.xml");
    bench.markdown("r.md");
    let page = bench.read("r.html");
    assert_no_controls(&page);
    assert!(
        !page.contains("<script") && !page.contains("<!--"),
        "{page}"
    );
    bench.json("r.json")
}

/// Asserts that the conversation fails: exit code 3, one clear message, and the same message in every report.
fn refuses(talk: &str, mode: &str, says: &str) {
    refuses_as(talk, mode, &[says]);
}

/// As [`refuses`], where one of several messages is allowed because of a race on the wire.
fn refuses_as(talk: &str, mode: &str, says: &[&str]) {
    let bench = Bench::new();
    let Some(command) = check(&bench, talk, mode, &[]) else {
        return;
    };
    let ended = bench.end(command);
    let json = unhurt(&bench, &ended);
    assert_eq!(ended.code, Some(3), "{}", ended.all());
    assert_eq!(ended.stdout, "");
    let said = says.iter().any(|says| ended.stderr.contains(says));
    assert!(said, "{}", ended.stderr);
    assert!(ended.stderr.lines().count() <= 15, "{}", ended.stderr);
    assert!(ended.stderr.len() < 5000, "{}", ended.stderr);
    assert_eq!(json["verdict"], "error");
    assert_eq!(json["error"]["code"], "target");
    assert!(
        bench
            .junit("r.xml")
            .iter()
            .any(|element| element.name == "error")
    );
    // One code block, which its content does not close early.
    let markdown = bench.markdown("r.md");
    let fences = markdown.lines().filter(|line| line.contains("```")).count();
    assert_eq!(fences, 2, "{markdown}");
}

#[test]
fn one_that_sends_without_end_or_line() {
    if !is_thorough() {
        return;
    }
    refuses("line", "endless", "a message of");
}

#[test]
fn one_that_sends_lines_without_end() {
    if !is_thorough() {
        return;
    }
    refuses("line", "endless-lines", "all work and no play");
}

#[test]
fn one_that_sends_without_end_where_nothing_frames_a_reply() {
    if !is_thorough() {
        return;
    }
    refuses("echo", "endless", "they differ at byte 0");
    refuses("tutorial", "endless-lines", "they differ at byte 0");
}

#[test]
fn one_that_trickles_and_never_comes_to_an_end() {
    if !is_thorough() {
        return;
    }
    refuses("line", "trickle", "no complete reply within 10s");
}

#[test]
fn one_that_never_accepts() {
    if !is_thorough() {
        return;
    }
    refuses(
        "tutorial",
        "never-accepts",
        "no complete reply within 10s (0 bytes received)",
    );
}

#[test]
fn one_that_closes_at_once() {
    if !is_thorough() {
        return;
    }
    // A FIN, or a reset if tcprove's bytes arrive after the close. This depends on the server's speed.
    let says = ["after 0 bytes of the reply", "but got nothing"];
    for talk in ["line", "echo", "tutorial"] {
        refuses_as(talk, "closes", &says);
    }
}

#[test]
fn one_that_resets() {
    if !is_thorough() {
        return;
    }
    for talk in ["line", "echo", "tutorial"] {
        refuses(
            talk,
            "resets",
            "the connection was reset after 0 bytes of the reply",
        );
    }
}

#[test]
fn one_that_answers_with_escapes_and_markup() {
    if !is_thorough() {
        return;
    }
    for talk in ["line", "echo", "tutorial"] {
        refuses(talk, "markup", "\\x1b]0;owned\\x07");
    }
}

#[test]
fn one_whose_last_words_are_escapes_and_markup() {
    refuses("line", "dies-with-escapes", "exited with code 7");
}

#[test]
fn one_that_forks_and_dies() {
    if !is_thorough() {
        return;
    }
    refuses(
        "line",
        "forks-and-dies",
        "left its server in the background",
    );
}

#[test]
fn one_that_prints_a_gigabyte() {
    if !is_thorough() {
        return;
    }
    let bench = Bench::new();
    let Some(command) = check(&bench, "line", "prints", &["split-bytewise"]) else {
        return;
    };
    let ended = bench.end(command);
    let json = unhurt(&bench, &ended);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert_eq!(json["verdict"], "pass");
}

#[test]
fn one_that_ignores_every_polite_signal() {
    if !is_thorough() {
        return;
    }
    let bench = Bench::new();
    let Some(command) = check(
        &bench,
        "line",
        "ignores-term",
        &["split-bytewise", "zero-length"],
    ) else {
        return;
    };
    let ended = bench.end(command);
    let json = unhurt(&bench, &ended);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert_eq!(json["counts"]["pass"], 2);
}

/// Escape sequences and markup in the evidence of a failed check are shown escaped.
#[test]
fn one_that_answers_with_escapes_and_markup_in_the_middle() {
    let bench = Bench::new();
    let Some(command) = check(&bench, "line", "markup-when-cut", &["split-bytewise"]) else {
        return;
    };
    let ended = bench.end(command);
    let json = unhurt(&bench, &ended);
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    assert!(
        ended.stdout.contains("\\x1b]0;owned\\x07\\x1b[31m"),
        "{}",
        ended.stdout
    );
    let outcome = &json["outcomes"][0];
    assert_eq!(outcome["outcome"], "fail");
    assert_eq!(outcome["kind"], "wrong-reply");
    let junit = bench.junit("r.xml");
    let failure = junit
        .iter()
        .find(|element| element.name == "failure")
        .unwrap();
    assert!(
        failure
            .get("message")
            .unwrap()
            .contains("<script>alert(1)</script>]]>")
    );
    let markdown = bench.markdown("r.md");
    assert!(!markdown.contains("<script"), "{markdown}");
    assert!(!markdown.contains("<!--"), "{markdown}");
    assert!(markdown.contains("&lt;script&gt;"), "{markdown}");
    let page = bench.read("r.html");
    assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
}

/// Two checks: the first hangs, the second ends. The run is interrupted while the first hangs.
const HANGING: &[&str] = &["split-bytewise", "zero-length"];

#[test]
fn interrupted_in_the_middle_it_keeps_what_was_measured() {
    if !is_thorough() {
        return;
    }
    let bench = Bench::new();
    let Some(command) = check(&bench, "line", "hangs-when-cut", HANGING) else {
        return;
    };
    let running = bench.start(command);
    until("one check to hang and one to end", || {
        bench.path("note").exists() && running.stderr().contains("zero-length (")
    });
    running.signal(Signal::INT);
    let ended = running.end();
    let json = unhurt(&bench, &ended);
    assert_eq!(ended.code, Some(130), "{}", ended.all());
    assert!(ended.stdout.contains("interrupted"), "{}", ended.stdout);
    assert_eq!(json["interrupted"], true);
    assert_eq!(json["verdict"], "inconclusive");
    assert_eq!(json["outcomes"][0]["outcome"], "inconclusive", "{json:#}");
    assert_eq!(json["outcomes"][1]["id"], "zero-length");
    assert_eq!(json["outcomes"][1]["outcome"], "pass");
}

#[test]
fn asked_to_end_while_the_conversation_is_tried() {
    if !is_thorough() {
        return;
    }
    let bench = Bench::new();
    let Some(command) = check(&bench, "line", "never-accepts", &[]) else {
        return;
    };
    let running = bench.start(command);
    until("the server", || {
        bench.left().iter().any(|words| words.contains("\0-ES\0"))
    });
    until("the run", || running.stderr().contains("seed 7"));
    running.signal(Signal::TERM);
    let ended = running.end();
    let json = unhurt(&bench, &ended);
    assert_eq!(ended.code, Some(130), "{}", ended.all());
    assert_eq!(json["interrupted"], true);
    assert_eq!(json["outcomes"], Value::Array(Vec::new()));
}

#[test]
fn killed_in_the_middle_it_leaves_nothing_running() {
    let bench = Bench::new();
    let Some(command) = check(&bench, "line", "hangs-when-cut", HANGING) else {
        return;
    };
    let running = bench.start(command);
    until("a check to hang", || bench.path("note").exists());
    assert!(
        bench.left().len() >= 3,
        "tcprove, a supervisor, a server: {:?}",
        bench.left()
    );
    running.signal(Signal::KILL);
    assert_eq!(running.end().code, None);
    until("the end of every process", || bench.left().is_empty());
}
