//! The frames that messages of an unknown protocol may have, in the words of the file.

use super::Sketch;
use crate::talk::Frame;

/// A frame, and how the file says it.
#[derive(Clone, Debug)]
pub(super) struct Framing {
    pub toml: &'static str,
    pub frame: Frame,
}

/// Binary lengths before each message, the usual ones first.
pub(super) const LENGTHS: &[&str] = &[
    r#"{ len = "u32be" }"#,
    r#"{ len = "u16be" }"#,
    r#"{ len = "u32le" }"#,
    r#"{ len = "u16le" }"#,
    r#"{ len = "u32be", includes_self = true }"#,
    r#"{ len = "u16be", includes_self = true }"#,
    r#"{ len = "u32le", includes_self = true }"#,
    r#"{ len = "u16le", includes_self = true }"#,
    r#"{ len = "u8" }"#,
    r#"{ len = "varint" }"#,
    r#"{ len = "u24be" }"#,
    r#"{ len = "u64be" }"#,
];

/// Frames that have a form of their own, which no other message has by accident.
pub(super) const TELLING: &[&str] = &[
    r#""http1""#,
    r#"{ header = "Content-Length" }"#,
    r#"{ len = "decimal", until = ":", after = "," }"#,
    r#"{ len = "hex", includes_self = true }"#,
];

/// Lengths after one byte or two that say what the message is.
pub(super) const LENGTHS_AFTER_A_TYPE: &[&str] = &[
    r#"{ len = "u32be", at = 1, includes_self = true }"#,
    r#"{ len = "u32be", at = 1 }"#,
    r#"{ len = "u32le", at = 1 }"#,
    r#"{ len = "u16be", at = 1 }"#,
    r#"{ len = "u16le", at = 1 }"#,
    r#"{ len = "varint", at = 1 }"#,
    r#"{ len = "u16be", at = 2 }"#,
    r#"{ len = "u32be", at = 4 }"#,
];

/// Frames that end with certain bytes.
pub(super) const DELIMITERS: &[&str] = &[
    r#"{ until = "\r\n" }"#,
    r#"{ until = "\n" }"#,
    r#"{ until = { hex = "00" } }"#,
];

/// Frames of replies to lines.
pub(super) const OF_REPLIES: &[&str] = &[
    r#"{ last_line = '^\d{3} ' }"#,
    r#"{ until = "\r\n.\r\n" }"#,
    r#"{ until = "\n.\n" }"#,
    r#"{ until = "\n\n" }"#,
];

impl Framing {
    /// The frame that the file says so; `None` if this is not one.
    pub(super) fn of(toml: &'static str) -> Option<Self> {
        let text = format!(
            "[talk]\nframe = {{ request = \"none\", reply = {toml} }}\n\
             [[talk.turn]]\nsend = \"{{tok}}\"\nexpect = {{ regex = \"{{tok}}\" }}\n"
        );
        let file = Sketch::parse(&text).ok()?.file("custom").ok()?;
        Some(Self {
            toml,
            frame: file.talk.reply,
        })
    }

    /// These frames.
    pub(super) fn all(tomls: &'static [&'static str]) -> impl Iterator<Item = Self> {
        tomls.iter().filter_map(|toml| Self::of(toml))
    }

    /// The messages of which this stream consists; `None` if it does not, or if one of them is incomplete.
    pub(super) fn messages<'a>(&self, stream: &'a [u8]) -> Option<Vec<&'a [u8]>> {
        let mut decoder = self.frame.decoder();
        let (mut rest, mut messages) = (stream, Vec::new());
        while !rest.is_empty() {
            let found = match decoder.next(rest).ok()? {
                // The reply of an old HTTP server ends with the stream.
                None if self.frame == Frame::Http1 => decoder.finish(rest).ok()?,
                found => found,
            };
            let (message, after) = rest.split_at_checked(found.filter(|len| *len > 0)?)?;
            messages.push(message);
            rest = after;
            decoder.reset();
        }
        Some(messages)
    }

    /// The body of the only message in this stream.
    pub(super) fn only_body(&self, stream: &[u8]) -> Option<Vec<u8>> {
        match self.messages(stream)?.as_slice() {
            [message] => Some(self.frame.body(message).into_owned()),
            _ => None,
        }
    }
}

/// All but the last byte of the header of this message; `None` if there is nothing before it. A server that answers that
/// already has another header.
pub(super) fn part_of_header<'a>(frame: &Frame, message: &'a [u8]) -> Option<&'a [u8]> {
    let size = frame.header_len(message);
    message
        .get(..size.checked_sub(1)?)
        .filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_a_frame_of_the_file() {
        for list in [
            LENGTHS,
            TELLING,
            LENGTHS_AFTER_A_TYPE,
            DELIMITERS,
            OF_REPLIES,
        ] {
            for toml in list {
                assert!(Framing::of(toml).is_some(), "{toml}");
            }
        }
    }

    #[test]
    fn a_stream_consists_of_whole_messages_or_does_not() {
        let framing = Framing::of(r#"{ len = "u16be" }"#).unwrap();
        let messages = framing.messages(b"\0\x02hi\0\0").unwrap();
        assert_eq!(messages, [&b"\0\x02hi"[..], b"\0\0"]);
        assert_eq!(framing.messages(b"\0\x03hi"), None);
        assert_eq!(framing.only_body(b"\0\x02hi"), Some(b"hi".to_vec()));
        assert_eq!(framing.only_body(b"\0\x02hi\0\0"), None);
        assert_eq!(
            part_of_header(&framing.frame, b"\0\x02hi"),
            Some(&b"\0"[..])
        );
        let lines = Framing::of(r#"{ until = "\n" }"#).unwrap();
        assert_eq!(part_of_header(&lines.frame, b"hi\n"), None);
    }
}
