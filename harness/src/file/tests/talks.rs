//! Conversations that are understood, some of which look like mistakes.

use std::path::Path;

use crate::file::parse;
use crate::talk::{Frame, Talk};

fn talk(source: &str) -> Talk {
    let file = parse(source, "f.toml", Path::new("."));
    file.unwrap_or_else(|error| panic!("{error}")).talk
}

/// A talk with this frame and this turn.
pub(super) fn with(frame: &str, turn: &str) -> String {
    format!("[talk]\nframe = {frame}\n[[talk.turn]]\n{turn}\n")
}

/// Files whose texts look like mistakes, and are none.
#[test]
fn what_is_meant() {
    for (frame, turn) in [
        (
            r#"{ until = "\n" }"#,
            "send = { raw = \"a\" }\nexpect = \"b\\n\"",
        ),
        (
            r#"{ until = "\n" }"#,
            "send = ['{\"a\": \"b\\n\"}', \"\\n\"]\nexpect = '{\"a\": \"b\\n\"}'",
        ),
        (
            r#"{ until = "\n" }"#,
            "send = \"set 3\\nabc\"\nexpect = { regex = '^\\w\\n$' }",
        ),
        ("{ fixed = 4 }", "send = \"ab{payload}\"\nexpect = \"abcd\""),
        (
            "\"http1\"",
            "send = \"POST / HTTP/1.1\\r\\nContent-Length: {len:payload}\\r\\n\\r\\n{payload}\"\nexpect = \"b\"",
        ),
        ("\"none\"", "send = 'C:\\new'\nexpect = \"b\""),
        ("\"eof\"", "send = \"a\"\nexpect = \"b\""),
        (
            "\"none\"",
            "send = \"a\"\nexpect = { not = { regex = \"^$\" } }",
        ),
        (
            "{ len = \"u8\", at = 1 }",
            "head = \"{n}\"\nsend = \"a\"\nexpect = \"b\"",
        ),
    ] {
        talk(&with(frame, turn));
    }
    let bad = "[[talk.bad]]\nsend = \"no end\"\nexpect = \"eof\"\n";
    talk(&(with(r#"{ until = "\n" }"#, "send = \"a\\n\"\nexpect = \"b\\n\"") + bad));
}

#[test]
fn frames_are_read() {
    for (frame, shown) in [
        (r#"{ len = "varint", at = 1 }"#, "varint length at 1"),
        (r#"{ len = "ber", at = 1, fill = "30" }"#, "ber length at 1"),
        (
            r#"{ len = "decimal", until = ":", after = "," }"#,
            "decimal until \":\" length",
        ),
        (
            r#"{ len = "decimal", digits = 6 }"#,
            "decimal of 6 digits length at 0 of a header of 6",
        ),
        (
            r#"{ len = "hex", includes_self = true }"#,
            "hex of 4 digits length at 0 of a header of 4, itself included",
        ),
        (
            r#"{ len = "u16be", at = 0, header = 4, masked = 0x7fff }"#,
            "u16be length at 0 of a header of 4",
        ),
        (
            r#"{ len = "u32be", at = 3, trailer = 1 }"#,
            "u32be length at 3 of a header of 7",
        ),
        (r#"{ header = "Content-Length" }"#, "Content-Length header"),
        (
            r#"{ until = ["\n", { hex = "00" }] }"#,
            r#"until "\n" or "\x00""#,
        ),
        ("\"websocket\"", "websocket"),
    ] {
        let request = "{ raw = \"a\" }";
        let source = with(frame, &format!("send = {request}\nexpect = \"b\""));
        assert_eq!(talk(&source).request.describe(), shown, "{frame}");
    }
    let talk = talk(&with(
        r#"{ until = "\n" }"#,
        "send = \"a\\n\"\nexpect = \"b\"\nframe = { lines = 2 }\nframes = { until = { hex = \"2e\" } }",
    ));
    assert!(matches!(talk.turns[0].frame, Some(Frame::Several(_))));
}
