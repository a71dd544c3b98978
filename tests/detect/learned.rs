//! Servers that speak no built-in talk.

use super::{finds, said};

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

#[test]
fn replies_that_vary() {
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
    learns(
        "greets",
        &[
            r"expect = { regex = '(?s)^welcome, client .*\r\n$' }",
            r#"expect = "250 {tok}\r\n""#,
        ],
    );
}
