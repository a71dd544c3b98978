//! Heads, numbers, lists and JSON: from a file's text to bytes and judgements.

use std::path::Path;

use crate::file;
use crate::talk::{Bindings, Judgement, Talk, Turn};

fn talk(source: &str) -> Talk {
    file::parse(source, "test.toml", Path::new("."))
        .unwrap_or_else(|error| panic!("{error}"))
        .talk
}

fn turn(talk: &Talk, index: usize) -> Turn {
    let bindings = Bindings {
        tok: "abcdefghijkl".to_owned(),
        payload: "问\"".as_bytes().to_vec(),
        seq: 3,
        n: 300,
        ..Bindings::default()
    };
    talk.turns[index].render(talk, &bindings).unwrap()
}

fn matches(turn: &Turn, message: &[u8]) -> bool {
    matches!(turn.judge_message(message), Judgement::Match(_))
}

#[test]
fn a_head_per_turn() {
    let talk = talk(
        r#"
        [talk]
        frame = { len = "varint", at = 1 }
        [[talk.open]]
        head = { hex = "10" }
        send = [{ hex = "00 04" }, "MQTT"]
        expect = { raw_hex = "20 02 00 00" }
        [[talk.turn]]
        head = { hex = "32" }
        send = ["{u16be:tok}{tok}{u16be:seq}", "{payload}"]
        expect = [{ raw_hex = "40 02" }, "{u16be:seq}"]
        [[talk.turn]]
        head = "{u8:seq}"
        send = "{n}"
        expect = { hex = "00" }
        "#,
    );
    let publish = turn(&talk, 0);
    let body = b"\0\x0cabcdefghijkl\0\x03\xe9\x97\xae\"";
    assert_eq!(publish.request, [&[0x32, 20][..], body].concat());
    assert!(matches(&publish, b"\x40\x02\0\x03"));
    assert!(!matches(&publish, b"\x40\x02\0\x04"));
    assert!(!matches(&publish, b"\x50\x02\0\x03"));
    assert_eq!(turn(&talk, 1).request, b"\x03\x03300");
    assert!(matches(&turn(&talk, 1), b"\x99\x01\0"));
    assert_eq!(talk.opening_requests(), 1);
    assert!(talk.is_personal());
}

#[test]
fn lists_are_compared_part_by_part() {
    let talk = talk(
        r#"
        [talk]
        frame = { len = "u8" }
        [[talk.turn]]
        send = "a"
        expect = ["{tok} ", { hex = "ff 0a" }, { repeat = "{n}", n = 2 }]
        [[talk.turn]]
        send = "a"
        expect = ["(", { regex = '^\d+|-$' }, { hex = "ff" }, { regex = '(?P<id>\w+)' }, "{tok}"]
        "#,
    );
    let exact = turn(&talk, 0);
    let body = b"abcdefghijkl \xff\x0a300300";
    assert!(matches(&exact, &[&[body.len() as u8][..], body].concat()));
    assert!(!matches(&exact, b"\x01a"));
    let mixed = turn(&talk, 1);
    let judged = mixed.expect.judge_message(b"(42\xffid_abcdefghijkl");
    let Judgement::Match(groups) = judged else {
        panic!("{judged:?}")
    };
    assert_eq!(groups["id"], b"id_");
    for wrong in [
        &b"(42\xffid_abcdefghijkl."[..],
        b" (42\xffid_abcdefghijkl",
        b"(x\xffid_abcdefghijkl",
        b"(42\xffid_abcdefghijkm",
        b"42\xffid_abcdefghijkl",
    ] {
        assert!(
            !matches!(mixed.expect.judge_message(wrong), Judgement::Match(_)),
            "{wrong:?}"
        );
    }
    assert!(talk.turns[1].proves_order());
}

#[test]
fn json_is_compared_as_a_value() {
    let talk = talk(
        r#"
        [talk]
        frame = { until = "\n" }
        [[talk.turn]]
        send = ['{"id": {seq}, "text": {json:payload}, "more": "<{json:payload}>"}', "\n"]
        expect = { json = '{"id": {seq}, "echo": {json:payload}}' }
        "#,
    );
    let turn = turn(&talk, 0);
    assert_eq!(
        String::from_utf8(turn.request.clone()).unwrap(),
        "{\"id\": 3, \"text\": \"问\\\"\", \"more\": \"<问\\\">\"}\n"
    );
    assert!(matches(&turn, b"{\"echo\":\"\\u95ee\\u0022\",\"id\":3}\n"));
    assert!(!matches(&turn, b"{\"echo\":\"\\u95ee\",\"id\":3}\n"));
    assert!(!matches(&turn, b"\n"));
    assert!(talk.turns[0].expects_payload() && talk.turns[0].uses_payload());
    // A line break is escaped in JSON, so it cannot end the message early.
    assert!(talk.payload_is_safe(b"a\nb"));
    assert!(!talk.payload_is_safe(b"\xff"));
}

#[test]
fn a_request_may_have_no_reply() {
    let talk = talk(
        r#"
        [talk]
        frame = { until = "\n" }
        [[talk.turn]]
        send = "count:1|c\n"
        expect = { none = true }
        "#,
    );
    let turn = turn(&talk, 0);
    assert!(!turn.expect.has_reply() && !talk.turns[0].proves_order());
    assert_eq!(turn.expect.describe(), "no reply");
}

/// Only replies of turns close the connection, not greetings.
#[test]
fn who_closes() {
    let talk = talk(
        r#"
        [talk]
        frame = { request = "eof", reply = { until = "\n" } }
        close = "server-after-reply"
        [[talk.open]]
        expect = "hello\n"
        [[talk.open]]
        send = "me\n"
        expect = "you\n"
        [[talk.turn]]
        send = "a"
        expect = "b\n"
        "#,
    );
    for opening in &talk.open {
        let crate::talk::Opening::Exchange(opening) = opening else {
            panic!()
        };
        let turn = opening.render(&talk, &Bindings::default()).unwrap();
        assert!(!turn.closes && !turn.ends_stream);
    }
    let turn = turn(&talk, 0);
    assert!(turn.closes && turn.ends_stream);
    assert!(!talk.carries_many_turns());
}
