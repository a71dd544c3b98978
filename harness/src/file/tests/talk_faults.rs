//! Conversations that are not understood.

use std::path::Path;

use super::talks::with;
use crate::file::parse;

/// The whole report, of which the place is checked and the parts are contained.
pub(super) fn check(source: &str, place: &str, contains: &[&str]) {
    let error = parse(source, "f.toml", Path::new("/nonexistent")).expect_err(source);
    let report = error.to_string();
    let (line, column) = error.location().unwrap();
    assert_eq!(format!("{line}:{column}"), place, "{source}\n{report}");
    for part in contains {
        assert!(report.contains(part), "no {part:?} in\n{source}\n{report}");
    }
}

/// The frame, the column of the fault in its line, and what the report has to contain.
const FRAMES: &[(&str, usize, &[&str])] = &[
    (
        r#"{ len = "varnit" }"#,
        17,
        &["unknown type of length `varnit`", "varint"],
    ),
    (
        r#"{ len = "decimal" }"#,
        17,
        &["needs an end", "until = \":\""],
    ),
    (
        r#"{ len = "decimal", until = "" }"#,
        36,
        &["`until` is empty"],
    ),
    (
        r#"{ len = "decimal", until = "1x" }"#,
        36,
        &["begins with a digit"],
    ),
    (
        r#"{ len = "hex", until = "a" }"#,
        32,
        &["begins with a digit"],
    ),
    (
        r#"{ len = "hex", digits = 8, until = ":" }"#,
        44,
        &["not with both"],
    ),
    (r#"{ len = "hex", digits = 20 }"#, 33, &["must be 1 to 19"]),
    (
        r#"{ len = "u8", until = ":" }"#,
        31,
        &["`until` goes with a length in digits"],
    ),
    (
        r#"{ len = "ber", digits = 4 }"#,
        33,
        &["`digits` goes with a length in digits"],
    ),
    (r#"{ len = "varint", header = 4 }"#, 36, &["fixed size"]),
    (
        r#"{ len = "u32be", header = 2 }"#,
        9,
        &["u32be at 0 does not fit into a header of 2"],
    ),
    (
        r#"{ len = "varint", at = 1, fill = "30 00" }"#,
        42,
        &["`fill` has 2 bytes, the header 1"],
    ),
    (
        r#"{ len = "u8", masked = 0x1ff }"#,
        32,
        &["not a run of bits of a u8", "0x7f"],
    ),
    (
        r#"{ len = "u8", masked = 0x55 }"#,
        32,
        &["not a run of bits"],
    ),
    (r#"{ len = "ber", masked = 0x7f }"#, 33, &["binary length"]),
    (r#"{ until = [] }"#, 19, &["`until` is empty"]),
    (r#"{ until = ["\n", ""] }"#, 26, &["`until` is empty"]),
    (
        r#"{ until = '\r\n' }"#,
        20,
        &["taken literally", "double quotes"],
    ),
    (
        r#"{ header = "Content Length" }"#,
        20,
        &["not the name of a header field"],
    ),
    (
        r#"{ header = "a", at = 1 }"#,
        25,
        &["`at` goes with `len`, not with `header`"],
    ),
    (
        r#"{ header = "a", until = "b" }"#,
        9,
        &["says it twice: `header` and `until`"],
    ),
    (
        r#"{ until = "a", masked = 1 }"#,
        24,
        &["`masked` goes with `len`"],
    ),
    (
        "\"websockets\"",
        9,
        &["unknown `frame`", "did you mean `websocket`?"],
    ),
];

/// The frame, the turn, the place of the fault, and what the report has to contain.
const TURNS: &[(&str, &str, &str, &[&str])] = &[
    // Requests without an end.
    (
        r#"{ until = "\r\n" }"#,
        "send = \"a\\n\"\nexpect = \"b\\r\\n\"",
        "4:8",
        &[
            "`send` does not contain the delimiter",
            r#"end it with "\r\n""#,
            "{ raw =",
        ],
    ),
    (
        r#"{ until = ["\n", "\u0000"] }"#,
        "send = \"a\"\nexpect = \"b\\n\"",
        "4:8",
        &["end it with \"\\n\" or \"\\u0000\""],
    ),
    (
        r#"{ until = { hex = "ff" } }"#,
        "send = [\"a\", \"b\"]\nexpect = \"b\"",
        "4:8",
        &[r#"end it with { hex = "ff" }"#],
    ),
    (
        "{ lines = 2 }",
        "send = \"a\\n\"\nexpect = \"b\\n\"",
        "4:8",
        &["2 lines"],
    ),
    (
        "{ fixed = 4 }",
        "send = \"abc\"\nexpect = \"abcd\"",
        "4:8",
        &["has 3 bytes: every request has 4"],
    ),
    (
        "{ fixed = 4 }",
        "send = \"{tok}\"\nexpect = \"abcd\"",
        "4:8",
        &["has 12 bytes: every request has 4"],
    ),
    (
        "\"http1\"",
        "send = \"GET / HTTP/1.1\\r\\n\"\nexpect = \"b\"",
        "4:8",
        &["not a whole message (http1)"],
    ),
    (
        "\"resp\"",
        "send = \"*2\\r\\n:1\\r\\n\"\nexpect = \"b\"",
        "4:8",
        &["not a whole message (resp)"],
    ),
    // Strings in single quotes.
    (
        r#"{ until = "\n" }"#,
        "send = 'a {tok}\\n'\nexpect = \"b\\n\"",
        "4:16",
        &[r"`\n` is a backslash and a letter", "double quotes"],
    ),
    (
        r#"{ until = "\n" }"#,
        "send = \"a\\n\"\nexpect = 'b\\r\\n'",
        "5:12",
        &["single quotes"],
    ),
    (
        "\"none\"",
        "send = \"a\"\nexpect = { not = 'b\\n' }",
        "5:20",
        &["single quotes"],
    ),
    // Heads.
    (
        "{ len = \"varint\", at = 1 }",
        "head = { hex = \"30 31\" }\nsend = \"a\"\nexpect = \"b\"",
        "4:8",
        &["`head` has 2 bytes, but the frame has 1"],
    ),
    (
        "{ len = \"varint\", at = 4 }",
        "head = \"{tok}\"\nsend = \"a\"\nexpect = \"b\"",
        "4:8",
        &["`head` has 12 bytes"],
    ),
    (
        "{ len = \"u8\" }",
        "head = \"x\"\nsend = \"a\"\nexpect = \"b\"",
        "4:8",
        &["no bytes before a length", "at = 1"],
    ),
    (
        "{ until = \"\\n\" }",
        "head = \"x\"\nsend = \"a\\n\"\nexpect = \"b\"",
        "4:8",
        &["`head` has no place"],
    ),
    (
        "\"websocket\"",
        "head = \"xy\"\nsend = \"a\"\nexpect = \"b\"",
        "4:8",
        &["has 2 bytes, but the frame has 1"],
    ),
    (
        "{ len = \"u8\", at = 1 }",
        "head = \"x\"\nsend = { raw = \"a\" }\nexpect = \"b\"",
        "4:8",
        &["sent without a header"],
    ),
    // Replies of several frames.
    (
        "\"none\"",
        "send = \"a\"\nexpect = \"b\"\nframes = { until = \"Z\" }",
        "6:10",
        &[
            "nothing marks the end of each",
            "give this exchange a `frame`",
        ],
    ),
    (
        "\"resp\"",
        "send = \"a\\n\"\nexpect = \"b\"\nframes = {}",
        "6:10",
        &["has no `until`", "The last frame"],
    ),
    // Expectations.
    (
        "\"none\"",
        "send = \"a\"\nexpect = { regex = '^\\d*' }",
        "5:10",
        &["sends nothing", "{ none = true }", "\"eof\""],
    ),
    (
        "\"none\"",
        "send = \"a\"\nexpect = [\"\", { regex = \"x?\" }]",
        "5:10",
        &["sends nothing"],
    ),
    (
        "\"none\"",
        "send = \"a\"\nexpect = []",
        "5:10",
        &["sends nothing"],
    ),
    (
        "\"none\"",
        "send = \"a\"\nexpect = { none = false }",
        "5:10",
        &["says nothing", "{ none = true }"],
    ),
    (
        "\"none\"",
        "send = \"a\"\nexpect = [\"b\", \"eof\"]",
        "5:16",
        &["no part of a list", "last = true"],
    ),
    (
        "\"none\"",
        "send = \"a\"\nexpect = [\"b\", { none = true }]",
        "5:16",
        &["no part of a list"],
    ),
    (
        "\"none\"",
        "send = \"a\"\nexpect = [\"b\", { regex = \"(\" }]",
        "5:27",
        &["bad regex"],
    ),
    (
        "\"none\"",
        "send = \"a\"\nexpect = [\"b\", { regex = \"{tko}\" }]",
        "5:27",
        &["{tko}", "did you mean `tok`?"],
    ),
    (
        "\"none\"",
        "send = \"a\"\nexpect = { json = '{\"a\": }' }",
        "5:19",
        &["not JSON", "{json:payload}"],
    ),
    (
        "\"none\"",
        "send = \"a\"\nexpect = { json = '{\"a\": {tko}}' }",
        "5:26",
        &["did you mean `tok`?"],
    ),
    (
        "\"none\"",
        "send = \"a\"\nexpect = { regex = '(?P<n>.)' }",
        "5:24",
        &["a group cannot be called `n`"],
    ),
    // Placeholders.
    (
        "\"none\"",
        "send = \"{jsn:tok}\"\nexpect = \"b\"",
        "4:9",
        &["unknown form `jsn:`", "json, hex, base64, url"],
    ),
    (
        "\"none\"",
        "send = \"{tok+4}\"\nexpect = \"b\"",
        "4:9",
        &["adds a number", "{len:tok+4}"],
    ),
];

#[test]
fn faults_of_frames() {
    for (frame, column, contains) in FRAMES {
        check(
            &with(frame, "send = \"a\"\nexpect = \"b\""),
            &format!("2:{column}"),
            contains,
        );
    }
}

#[test]
fn faults_of_turns() {
    for (frame, turn, place, contains) in TURNS {
        check(&with(frame, turn), place, contains);
    }
}

#[test]
fn faults_of_openings_and_pushes() {
    let before = "[talk]\nframe = \"none\"\n[[talk.turn]]\nsend = \"a\"\nexpect = \"b\"\n";
    let after = |more: &str| format!("{before}{more}\n");
    check(
        &after("[[talk.open]]\nexpect = { none = true }"),
        "7:10",
        &["nothing is sent and nothing expected"],
    );
    check(
        &after("[[talk.open]]\nhead = \"a\"\nexpect = \"b\""),
        "7:8",
        &["`head` belongs to a request: add `send`"],
    );
    check(
        &after("[[talk.push]]\nmatch = { regex = \"^a\" }"),
        "6:1",
        &["needs a `frame`", "frame = { until = "],
    );
    check(
        &after("[[talk.push]]\nmatch = \"a\"\nhead = \"b\""),
        "8:8",
        &["`head` belongs to an answer: add `reply`"],
    );
    check(
        &after("[server]\ncmd = [\"x\"]\n[server.params]\nseq = 1"),
        "9:1",
        &["meaning of its own"],
    );
}

/// What a file cannot say by mistake.
#[test]
fn reports() {
    let wrong = [
        with(
            r#"{ until = "\r\n" }"#,
            "send = 'PING {tok}\\r\\n'\nexpect = \"PONG\\r\\n\"",
        ),
        with(
            r#"{ until = "\r\n" }"#,
            "send = \"PING {tok}\"\nexpect = \"PONG\\r\\n\"",
        ),
        with("\"none\"", "send = \"a\"\nexpect = { regex = '^(OK)?' }"),
        with(
            r#"{ len = "varint", at = 1 }"#,
            "head = { hex = \"30 31\" }\nsend = \"a\"\nexpect = \"b\"",
        ),
        with(r#"{ len = "decimal" }"#, "send = \"a\"\nexpect = \"b\""),
        with("\"none\"", "send = \"{utf8:tok}\"\nexpect = \"b\""),
    ];
    let reports = wrong.map(|source| {
        let error = parse(&source, "tcprove.toml", Path::new(".")).expect_err(&source);
        error.to_string()
    });
    insta::assert_snapshot!("reports", reports.join("\n\n"));
}
