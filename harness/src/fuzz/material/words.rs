//! Extracts the words of a talk from its requests and expected replies, without placeholders.

use std::collections::BTreeSet;

use crate::talk::message::MessagePart;
use crate::talk::template::TemplatePiece;
use crate::talk::{Exchange, Expect, Opening, Talk, Template};

/// Maximum words.
const WORDS_MAX: usize = 512;

/// Maximum bytes of a word.
const WORD_BYTES_MAX: usize = 128;

/// The words of `talk`, and `strings` both whole and split into words.
pub(super) fn of(talk: &Talk, strings: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut words = Words::default();
    for opening in &talk.open {
        if let Opening::Exchange(exchange) = opening {
            words.exchange(exchange);
        }
    }
    let turns = talk.turns.iter().chain(&talk.bad).chain(&talk.slow);
    turns.for_each(|exchange| words.exchange(exchange));
    for string in strings {
        words.add(string);
        words.split(string);
    }
    words.kept
}

#[derive(Default)]
struct Words {
    kept: Vec<Vec<u8>>,
    seen: BTreeSet<Vec<u8>>,
}

impl Words {
    fn exchange(&mut self, exchange: &Exchange) {
        if let Some(send) = &exchange.send {
            self.parts(send.head.as_deref().unwrap_or_default());
            self.parts(&send.parts);
        }
        self.expect(&exchange.expect);
    }

    fn parts(&mut self, parts: &[MessagePart]) {
        for part in parts {
            match part {
                MessagePart::Text(template) | MessagePart::Repeat { text: template, .. } => {
                    self.template(template);
                }
                MessagePart::Bytes(bytes) => self.split(bytes),
            }
        }
    }

    fn expect(&mut self, expect: &Expect) {
        match expect {
            Expect::Exact(parts) => self.parts(parts),
            Expect::Json(template) => self.template(template),
            Expect::Regex(regex) => self.split(regex.source().as_bytes()),
            Expect::Not(inner) | Expect::Whole(inner) => self.expect(inner),
            Expect::NoReply | Expect::Eof => {}
        }
    }

    fn template(&mut self, template: &Template) {
        for piece in template.pieces() {
            if let TemplatePiece::Text(text) = piece {
                self.split(text.as_bytes());
            }
        }
    }

    fn split(&mut self, text: &[u8]) {
        let inside = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
        text.split(|byte| !inside(byte))
            .for_each(|word| self.add(word));
    }

    fn add(&mut self, word: &[u8]) {
        let fits = (1..=WORD_BYTES_MAX).contains(&word.len()) && self.kept.len() < WORDS_MAX;
        if fits && self.seen.insert(word.to_vec()) {
            self.kept.push(word.to_vec());
        }
    }
}
