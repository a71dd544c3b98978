//! The fields of messages of several protocols, and of any bytes.

use proptest::prelude::*;

use super::*;

fn texts(bytes: &[u8], kind: SpanKind) -> Vec<String> {
    let spans = of(bytes).into_iter().filter(|span| span.kind == kind);
    spans
        .map(|span| String::from_utf8_lossy(&bytes[span.at]).into_owned())
        .collect()
}

fn named(bytes: &[u8], name: &str) -> Vec<String> {
    let spans = of(bytes)
        .into_iter()
        .filter(|span| span.name == name.as_bytes());
    spans
        .map(|span| String::from_utf8_lossy(&bytes[span.at]).into_owned())
        .collect()
}

const FORM: &[u8] = b"POST /a/b?x=1&y=2 HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=\"b\"\r\n\r\n--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"t\"\r\n\r\nhello\r\n--b--\r\n";

#[test]
fn heads_have_names_values_parameters_and_paths() {
    assert_eq!(texts(FORM, SpanKind::Path), ["/a/b"]);
    assert_eq!(texts(FORM, SpanKind::Pair), ["x=1", "y=2"]);
    assert_eq!(named(FORM, "host"), ["h"]);
    assert_eq!(
        named(FORM, "content-type"),
        ["multipart/form-data; boundary=\"b\"", "multipart/form-data"]
    );
    assert_eq!(named(FORM, "boundary"), ["\"b\""]);
    assert_eq!(
        texts(FORM, SpanKind::Param),
        ["; boundary=\"b\"", "; name=\"f\"", "; filename=\"t\""]
    );
    assert_eq!(named(b"Cookie: a=1; b=2\r\n", "a"), ["1"]);
    assert_eq!(texts(FORM, SpanKind::Quoted), ["\"b\"", "\"f\"", "\"t\""]);
}

#[test]
fn parts_of_multipart_messages() {
    let parts = texts(FORM, SpanKind::Part);
    assert_eq!(parts.len(), 1);
    assert!(parts[0].starts_with("--b\r\n") && parts[0].ends_with("hello\r\n"));
}

#[test]
fn json_has_members_and_values() {
    let text = b"{\"jsonrpc\": \"2.0\", \"params\": [1, {\"a\": \"x,y\"}]}\n";
    assert_eq!(named(text, "params"), [" [1, {\"a\": \"x,y\"}]"]);
    assert_eq!(named(text, "a"), [" \"x,y\""]);
    let members = texts(text, SpanKind::JsonMember);
    assert!(
        members.contains(&"\"jsonrpc\": \"2.0\"".to_owned()),
        "{members:?}"
    );
    assert!(members.contains(&"1".to_owned()), "{members:?}");
}

#[test]
fn binary_messages_have_lengths_tags_and_text() {
    let connect = b"\x10\x0f\0\x04MQTT\x04\x02\0\x3c\0\x03abc";
    let lengths = inner_lengths(connect);
    let bodies: Vec<&[u8]> = lengths
        .iter()
        .map(|(_, body, _)| &connect[body.clone()])
        .collect();
    assert!(
        bodies.contains(&&b"MQTT"[..]) && bodies.contains(&&b"abc"[..]),
        "{bodies:?}"
    );
    assert_eq!(texts(connect, SpanKind::Text), ["MQTT", "abc"]);
    assert!(texts(connect, SpanKind::Tag).len() >= 8);
    // A little-endian length that counts the rest.
    let hello = b"HELF\x0c\0\0\0\0\0\0\0\x04\0\0\0name";
    assert!(
        inner_lengths(hello).iter().any(|(at, body, code)| {
            (at.clone(), body.clone()) == (12..16, 16..20) && !code.big
        })
    );
}

#[test]
fn numbers_are_read_as_they_are_written() {
    for big in [true, false] {
        let code = InnerCode { width: 4, big };
        assert_eq!(code.read(&code.write(0x0102_0304)), 0x0102_0304);
        assert_eq!(code.max(), u64::from(u32::MAX));
    }
}

proptest! {
    #[test]
    fn any_bytes_have_fields_within_them(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for span in of(&bytes) {
            prop_assert!(span.at.start <= span.at.end && span.at.end <= bytes.len());
        }
    }

    #[test]
    fn any_text_has_fields_within_it(text in "[ -~\r\n]{0,200}") {
        for span in of(text.as_bytes()) {
            prop_assert!(span.at.start <= span.at.end && span.at.end <= text.len());
        }
    }
}
