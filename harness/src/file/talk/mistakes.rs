//! Mistakes in a conversation that show without a server.

use std::collections::BTreeMap;

use crate::file::value::{At, Text};
use crate::file::{Context, Fault, Read};
use crate::talk::frame::Frame;
use crate::talk::template::{Bindings, Name, Slot};
use crate::talk::{Message, MessagePart};

/// Two sets of values of different sizes.
const SAMPLES: [Sample; 2] = [
    Sample { size: 1, number: 1 },
    Sample {
        size: 3,
        number: 1000,
    },
];

#[derive(Clone, Copy)]
struct Sample {
    /// Size of the payload and of captured values, in bytes.
    size: usize,
    /// The value of `{seq}` and `{n}`.
    number: u64,
}

/// A string in single quotes with a `\r` or `\n`, which TOML then takes literally. Inside double quotes it may be meant:
/// JSON has such escapes too. So may a backslash before a word.
pub(super) fn no_literal_escapes(text: &Text, context: &Context<'_>) -> Read<()> {
    let is_literal = context
        .source
        .get(text.start..)
        .is_some_and(|source| source.starts_with('\''));
    match literal_escape(&text.value).filter(|_| is_literal) {
        None => Ok(()),
        Some(escape) => Err(text
            .fault(format!(
                "a string in single quotes is taken literally: `{escape}` is a backslash and a letter in it"
            ))
            .fragment(escape)
            .help("write the string in double quotes")),
    }
}

/// The first `\r` or `\n` outside double quotes and not before a letter.
fn literal_escape(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let mut quoted = false;
    let mut at = 0;
    while at < bytes.len() {
        let word = bytes.get(at + 2).is_some_and(u8::is_ascii_alphanumeric);
        match (bytes[at], bytes.get(at + 1)) {
            (b'\\', Some(b'r' | b'n')) if !quoted && !word => return text.get(at..at + 2),
            (b'\\', Some(_)) => at += 1,
            (b'"', _) => quoted = !quoted,
            _ => {}
        }
        at += 1;
    }
    None
}

/// A request that has no end as its frame wants it: the server would wait for the rest.
pub(super) fn has_end(send: &At<()>, message: &Message, frame: &Frame) -> Read<()> {
    if message.raw || frame.adds_to_body() {
        return Ok(());
    }
    let lines = matches!(
        frame,
        Frame::Until(_) | Frame::Lines(_) | Frame::LastLine(_)
    );
    // Whether the message is whole may depend on the values.
    if !lines && message.slots().any(|slot| !is_of_one_size(slot)) {
        return Ok(());
    }
    let Ok(bytes) = sample(message, frame, SAMPLES[0]) else {
        return Ok(());
    };
    match frame.decoder().next(&bytes) {
        Ok(Some(len)) if matches!(frame, Frame::Fixed(_)) && len != bytes.len() => {
            Err(fixed(send, bytes.len(), len))
        }
        Ok(None) if !bytes.is_empty() && frame.is_delimited() => {
            Err(no_end(send, frame, bytes.len()))
        }
        _ => Ok(()),
    }
}

/// What helps if the frame of replies is not that of requests.
const OWN_FRAME: &str = "if replies alone are so, requests have a frame of their own";

fn fixed(send: &At<()>, len: usize, size: usize) -> Fault {
    send.fault(format!("`send` has {len} bytes: every request has {size}"))
        .help(format!(
            "{OWN_FRAME}, as in {{ request = {{ fixed = {len} }}, reply = {{ fixed = {size} }} }}"
        ))
}

fn no_end(send: &At<()>, frame: &Frame, len: usize) -> Fault {
    match frame {
        Frame::Until(delimiters) => {
            let shown: Vec<String> = delimiters.all().iter().map(|one| quoted(one)).collect();
            let fault = send.fault("`send` does not contain the delimiter that ends a message");
            fault.help(format!(
                "end it with {}; bytes that are no whole message are {{ raw = \"...\" }}",
                shown.join(" or ")
            ))
        }
        Frame::Lines(_) | Frame::LastLine(_) => {
            let fault = send.fault("`send` does not contain the line that ends a message");
            fault.help(format!(
                "a request ends {}; {OWN_FRAME}, as in {{ request = {{ until = \"\\r\\n\" }}, reply = {{ last_line = ... }} }}",
                frame.describe()
            ))
        }
        Frame::Fixed(size) => fixed(send, len, *size),
        _ => send.fault(format!(
            "`send` is not a whole message ({})",
            frame.describe()
        )),
    }
}

/// A TOML string of these bytes, where it can be one.
fn quoted(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            let letters = text.chars().map(|letter| match letter {
                '\n' => "\\n".to_owned(),
                '\r' => "\\r".to_owned(),
                '"' | '\\' => format!("\\{letter}"),
                control if control.is_control() => format!("\\u{:04x}", u32::from(control)),
                other => other.to_string(),
            });
            format!("\"{}\"", letters.collect::<String>())
        }
        Err(_) => {
            let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{{ hex = \"{}\" }}", digits.join(" "))
        }
    }
}

/// A head that does not fit the bytes before the frame's length.
pub(super) fn head_fits(place: &At<()>, head: &[MessagePart], frame: &Frame) -> Read<()> {
    let Some(size) = head_size(frame) else {
        return Err(place
            .fault("`head` has no place: the frame of requests has no bytes before a length")
            .help("such a frame is { len = \"varint\", at = 1 } or \"websocket\""));
    };
    let message = Message {
        parts: head.to_vec(),
        raw: true,
        head: None,
    };
    let sizes = SAMPLES.map(|values| sample(&message, frame, values).map(|head| head.len()));
    match sizes {
        [Ok(one), Ok(other)] if one == other && one != size => Err(place.fault(format!(
            "`head` has {one} bytes, but the frame has {size} before its length"
        ))),
        _ => Ok(()),
    }
}

/// Number of bytes before the length of a request.
fn head_size(frame: &Frame) -> Option<usize> {
    match frame {
        Frame::Len(len) => Some(len.before.len()).filter(|size| *size > 0),
        Frame::WebSocket => Some(1),
        _ => None,
    }
}

fn is_of_one_size(slot: &Slot) -> bool {
    slot.name == Name::Tok
}

/// The message with sample values.
fn sample(
    message: &Message,
    frame: &Frame,
    values: Sample,
) -> Result<Vec<u8>, crate::talk::RenderError> {
    let others = message.slots().map(|slot| slot.name.as_str().to_owned());
    let bindings = Bindings {
        tok: "abcdefghijkl".to_owned(),
        payload: vec![b'1'; values.size],
        seq: values.number,
        n: values.number,
        values: others
            .map(|name| (name, vec![b'1'; values.size]))
            .collect::<BTreeMap<_, _>>(),
        ..Bindings::default()
    };
    let mut bytes = Vec::new();
    message.render(frame, &bindings, &mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::literal_escape;

    #[test]
    fn escapes_in_single_quotes() {
        assert_eq!(literal_escape(r"PING\r\n"), Some(r"\r"));
        assert_eq!(literal_escape(r"a\n b"), Some(r"\n"));
        assert_eq!(literal_escape(r#"{"a": "b\n"}\n"#), Some(r"\n"));
        for meant in [r#"{"a": "b\n"}"#, r"C:\new", r"a\\n", r"\d+", ""] {
            assert_eq!(literal_escape(meant), None, "{meant}");
        }
    }
}
