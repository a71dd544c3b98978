//! The part of the first stage that follows from the fields of the talk: each value of the dictionary in each field it
//! belongs to, each line, each repetition, each message.

use std::ops::Range;

use super::planned::{PlannedCase, basic};
use crate::fuzz::material::spans::{self, Span, SpanKind};
use crate::fuzz::material::{Dictionary, Material};
use crate::fuzz::random::Random;
use crate::fuzz::{SendStep, Step};

/// Maximum cases per family.
pub(super) const VALUES_MAX: usize = 1800;
pub(super) const LINES_MAX: usize = 800;
pub(super) const PUMPS_MAX: usize = 2400;
pub(super) const MESSAGES_MAX: usize = 700;

/// Maximum fields of one name and kind that get each value.
const SAME_FIELDS_MAX: usize = 2;

/// Maximum messages of the talk whose fields are tried.
const TURNS_MAX: usize = 12;

/// Bytes of the repetitions of a pump: within the limits of most headers, and for quadratic work.
const PUMPED_BYTES: &[usize] = &[6 << 10, 60 << 10];

/// Which fields of several messages are the same.
#[derive(Default)]
struct Tried(Vec<(Vec<u8>, SpanKind)>);

impl Tried {
    /// Whether fewer than `most` fields of this name and kind were met before. Fields without a name differ.
    fn is_new(&mut self, span: &Span, most: usize) -> bool {
        let key = (span.name.clone(), span.kind);
        let before = self.0.iter().filter(|known| **known == key).count();
        self.0.push(key);
        span.name.is_empty() || before < most
    }
}

/// Each value in the fields of its name; general values in fields of every kind.
pub(super) fn values(material: &Material, random: &mut Random) -> Vec<PlannedCase> {
    let words = &material.dictionary;
    let (mut named, mut general, mut others) = (Vec::new(), Vec::new(), Vec::new());
    let mut tried = Tried::default();
    for (seed, message) in turns(material) {
        for span in spans::of(&message)
            .into_iter()
            .filter(|span| span.kind.is_value() && tried.is_new(span, SAME_FIELDS_MAX))
        {
            let put = |value: &Vec<u8>| PlannedCase::Splice {
                name: "each-value",
                seed,
                at: span.at.clone(),
                unit: value.clone(),
                count: 1,
                repairs: true,
            };
            named.extend(words.of_name(&span.name).map(put));
            let family = if span.name.is_empty() {
                &mut others
            } else {
                &mut general
            };
            match span.kind {
                SpanKind::Tag => {
                    let bytes = [0, 1, 0x7f, 0x80, 0xff].map(|byte| put(&vec![byte]));
                    family.extend(bytes.into_iter().enumerate());
                }
                SpanKind::Name => family.extend(words.keys.iter().map(put).enumerate()),
                _ => family.extend(words.values.iter().map(put).enumerate()),
            }
        }
    }
    random.shuffle(&mut named);
    for family in [&mut general, &mut others] {
        random.shuffle(family);
        // The most telling values come first in every field.
        family.sort_by_key(|(place, _)| *place);
    }
    let rest = general.into_iter().chain(others);
    named.extend(rest.map(|(_, case)| case));
    named
}

/// Each line of the dictionary, and each header with each of its values, in each message that the server serves: after a
/// random line of a head, which may be that of a part. What the dictionary has for the heads of parts comes first, and there.
pub(super) fn lines(material: &Material, random: &mut Random) -> Vec<PlannedCase> {
    let words = &material.dictionary;
    let mut texts = words.lines.clone();
    let header = |(name, value): &(Vec<u8>, Vec<u8>)| [&name[..], b": ", value].concat();
    texts.extend(words.named.iter().map(header));
    let (mut items, mut first) = (Vec::new(), Vec::new());
    for (seed, message) in served(material) {
        let all = spans::of(&message);
        let is_header = |line: &&Span| {
            let name = all
                .iter()
                .find(|span| span.kind == SpanKind::Name && span.at.start == line.at.start);
            line.kind == SpanKind::Line && (line.at.start == 0 || name.is_some())
        };
        // Lines that follow each other are one head: each is as likely as the others.
        let mut heads: Vec<Vec<&Span>> = Vec::new();
        for line in all.iter().filter(is_header) {
            match heads
                .last_mut()
                .filter(|head| head.last().is_some_and(|last| last.at.end == line.at.start))
            {
                Some(head) => head.push(line),
                None => heads.push(vec![line]),
            }
        }
        let mut after = |heads: &[Vec<&Span>], text: &[u8]| {
            let line = random.pick(heads).and_then(|head| random.pick(head))?;
            Some(PlannedCase::Splice {
                name: "each-line",
                seed,
                at: line.at.end..line.at.end,
                unit: [text, b"\r\n"].concat(),
                count: 1,
                repairs: true,
            })
        };
        let inner = heads.get(1..).unwrap_or_default();
        first.extend(words.inner.iter().filter_map(|text| after(inner, text)));
        items.extend(texts.iter().filter_map(|text| after(&heads, text)));
    }
    random.shuffle(&mut first);
    random.shuffle(&mut items);
    first.append(&mut items);
    first
}

/// Each pump: first in all headers of a message at once, then in single fields, instead of the value or after it.
pub(super) fn pumps(material: &Material, random: &mut Random) -> Vec<PlannedCase> {
    let (mut headers, mut fields, mut others) = (Vec::new(), Vec::new(), Vec::new());
    let mut tried = Tried::default();
    for (seed, message) in served(material) {
        let all = spans::of(&message);
        let texts = || all.iter().filter(|span| span.kind.is_text());
        // Values without their parameters; a number must stay one, or nothing else is parsed.
        let is_number = |span: &Span| message[span.at.clone()].iter().all(u8::is_ascii_digit);
        let values = texts().filter(|span| span.kind == SpanKind::Value && !is_number(span));
        let values: Vec<Range<usize>> = values.map(|span| span.at.clone()).collect();
        let mut add = |family: &mut Vec<PlannedCase>, places: &[Range<usize>]| {
            for pump in 0..material.dictionary.pumps.len() {
                let first = random.one_in(2);
                for (number, bytes) in PUMPED_BYTES.iter().enumerate() {
                    // Each place once, with one of the sizes.
                    let after = first ^ (number % 2 == 1);
                    let place = |at: &Range<usize>| if after { at.end..at.end } else { at.clone() };
                    let at = places.iter().map(place).collect();
                    let bytes = *bytes;
                    family.push(PlannedCase::Pump {
                        seed,
                        at,
                        pump,
                        bytes,
                    });
                }
            }
        };
        if values.len() > 1 {
            add(&mut headers, &values);
        }
        for span in texts() {
            if tried.is_new(span, 1) {
                let family = if span.name.is_empty() {
                    &mut others
                } else {
                    &mut fields
                };
                add(family, std::slice::from_ref(&span.at));
            }
        }
    }
    random.shuffle(&mut others);
    random.shuffle(&mut headers);
    random.shuffle(&mut fields);
    fields.append(&mut others);
    // A case with all headers may fail for another of them: both ways in turn.
    let mut items = Vec::new();
    let (mut headers, mut fields) = (headers.into_iter(), fields.into_iter());
    loop {
        let pair = [headers.next(), fields.next()];
        if pair.iter().all(Option::is_none) {
            return items;
        }
        items.extend(pair.into_iter().flatten());
    }
}

/// Each message of the dictionary after the opening of the talk, after its first turn, and after other openings.
pub(super) fn messages(material: &Material, random: &mut Random) -> Vec<PlannedCase> {
    let Dictionary {
        messages, openings, ..
    } = &material.dictionary;
    let first = material.seeds.iter().find(|seed| seed.basic);
    let own: Vec<Vec<Step>> = [
        Some(Vec::new()),
        Some(material.opening.clone()),
        first.map(|seed| seed.case.steps[..=seed.step].to_vec()),
    ]
    .into_iter()
    .flatten()
    .collect();
    let send = |message: &Vec<u8>| Step::Send(SendStep::whole(message.clone()));
    let others = openings.iter().map(|opening| vec![send(opening)]);
    let mut items = Vec::new();
    for before in own.into_iter().chain(others) {
        for message in messages.iter().chain(openings) {
            items.push(PlannedCase::Steps([&before[..], &[send(message)]].concat()));
        }
    }
    random.shuffle(&mut items);
    items
}

/// The basic seeds that the server must not refuse: what is refused for another reason is hardly parsed.
fn served(material: &Material) -> impl Iterator<Item = (usize, Vec<u8>)> {
    let is_served = |(seed, _): &(usize, Vec<u8>)| !material.seeds[*seed].refused;
    turns(material).into_iter().filter(is_served)
}

/// The basic seeds, those that the server must refuse last.
fn turns(material: &Material) -> Vec<(usize, Vec<u8>)> {
    let mut turns = basic(material);
    turns.sort_by_key(|(seed, _)| material.seeds[*seed].refused);
    turns.truncate(TURNS_MAX);
    turns
}
