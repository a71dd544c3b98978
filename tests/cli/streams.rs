//! What goes to which stream: results to stdout, everything else to stderr, colours and progress
//! only where somebody looks, and no fuss when the reader has gone.

use std::process::Stdio;

use crate::support::reports::{assert_no_controls, parse_json};
use crate::support::{Bench, Ended};

const QUICK: &[&str] = &[
    "check",
    "--embedded",
    "--only",
    "zero-length",
    "--seed",
    "5",
];

fn quick(more: &[&str]) -> Ended {
    Bench::new().run(QUICK.iter().chain(more))
}

#[test]
fn json_to_stdout_is_alone_there() {
    let ended = quick(&["--json", "-"]);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert_eq!(parse_json(&ended.stdout)["verdict"], "pass");
    assert!(ended.stderr.contains("PASS"), "{}", ended.stderr);
    let failed = Bench::new().run([
        "check",
        "--json",
        "-",
        "--talk",
        "nope",
        "--connect",
        "127.0.0.1:1",
    ]);
    assert_eq!(parse_json(&failed.stdout)["error"]["code"], "usage");
    let refused = Bench::new().run(["check", "--json=-", "--nope"]);
    assert_eq!(parse_json(&refused.stdout)["error"]["code"], "usage");
}

#[test]
fn without_a_terminal_there_is_no_progress_and_no_colour() {
    let ended = quick(&[]);
    assert_no_controls(&ended.stdout);
    let expected = "tcprove check: the embedded reference server (line), seed 5\n";
    assert_eq!(
        ended.stderr, expected,
        "the seed, before work starts, and nothing else"
    );
}

#[test]
fn colours_are_ours_to_say() {
    assert!(!quick(&["--color", "never"]).stdout.contains('\x1b'));
    let coloured = quick(&["--color", "always"]).stdout;
    assert!(coloured.contains("\x1b[32m"), "{coloured}");
    let sequences = regex::Regex::new("\x1b\\[[0-9;]*m").unwrap();
    let plain = sequences.replace_all(&coloured, "").into_owned();
    assert_no_controls(&plain);
    // The first lines tell times, which vary.
    let verdict = |text: &str| {
        let mut lines = text.lines().map(str::to_owned);
        lines.find(|line| line.contains("zero-length"))
    };
    assert!(verdict(&plain).is_some());
    assert_eq!(verdict(&plain), verdict(&quick(&[]).stdout));
}

#[test]
fn verbose_tells_each_check_as_it_ends() {
    let ended = quick(&["-v"]);
    assert!(
        ended.stderr.contains("pass         zero-length ("),
        "{}",
        ended.stderr
    );
}

/// A stream whose reader has gone before anything was written.
fn broken() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[test]
fn a_reader_who_has_gone_is_no_bug() {
    let commands: &[&[&str]] = &[
        QUICK,
        &[
            "check",
            "--embedded",
            "--only",
            "zero-length",
            "--json",
            "-",
            "-v",
        ],
        &["check", "--list"],
        &["--help"],
        &["check", "--nope"],
        &["check"],
        &["generate", "schema"],
        &["generate", "man"],
        &["generate", "completions", "bash"],
        &["init", "--talk", "line", "-o", "-"],
        &["init"],
        &["send", "hello", "--embedded"],
        &["selftest", "--only", "nothing"],
    ];
    for arguments in commands {
        let expected = Bench::new().run(*arguments).code;
        for stdout_gone in [true, false] {
            let bench = Bench::new();
            let mut command = bench.tcprove();
            command.args(*arguments).stdin(Stdio::null());
            if stdout_gone {
                command.stdout(broken()).stderr(Stdio::piped());
            } else {
                command.stdout(Stdio::piped()).stderr(broken());
            }
            let output = command.output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert!(!stderr.contains("panicked"), "{arguments:?}: {stderr}");
            assert_eq!(output.status.code(), expected, "{arguments:?}: {stderr}");
        }
    }
}

#[test]
fn any_report_can_go_to_stdout_but_only_one() {
    for (flag, begin) in [("--junit", "<?xml"), ("--markdown", "### tcprove check")] {
        let bench = Bench::new();
        let ended = bench.run(QUICK.iter().chain(&[flag, "-"]));
        assert_eq!(ended.code, Some(0), "{}", ended.all());
        assert!(ended.stdout.starts_with(begin), "{}", ended.stdout);
        assert!(ended.stderr.contains("PASS"), "{}", ended.stderr);
        assert!(!bench.path("-").exists(), "{flag} wrote a file named -");
    }
    let both = quick(&["--json", "-", "--junit", "-"]);
    assert_eq!(both.code, Some(2), "{}", both.all());
    assert!(
        both.stderr.contains("--json and --junit"),
        "{}",
        both.stderr
    );
}

#[test]
fn results_that_cannot_be_printed_are_an_error() {
    for arguments in [QUICK, &["check", "--list"], &["generate", "schema"]] {
        let full = std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap();
        let bench = Bench::new();
        let mut command = bench.tcprove();
        command.args(arguments).stdin(Stdio::null()).stdout(full);
        let output = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(
            stderr.contains("stdout") && stderr.contains("No space left"),
            "{arguments:?}: {stderr}"
        );
    }
    let full = quick(&["--json", "/dev/full"]);
    assert_eq!(full.code, Some(2), "{}", full.all());
}
