//! Servers that speak no built-in talk.

use super::{finds, said};
use crate::support::skip::is_thorough;
use crate::support::{Bench, at_once};

/// Asserts that a talk was learned, and that its file contains these lines.
fn learns(kind: &str, lines: &[&str]) {
    let Some((bench, _)) = finds(kind, "learned") else {
        return;
    };
    let text = bench.read("tcprove.toml");
    let talk = text.split("# ------").next().unwrap();
    for line in lines {
        assert!(
            talk.lines().any(|have| have.trim() == *line),
            "{kind}: no {line} in {talk}"
        );
    }
}

#[test]
fn lines() {
    if !is_thorough() {
        return;
    }
    learns(
        "line_crlf",
        &[
            r#"frame = { until = "\r\n" }"#,
            r#"send = "{tok}\r\n""#,
            r#"expect = "{tok} {payload}\r\n""#,
        ],
    );
    learns(
        "upper",
        &[
            r#"frame = { until = "\n" }"#,
            r"expect = { regex = '(?i)^you said {tok} {payload}\n$' }",
        ],
    );
}

/// A length before each message, of any usual size, though a longer or a shorter one seems to fit an echo too.
#[test]
fn binary_lengths() {
    if !is_thorough() {
        return;
    }
    let says = r"expect = { regex = '(?s)^.* {tok} {payload}$' }";
    let servers = [
        ("u32be", r#"frame = { len = "u32be" }"#, says),
        ("u32le", r#"frame = { len = "u32le" }"#, says),
        ("u16be", r#"frame = { len = "u16be" }"#, says),
        (
            "u16be_echo",
            r#"frame = { len = "u16be" }"#,
            r#"expect = "{tok} {payload}""#,
        ),
        (
            "u16le_echo",
            r#"frame = { len = "u16le" }"#,
            r#"expect = "{tok} {payload}""#,
        ),
        (
            "u8_echo",
            r#"frame = { len = "u8" }"#,
            r#"expect = "{tok} {payload}""#,
        ),
        (
            "u32le_json",
            r#"frame = { len = "u32le" }"#,
            r#"expect = "{\"ok\": true, \"id\": \"{tok}\"}""#,
        ),
    ];
    at_once(&servers, |(kind, frame, expect)| {
        learns(kind, &[frame, expect])
    });
}

/// A server that answers a part of a header has a bug, and not another header: that is no reason to leave it without a file.
#[test]
fn a_header_that_is_read_at_once() {
    if !is_thorough() {
        return;
    }
    let Some((bench, ended)) = finds("u32be_hasty", "`frame`") else {
        return;
    };
    let text = bench.read("tcprove.toml");
    assert!(text.contains("\nframe = { len = \"u32be\" }\n"), "{text}");
    let bug = said(&ended, "bug?");
    assert!(bug.contains("split-bytewise"), "{}", ended.stdout);
    let checked = bench.run(["check", "--only", "split-bytewise"]);
    assert_eq!(checked.code, Some(1), "{}", checked.all());
}

#[test]
fn replies_that_vary() {
    if !is_thorough() {
        return;
    }
    if let Some((bench, _)) = finds("clock", "learned") {
        // The seconds of the samples may be the same or not.
        let text = bench.read("tcprove.toml");
        let expects = |line: &str| {
            (line.starts_with("expect = { regex = '(?s)^it is ")
                || line.starts_with("expect = { regex = '^it is "))
                && line.ends_with(r", \{{tok}\n$' }")
                && !line.contains("[0-9]:[0-9]")
        };
        assert!(text.lines().any(expects), "{text}");
    }
    learns("numbers", &[r"expect = { regex = '(?s)^.+\n$' }"]);
}

#[test]
fn one_reply_and_a_close() {
    if !is_thorough() {
        return;
    }
    learns(
        "one_shot",
        &[
            r#"frame = { request = "none", reply = "eof" }"#,
            r#"expect = "got it, 谢谢""#,
        ],
    );
}

#[test]
fn the_same_reply_to_everything() {
    if !is_thorough() {
        return;
    }
    let Some((_, ended)) = finds("constant", "learned") else {
        return;
    };
    assert!(
        said(&ended, "talk").contains("every request has the same reply"),
        "{}",
        ended.stdout
    );
}

#[test]
fn a_greeting() {
    if !is_thorough() {
        return;
    }
    learns(
        "greets",
        &[
            r"expect = { regex = '(?s)^welcome, client .*\r\n$' }",
            r#"expect = "250 {tok}\r\n""#,
        ],
    );
}

/// `-f` is the file to which limits are added; a user who means the new file learns its option.
#[test]
fn the_name_of_a_new_file_is_another_option() {
    let bench = Bench::new();
    for words in [
        &["init", "-f", "mine.toml"][..],
        &["init", "-f", "mine.toml", "--", "./server", "{port}"],
        &["init", "-f", "mine.toml", "--learn", "--talk", "line"],
    ] {
        let ended = bench.run(words);
        assert_eq!(ended.code, Some(2), "{}", ended.all());
        let says = |text: &str| assert!(ended.stderr.contains(text), "{}", ended.all());
        says("--learn adds to it");
        says("`-o mine.toml`");
    }
}
