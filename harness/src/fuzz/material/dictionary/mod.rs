//! Dictionaries: what the fields of a protocol may contain. Each is a text file in this folder, one entry a line.
//!
//! ```text
//! sign HTTP/1.                     the dictionary is used if a message of the talk contains these bytes
//! key Expect                       the name of a header or key
//! value gzip                       a value of any field
//! value Expect: 100-continue       a value of the field with this name
//! line Connection: close           a whole line, without its end
//! scope part                       the lines and the values with a name belong into the heads of parts first
//! bytes \x21\x00\x14               bytes for a place in a binary message
//! message \xc0\x00                 a whole message
//! open EHLO a\r\n                  a message that begins a session
//! pairs {}[]=1&{}[a]=1            several pairs of a query or form in place of one, with its name for {}
//! pump "|\\\\|                     what is repeated in a value: the bytes before, the unit, the bytes after
//! ```
//!
//! Escapes are `\r \n \t \0 \\ \| \xNN` and `\s` for a space at either end.

use memchr::memmem;

/// The files: one line each.
const FILES: &[&str] = &[
    include_str!("any.dict"),
    include_str!("http.dict"),
    include_str!("multipart.dict"),
    include_str!("websocket.dict"),
    include_str!("json.dict"),
    include_str!("resp.dict"),
    include_str!("memcached.dict"),
    include_str!("smtp.dict"),
    include_str!("mail.dict"),
    include_str!("ftp.dict"),
    include_str!("mqtt.dict"),
    include_str!("dns.dict"),
];

/// The entries of all dictionaries that fit a talk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::fuzz) struct Dictionary {
    /// Names of headers and keys.
    pub keys: Vec<Vec<u8>>,
    /// Values of any field.
    pub values: Vec<Vec<u8>>,
    /// Values of the field with this name in lower case.
    pub named: Vec<(Vec<u8>, Vec<u8>)>,
    /// Whole lines without their end.
    pub lines: Vec<Vec<u8>>,
    /// Lines, headers among them, for the heads of the parts of a message.
    pub inner: Vec<Vec<u8>>,
    /// Bytes for binary messages.
    pub bytes: Vec<Vec<u8>>,
    /// Whole messages.
    pub messages: Vec<Vec<u8>>,
    /// Messages that begin a session.
    pub openings: Vec<Vec<u8>>,
    /// Pairs of a query or form whose names depend on each other, with [`NAME`] for the name of the pair that they replace.
    pub pairs: Vec<Vec<u8>>,
    /// What is repeated in a value.
    pub pumps: Vec<Pump>,
}

/// Stands for a name.
const NAME: &[u8] = b"{}";

/// These pairs of a dictionary for a pair of this name.
pub(in crate::fuzz) fn pairs_of(pairs: &[u8], name: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(pairs.len());
    let mut begin = 0;
    for at in memmem::find_iter(pairs, NAME) {
        text.extend_from_slice(&pairs[begin..at]);
        text.extend_from_slice(name);
        begin = at + NAME.len();
    }
    text.extend_from_slice(&pairs[begin..]);
    text
}

/// A repetition that is hard for backtracking and rescanning parsers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::fuzz) struct Pump {
    pub before: Vec<u8>,
    pub unit: Vec<u8>,
    pub after: Vec<u8>,
}

impl Dictionary {
    /// The entries of the dictionaries that have no sign, or a sign in one of these messages.
    pub(super) fn of(messages: &[Vec<u8>]) -> Self {
        let mut all = Self::default();
        for file in FILES {
            let mut signs = entries(file)
                .filter(|(class, _)| *class == "sign")
                .peekable();
            let is_general = signs.peek().is_none();
            let signed = |sign: &[u8]| messages.iter().any(|one| memmem::find(one, sign).is_some());
            if is_general || signs.any(|(_, text)| signed(&unescaped(text))) {
                entries(file).for_each(|(class, text)| all.add(class, text));
                if entries(file).any(|(class, _)| class == "scope") {
                    let lines = entries(file).filter(|(class, text)| {
                        *class == "line" || *class == "value" && text.contains(": ")
                    });
                    all.inner.extend(lines.map(|(_, text)| unescaped(text)));
                }
            }
        }
        all
    }

    fn add(&mut self, class: &str, text: &str) {
        match class {
            "key" => self.keys.push(unescaped(text)),
            "line" => self.lines.push(unescaped(text)),
            "bytes" => self.bytes.push(unescaped(text)),
            "open" => self.openings.push(unescaped(text)),
            "pairs" => self.pairs.push(unescaped(text)),
            "message" => self.messages.push(unescaped(text)),
            "value" => match text.split_once(": ") {
                Some((name, value)) => {
                    let name = name.to_ascii_lowercase().into_bytes();
                    self.named.push((name, unescaped(value)));
                }
                None => self.values.push(unescaped(text)),
            },
            "pump" => self.pumps.extend(pump(text)),
            _ => {}
        }
    }

    /// The values for a field of this name in lower case.
    pub(in crate::fuzz) fn of_name(&self, name: &[u8]) -> impl Iterator<Item = &Vec<u8>> {
        let fits = move |entry: &&(Vec<u8>, Vec<u8>)| entry.0 == name;
        self.named.iter().filter(fits).map(|(_, value)| value)
    }
}

/// The entries of a file: class and text.
fn entries(file: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(' '))
}

/// Three texts with a bar between them.
fn pump(text: &str) -> Option<Pump> {
    let mut parts = vec![String::new()];
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '|' => parts.push(String::new()),
            '\\' => parts
                .last_mut()?
                .extend([Some('\\'), letters.next()].into_iter().flatten()),
            _ => parts.last_mut()?.push(letter),
        }
    }
    let [before, unit, after] = parts.try_into().ok()?;
    Some(Pump {
        before: unescaped(&before),
        unit: unescaped(&unit),
        after: unescaped(&after),
    })
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let Some((escape, after)) = rest.split_first() else {
            break;
        };
        rest = after;
        bytes.push(match escape {
            b'r' => b'\r',
            b'n' => b'\n',
            b't' => b'\t',
            b's' => b' ',
            b'0' => 0,
            b'x' => {
                let (digits, after) = rest.split_at(rest.len().min(2));
                rest = after;
                let digits = std::str::from_utf8(digits).unwrap_or_default();
                u8::from_str_radix(digits, 16).unwrap_or(0)
            }
            other => *other,
        });
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::talk::Frame;

    #[test]
    fn every_line_is_an_entry() {
        const CLASSES: [&str; 11] = [
            "sign", "key", "value", "line", "scope", "bytes", "message", "open", "pairs", "pump",
            "#",
        ];
        for file in FILES {
            for line in file.lines().filter(|line| !line.is_empty()) {
                let class = line.split(' ').next().unwrap();
                assert!(
                    CLASSES.contains(&class) && line.len() > class.len(),
                    "{line}"
                );
                if class == "pump" {
                    let text = &line[5..];
                    assert!(
                        pump(text).is_some_and(|pump| !pump.unit.is_empty()),
                        "{line}"
                    );
                }
            }
        }
    }

    #[test]
    fn only_the_dictionaries_of_the_protocol_are_used() {
        let http = Dictionary::of(&[b"GET / HTTP/1.1\r\n\r\n".to_vec()]);
        assert!(http.keys.contains(&b"Transfer-Encoding".to_vec()));
        assert!(
            http.of_name(b"expect")
                .any(|value| value == b"100-continue")
        );
        assert!(http.values.contains(&b"__proto__".to_vec()));
        let mqtt = Dictionary::of(&[b"\x10\x0c\0\x04MQTT\x04".to_vec()]);
        assert!(mqtt.keys.is_empty() && mqtt.messages.contains(&b"\xc0\0".to_vec()));
        assert!(mqtt.values.contains(&b"__proto__".to_vec()));
    }

    /// A form that is cut off by its length would only be a lie.
    #[test]
    fn messages_with_a_length_are_whole() {
        let http = Dictionary::of(&[b"GET / HTTP/1.1\r\n\r\n".to_vec()]);
        let with_length = |one: &&Vec<u8>| memmem::find(one, b"\r\nContent-Length: ").is_some();
        let messages: Vec<&Vec<u8>> = http.messages.iter().filter(with_length).collect();
        assert!(messages.len() >= 5);
        for message in messages {
            let whole = Frame::Http1.decoder().next(message);
            assert_eq!(
                whole.unwrap(),
                Some(message.len()),
                "{}",
                message.escape_ascii()
            );
        }
    }

    #[test]
    fn pairs_have_the_name_of_what_they_replace() {
        assert_eq!(pairs_of(b"{}[a]=1&{}", b"key"), b"key[a]=1&key");
        assert_eq!(pairs_of(b"a={", b"key"), b"a={");
        let http = Dictionary::of(&[b"GET / HTTP/1.1\r\n\r\n".to_vec()]);
        let named = |pairs: &Vec<u8>| memmem::find(pairs, NAME).is_some();
        assert!(http.pairs.len() > 5 && http.pairs.iter().all(named));
    }

    #[test]
    fn escapes_and_bars() {
        assert_eq!(unescaped(r"a\r\n\x00\\\s"), b"a\r\n\0\\ ");
        let pump = pump(r#"; a="|\\\||\x10"#).unwrap();
        assert_eq!(pump.before, b"; a=\"");
        assert_eq!((pump.unit, pump.after), (b"\\|".to_vec(), b"\x10".to_vec()));
    }
}
