//! From a file's text to the bytes to send and the judgement of a reply.

use std::collections::BTreeMap;
use std::path::Path;

use crate::file;
use crate::talk::{Bindings, Frame, Judgement, Opening, RenderError, Talk};

fn talk(source: &str) -> Talk {
    file::parse(source, "test.toml", Path::new("."))
        .unwrap()
        .talk
}

fn bindings(payload: &[u8]) -> Bindings {
    Bindings {
        tok: "abcdefghijkl".to_owned(),
        payload: payload.to_vec(),
        values: BTreeMap::from([("port".to_owned(), b"7000".to_vec())]),
        ..Bindings::default()
    }
}

#[test]
fn length_framed_requests_and_replies() {
    let talk = talk(
        r#"
        [talk]
        frame = { len = "u16be" }
        [[talk.turn]]
        send = ["{tok}", { hex = "00 ff" }, { repeat = "ab", n = 2 }]
        expect = "{tok}"
        [[talk.bad]]
        send = [{ raw_hex = "ff ff" }, "x"]
        expect = "eof"
        "#,
    );
    let turn = talk.plain().render(&talk, &bindings(b"")).unwrap();
    assert_eq!(turn.request, b"\0\x12abcdefghijkl\0\xffabab");
    assert!(matches!(
        turn.judge_message(b"\0\x0cabcdefghijkl"),
        Judgement::Match(_)
    ));
    assert!(matches!(
        turn.judge_message(b"\0\x0cabcdefghijkX"),
        Judgement::Mismatch(_)
    ));
    let bad = talk.bad[0].render(&talk, &bindings(b"")).unwrap();
    assert_eq!(bad.request, b"\xff\xffx");
    assert!(bad.expect.needs_eof());
    assert_eq!(bad.label, "talk.bad[0]");
}

#[test]
fn what_a_turn_uses() {
    let talk = talk(
        r#"
        [talk]
        frame = { until = "\n" }
        [[talk.turn]]
        send = "{tok}\n"
        expect = "{tok}\n"
        [[talk.turn]]
        send = "{len:payload} {payload}\n"
        expect = { not = "{tok}" }
        "#,
    );
    let [plain, second] = talk.turns.as_slice() else {
        panic!("two turns")
    };
    assert!(plain.uses_token() && plain.proves_order() && !plain.uses_payload());
    assert!(second.uses_payload() && !second.uses_token() && !second.proves_order());
    assert_eq!(talk.payload_turns().count(), 1);
    assert!(talk.payload_is_safe("né\0e".as_bytes()));
    assert!(!talk.payload_is_safe(b"a\nb"));
    assert!(plain.line < second.line);
}

#[test]
fn groups_reach_later_turns() {
    let talk = talk(
        r#"
        [talk]
        frame = { until = "\n" }
        [[talk.open]]
        expect = { regex = '^hello (?P<session>\d+)\n' }
        [[talk.turn]]
        send = "{session} {port}\n"
        expect = { regex = '^{session} (?P<next>.*)\n' }
        [[talk.turn]]
        send = "{next}\n"
        expect = "ok\n"
        "#,
    );
    let Opening::Exchange(greeting) = &talk.open[0] else {
        panic!("an exchange")
    };
    let mut known = bindings(b"");
    let greeting = greeting.render(&talk, &known).unwrap();
    assert!(greeting.request.is_empty());
    let Judgement::Match(groups) = greeting.judge_message(b"hello 42\n") else {
        panic!("no match")
    };
    assert_eq!(
        talk.turns[0].render(&talk, &known).unwrap_err(),
        RenderError::Unbound("session".to_owned())
    );
    known.values.extend(groups);
    assert_eq!(
        talk.turns[0].render(&talk, &known).unwrap().request,
        b"42 7000\n"
    );
    assert_eq!(talk.turns[1].needs(), ["next"]);
}

#[test]
fn pushes_and_announced_closes() {
    let talk = talk(
        r#"
        [talk]
        frame = { until = "\r\n" }
        close_when = { regex = '^BYE' }
        [[talk.turn]]
        send = "a\r\n"
        expect = "b\r\n"
        [[talk.push]]
        match = "PING\r\n"
        reply = "PONG {tok}\r\n"
        [[talk.push]]
        match = { regex = '^INFO (?P<what>\w)' }
        reply = "SEEN {what}\r\n"
        "#,
    );
    let push = talk.pushed(&talk.reply, b"PING\r\n").unwrap();
    let answer = push
        .answer(&talk, b"PING\r\n", bindings(b""))
        .unwrap()
        .unwrap();
    assert_eq!(answer, b"PONG abcdefghijkl\r\n");
    assert_eq!(
        talk.pushed(&talk.reply, b"INFO x\r\n").unwrap().label,
        "talk.push[1]"
    );
    assert!(talk.pushed(&talk.reply, b"b\r\n").is_none());
    // What the regex names is a value of the answer.
    let answer = talk.push[1].answer(&talk, b"INFO x\r\n", bindings(b""));
    assert_eq!(answer.unwrap().unwrap(), b"SEEN x\r\n");
    assert!(talk.announces_close(b"BYE\r\n") && !talk.announces_close(b"b\r\n"));
}

#[test]
fn a_built_in_talk_can_be_extended() {
    let talk = talk(
        r#"
        [server]
        cmd = ["my-redis", "{port}"]
        [talk]
        use = "redis"
        [[talk.turn]]
        send = "GET {tok}\r\n"
        expect = "$-1\r\n"
        "#,
    );
    let redis = crate::file::builtin("redis").unwrap().talk;
    assert_eq!(talk.name, "redis");
    assert_eq!(talk.request, Frame::Resp);
    assert_eq!(talk.turns.len(), redis.turns.len() + 1);
    assert_eq!(
        talk.plain().render(&talk, &bindings(b"")).unwrap().request,
        b"GET abcdefghijkl\r\n"
    );
}

/// HTTP says it in a header, whatever the file says.
#[test]
fn an_http_reply_announces_a_close_in_its_head() {
    let talk = talk(
        r#"
        [talk]
        frame = "http1"
        [[talk.turn]]
        send = "GET / HTTP/1.1\r\n\r\n"
        expect = { regex = "^HTTP/1.1 200 " }
        "#,
    );
    let announces = |head: &str| {
        let reply = format!("HTTP/1.1 200 OK\r\n{head}\r\nConnection: close\r\n");
        talk.announces_close(reply.as_bytes())
    };
    assert!(announces(
        "Content-Length: 19\r\nconnection: Keep-Alive,  Close \r\n"
    ));
    // What follows the head is content.
    assert!(!announces(
        "Content-Length: 19\r\nConnection: keep-alive\r\n"
    ));
    assert!(!announces("Content-Length: 19\r\nX-Connection: close\r\n"));
}
