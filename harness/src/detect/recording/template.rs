//! A recorded request in which a word may be replaced. Pure.

use crate::detect::expectation::escaped_braces;
use crate::text::toml_string;

/// Length of every `{tok}` in bytes.
const TOKEN_BYTES: usize = 12;
/// Shortest word that counts as repeated by the reply.
const WORD_BYTES_MIN: usize = 3;
/// Maximum words of a request that are tried.
const WORDS_MAX: usize = 8;

/// What takes the place of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fill {
    /// `{tok}`
    Token,
    /// `{tok} {payload}`
    Spaced,
    /// `{tok}{payload}`
    Joined,
}

/// A piece of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Bytes(Vec<u8>),
    /// The word that is replaced.
    Word,
    /// The number of bytes of the word and of this many others.
    Length(usize),
    /// The port of the server.
    Port,
}

/// A request of the recording, its body only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    pieces: Vec<Piece>,
}

impl Fill {
    fn toml(self) -> &'static str {
        match self {
            Self::Token => "{tok}",
            Self::Spaced => "{tok} {payload}",
            Self::Joined => "{tok}{payload}",
        }
    }

    /// The text in place of the word.
    pub(super) fn text(self, token: &str, payload: &str) -> String {
        match self {
            Self::Token => token.to_owned(),
            Self::Spaced => format!("{token} {payload}"),
            Self::Joined => format!("{token}{payload}"),
        }
    }

    pub(super) fn has_payload(self) -> bool {
        self != Self::Token
    }
}

impl Template {
    /// The request as it was recorded. In that of HTTP the port of the proxy becomes that of the server.
    pub(super) fn literal(request: &[u8], is_http: bool) -> Self {
        let mut pieces = vec![Piece::Bytes(request.to_vec())];
        if is_http && let Some((start, end)) = port_of_host(request) {
            pieces = vec![
                Piece::Bytes(request[..start].to_vec()),
                Piece::Port,
                Piece::Bytes(request[end..].to_vec()),
            ];
        }
        Self { pieces }
    }

    /// With this word replaced wherever it stands, and the numbers that say how long it, or the body with it, is.
    pub(super) fn replacing(&self, word: &[u8]) -> Self {
        let mut pieces = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Bytes(bytes) => replace(bytes, word, &mut pieces),
                other => pieces.push(other.clone()),
            }
        }
        Self { pieces }
    }

    /// The bytes of a request.
    pub(super) fn render(&self, word: &[u8], port: u16) -> Vec<u8> {
        let mut bytes = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Bytes(more) => bytes.extend_from_slice(more),
                Piece::Word => bytes.extend_from_slice(word),
                Piece::Length(others) => bytes.extend((others + word.len()).to_string().bytes()),
                Piece::Port => bytes.extend(port.to_string().bytes()),
            }
        }
        bytes
    }

    /// The value of `send`.
    pub(super) fn toml(&self, fill: Fill) -> String {
        // Text and bytes that are not text, in turns.
        let mut parts: Vec<String> = Vec::new();
        let mut text = String::new();
        for (index, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Bytes(bytes) => {
                    let before_slot = index + 1 < self.pieces.len();
                    for chunk in bytes.utf8_chunks() {
                        text.push_str(&escaped_braces(chunk.valid(), before_slot));
                        if !chunk.invalid().is_empty() {
                            take(&mut text, &mut parts);
                            parts.push(hex(chunk.invalid()));
                        }
                    }
                }
                Piece::Word => text.push_str(fill.toml()),
                Piece::Length(others) => text.push_str(&length(*others, fill)),
                Piece::Port => text.push_str("{port}"),
            }
        }
        take(&mut text, &mut parts);
        match parts.as_slice() {
            [] => "\"\"".to_owned(),
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        }
    }
}

fn take(text: &mut String, parts: &mut Vec<String>) {
    if !text.is_empty() {
        parts.push(toml_string(&std::mem::take(text)));
    }
}

/// Bytes that are not text.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{{ hex = \"{}\" }}", digits.join(" "))
}

fn length(others: usize, fill: Fill) -> String {
    match (fill, others + TOKEN_BYTES) {
        (Fill::Token, all) => all.to_string(),
        (Fill::Spaced, all) => format!("{{len:payload+{}}}", all + 1),
        (Fill::Joined, all) => format!("{{len:payload+{all}}}"),
    }
}

/// The place of the port in the field `Host`.
fn port_of_host(request: &[u8]) -> Option<(usize, usize)> {
    let text = std::str::from_utf8(request).ok()?;
    let host = text.to_ascii_lowercase().find("\r\nhost:")? + 2;
    let line = text[host..].lines().next()?;
    let digits = line.len() - line.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let before = &line[..line.len() - digits];
    // `Host: name` and `Host: [::1]` have none.
    let has_port = digits > 0 && before.ends_with(':') && before.len() > "host:".len();
    has_port.then_some((host + before.len(), host + line.len()))
}

/// Cuts these bytes where the word stands, and where a number is its length.
fn replace(bytes: &[u8], word: &[u8], pieces: &mut Vec<Piece>) {
    let body = memchr::memmem::find(bytes, b"\r\n\r\n").map(|at| &bytes[at + 4..]);
    // How many bytes a number may count beside those of the word.
    let others = |number: usize| {
        let of_body = body.filter(|body| {
            number == body.len() && memchr::memmem::find_iter(body, word).count() == 1
        });
        match of_body {
            Some(body) => Some(body.len() - word.len()),
            None if number == word.len() => Some(0),
            None => None,
        }
    };
    let mut run = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let starts = at == 0 || !bytes[at - 1].is_ascii_alphanumeric();
        let ends = !rest.get(digits).is_some_and(u8::is_ascii_alphanumeric);
        let number = std::str::from_utf8(&rest[..digits])
            .ok()
            .and_then(|text| text.parse().ok());
        if rest.starts_with(word) {
            pieces.push(Piece::Bytes(std::mem::take(&mut run)));
            pieces.push(Piece::Word);
            at += word.len();
        } else if starts
            && ends
            && let Some(others) = number.and_then(others)
        {
            pieces.push(Piece::Bytes(std::mem::take(&mut run)));
            pieces.push(Piece::Length(others));
            at += digits;
        } else {
            run.push(bytes[at]);
            at += 1;
        }
    }
    pieces.push(Piece::Bytes(run));
}

/// The words of the request that the reply repeats, the longest first.
pub(super) fn repeated(request: &[u8], reply: &[u8]) -> Vec<Vec<u8>> {
    let mut words: Vec<Vec<u8>> = Vec::new();
    let mut at = 0;
    while at < request.len() {
        let from = &request[at..];
        let mut len = 0;
        // The longest run from here that the reply contains; a longer one contains it.
        while len < from.len() && memchr::memmem::find(reply, &from[..=len]).is_some() {
            len += 1;
        }
        // A line or a field of its own: lengths stand in others.
        for part in from[..len].split(|byte| byte.is_ascii_control()) {
            let word = trimmed(part);
            let mut known = words.iter();
            let is_known = known.any(|known| memchr::memmem::find(known, word).is_some());
            if word.len() >= WORD_BYTES_MIN && !is_known {
                words.push(word.to_vec());
            }
        }
        at += len.max(1);
    }
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words.truncate(WORDS_MAX);
    words
}

/// Without what separates words at its ends.
fn trimmed(bytes: &[u8]) -> &[u8] {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte >= 0x80;
    let Some(start) = bytes.iter().position(is_part) else {
        return b"";
    };
    let end = bytes.iter().rposition(is_part).map_or(start, |end| end + 1);
    &bytes[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toml(request: &[u8], word: &[u8], fill: Fill) -> String {
        Template::literal(request, true).replacing(word).toml(fill)
    }

    #[test]
    fn words_that_a_reply_repeats() {
        let words = repeated(b"ECHO hello world\r\n", b"hello world\r\n");
        assert_eq!(words, [b"hello world".to_vec()]);
        let words = repeated(
            b"GET /say/hello HTTP/1.1\r\nHost: x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nX: y\r\n\r\nhello",
        );
        assert_eq!(words, [b"HTTP/1.1".to_vec(), b"hello".to_vec()]);
        let words = repeated(b"*2\r\n$4\r\nECHO\r\n$5\r\nhello\r\n", b"$5\r\nhello\r\n");
        assert_eq!(words, [b"hello".to_vec()]);
        assert!(repeated(b"PING\r\n", b"+PONG\r\n").is_empty());
    }

    #[test]
    fn lengths_follow_the_word() {
        let set = b"set k 0 0 5\r\nhello\r\n";
        assert_eq!(
            toml(set, b"hello", Fill::Token),
            r#""set k 0 0 12\r\n{tok}\r\n""#
        );
        assert_eq!(
            toml(set, b"hello", Fill::Joined),
            r#""set k 0 0 {len:payload+12}\r\n{tok}{payload}\r\n""#
        );
        let post = b"POST / HTTP/1.1\r\nHost: 127.0.0.1:4711\r\nContent-Length: 9\r\n\r\nsay=hello";
        assert_eq!(
            toml(post, b"hello", Fill::Spaced),
            "\"POST / HTTP/1.1\\r\\nHost: 127.0.0.1:{port}\\r\\nContent-Length: {len:payload+17}\\r\\n\\r\\nsay={tok} {payload}\""
        );
        let template = Template::literal(post, true).replacing(b"hello");
        let sent = template.render(b"abc", 80);
        assert!(
            sent.ends_with(b"Content-Length: 7\r\n\r\nsay=abc"),
            "{sent:?}"
        );
        assert_eq!(Template::literal(post, false).render(b"", 80), post);
    }

    #[test]
    fn bytes_that_are_not_text_are_parts() {
        assert_eq!(
            toml(b"\x01\xffhello{a}", b"hello", Fill::Token),
            r#"["\u0001", { hex = "ff" }, "{tok}{{a}"]"#
        );
    }
}
