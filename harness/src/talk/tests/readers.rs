//! Replies among messages that the server sends without a request.

use std::path::Path;

use crate::file;
use crate::talk::{Arrival, Bindings, Judgement, More, PushReader, Reader, Talk, Turn};

fn talk(source: &str) -> (Talk, Turn) {
    let talk = file::parse(source, "test.toml", Path::new("."))
        .unwrap_or_else(|error| panic!("{error}"))
        .talk;
    let turn = talk.plain().render(&talk, &Bindings::default()).unwrap();
    (talk, turn)
}

/// What arrives if the stream is cut at every byte: `push N` and `reply`, and the bytes of each.
fn arrivals(talk: &Talk, turn: &Turn, stream: &[u8]) -> Vec<(String, String)> {
    let mut reader = Reader::new(talk, turn);
    let (mut buffer, mut seen) = (Vec::new(), Vec::new());
    for byte in stream {
        buffer.push(*byte);
        let (what, len) = match reader.next(talk, turn, &buffer, More::Bytes).unwrap() {
            Arrival::Partial => continue,
            Arrival::Push { push, len } => (format!("push {push}"), len),
            Arrival::Reply { len, judgement } => match judgement {
                Judgement::Match(_) => ("reply".to_owned(), len),
                _ => ("wrong".to_owned(), len),
            },
        };
        let message: Vec<u8> = buffer.drain(..len).collect();
        seen.push((what, String::from_utf8_lossy(&message).into_owned()));
        reader.reset();
    }
    assert!(buffer.is_empty(), "{buffer:?}");
    seen
}

fn said(all: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(what, bytes): &(&str, &str)| ((*what).to_owned(), (*bytes).to_owned());
    all.iter().map(owned).collect()
}

/// NATS: the server pings, and delivers messages of two lines.
#[test]
fn pushes_with_frames_of_their_own() {
    let (talk, turn) = talk(
        r#"
        [talk]
        frame = { until = "\r\n" }
        [[talk.turn]]
        send = "PING\r\n"
        expect = "PONG\r\n"
        [[talk.push]]
        match = "PING\r\n"
        reply = "PONG\r\n"
        [[talk.push]]
        match = { regex = '^MSG ' }
        frame = { lines = 2 }
        "#,
    );
    assert_eq!(
        arrivals(
            &talk,
            &turn,
            b"PING\r\nMSG a 1 5\r\nhello\r\nPONG\r\nPONG\r\n"
        ),
        said(&[
            ("push 0", "PING\r\n"),
            ("push 1", "MSG a 1 5\r\nhello\r\n"),
            ("reply", "PONG\r\n"),
            ("reply", "PONG\r\n"),
        ])
    );
}

/// A reply that is wrong for now may be the beginning of a push; if nothing follows, it is wrong.
#[test]
fn a_wrong_reply_may_become_a_push() {
    let (talk, turn) = talk(
        r#"
        [talk]
        frame = { until = "\n" }
        [[talk.turn]]
        send = "a\n"
        expect = "b\n"
        [[talk.push]]
        match = "EVENT\nx\n"
        frame = { lines = 2 }
        "#,
    );
    assert_eq!(
        arrivals(&talk, &turn, b"EVENT\nx\nb\nc\n"),
        said(&[("push 0", "EVENT\nx\n"), ("reply", "b\n"), ("wrong", "c\n")])
    );
    let mut reader = Reader::new(&talk, &turn);
    let mut next = |more| reader.next(&talk, &turn, b"EVENT\n", more).unwrap();
    assert_eq!(next(More::Bytes), Arrival::Partial);
    assert!(matches!(next(More::Nothing), Arrival::Reply { .. }));
    assert!(matches!(next(More::End), Arrival::Reply { .. }));
}

/// Messages with headers are compared with and without them.
#[test]
fn pushes_with_headers() {
    let (talk, turn) = talk(
        r#"
        [talk]
        frame = { len = "u8", at = 1 }
        [[talk.turn]]
        head = "Q"
        send = "a"
        expect = "b"
        [[talk.push]]
        match = "ping"
        [[talk.push]]
        match = { regex = '^N' }
        "#,
    );
    assert_eq!(
        arrivals(&talk, &turn, b"P\x04pingN\x01xR\x01bR\x01c"),
        said(&[
            ("push 0", "P\x04ping"),
            ("push 1", "N\x01x"),
            ("reply", "R\x01b"),
            ("wrong", "R\x01c"),
        ])
    );
}

/// Where replies have no frame, or end with the stream, a push ends as it says itself.
#[test]
fn pushes_beside_replies_without_an_end() {
    for frame in ["none", "eof"] {
        let (talk, turn) = talk(&format!(
            r#"
            [talk]
            frame = {{ request = {{ until = "\n" }}, reply = "{frame}" }}
            [[talk.turn]]
            send = "a\n"
            expect = "bcd"
            [[talk.push]]
            match = "ping"
            "#
        ));
        let mut reader = Reader::new(&talk, &turn);
        let mut next = |bytes: &[u8], more| reader.next(&talk, &turn, bytes, more).unwrap();
        assert_eq!(next(b"pi", More::Bytes), Arrival::Partial);
        assert_eq!(
            next(b"ping", More::Bytes),
            Arrival::Push { push: 0, len: 4 }
        );
        let end = next(b"bcd", More::End);
        assert!(
            matches!(
                end,
                Arrival::Reply {
                    len: 3,
                    judgement: Judgement::Match(_)
                }
            ),
            "{frame}: {end:?}"
        );
        assert_eq!(next(b"", More::End), Arrival::Partial);
    }
}

#[test]
fn pushes_without_a_request() {
    let (talk, _) = talk(
        r#"
        [talk]
        frame = { until = "\n" }
        [[talk.turn]]
        send = "a\n"
        expect = "b\n"
        [[talk.push]]
        match = "ping\n"
        "#,
    );
    let mut reader = PushReader::new(&talk);
    assert_eq!(reader.next(&talk, b"pi"), Err(true));
    assert_eq!(reader.next(&talk, b"ping\nx"), Ok((0, 5)));
    reader.reset();
    assert_eq!(reader.next(&talk, b"pong"), Err(false));
}
