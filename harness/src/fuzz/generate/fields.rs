//! The part of the first stage that follows from the fields of the talk: each value of the dictionary in each field it
//! belongs to, each line, each repetition, each message.

use std::ops::Range;

use super::planned::{PlannedCase, basic};
use crate::fuzz::material::spans::{self, Span, SpanKind};
use crate::fuzz::material::{Dictionary, Material, announced, pairs_of};
use crate::fuzz::random::Random;
use crate::fuzz::{SendStep, Step};
use crate::talk::Frame;

/// Maximum cases per family.
pub(super) const VALUES_MAX: usize = 1800;
pub(super) const LINES_MAX: usize = 800;
pub(super) const PUMPS_MAX: usize = 2400;
pub(super) const MESSAGES_MAX: usize = 700;
pub(super) const RELATED_MAX: usize = 300;

/// Maximum fields of one name and kind that get each value.
const SAME_FIELDS_MAX: usize = 2;

/// Maximum messages of the talk whose fields are tried.
const TURNS_MAX: usize = 12;

/// Bytes of the repetitions of a pump: within the limits of most headers, and for quadratic work.
const PUMPED_BYTES: &[usize] = &[6 << 10, 60 << 10];

/// Pumps that are tried in every field before the next ones are in any.
const PUMPS_AT_ONCE: usize = 7;
/// So many groups of pumps later they are tried where they show less.
const LATER: usize = 4;

/// The most telling values, each of which is tried in all fields of a message at once, and of these the ones that are tried in
/// headers that it has not.
const AT_ONCE_MAX: usize = 8;
const IN_HEADERS_MAX: usize = 3;
/// Maximum headers that are added at once: most servers take a hundred.
const HEADERS_AT_ONCE: usize = 32;
/// Headers on which it depends whether a message is understood at all.
const FRAMING: [&[u8]; 7] = [
    b"content-length",
    b"transfer-encoding",
    b"host",
    b"connection",
    b"content-type",
    b"expect",
    b"upgrade",
];

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

/// Each value in the fields of its name, and general values in fields of every kind.
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
    alternating(named, rest.map(|(_, case)| case).collect())
}

/// Of each list one item in turn.
pub(super) fn alternating(one: Vec<PlannedCase>, other: Vec<PlannedCase>) -> Vec<PlannedCase> {
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    let mut items = Vec::new();
    loop {
        let pair = [one.next(), other.next()];
        if pair.iter().all(Option::is_none) {
            return items;
        }
        items.extend(pair.into_iter().flatten());
    }
}

/// Each of the most telling values in place of all values inside of a message, and in headers that are added to it.
pub(super) fn at_once(material: &Material) -> Vec<PlannedCase> {
    let words = &material.dictionary;
    let is_free = |key: &&Vec<u8>| {
        let name = key.to_ascii_lowercase();
        name.first().is_some_and(u8::is_ascii_alphabetic) && !FRAMING.contains(&&name[..])
    };
    let keys: Vec<&Vec<u8>> = words.keys.iter().filter(is_free).collect();
    let is_http = *material.request_frame() == Frame::Http1;
    let turns: Vec<(usize, Vec<u8>)> = served(material).collect();
    let mut items = Vec::new();
    for (number, value) in words.values.iter().take(AT_ONCE_MAX).enumerate() {
        for (seed, message) in &turns {
            let places = inner_values(message);
            if places.len() > 1 {
                items.extend(spliced(material, *seed, message, &places, value));
            }
            let line = memchr::memmem::find(message, b"\r\n").map(|at| at + 2);
            let is_head = is_http && message.ends_with(b"\r\n\r\n") && number < IN_HEADERS_MAX;
            let (Some(at), true) = (line, is_head) else {
                continue;
            };
            for keys in keys.chunks(HEADERS_AT_ONCE) {
                let header = |key: &&Vec<u8>| [&key[..], b": ", value, b"\r\n"].concat();
                let headers: Vec<u8> = keys.iter().flat_map(header).collect();
                let place = at..at;
                items.extend(spliced(
                    material,
                    *seed,
                    message,
                    std::slice::from_ref(&place),
                    &headers,
                ));
            }
        }
    }
    items
}

/// Each group of pairs of the dictionary in place of each pair of a query or form, with its name; one group in all places before
/// the next one in any.
pub(super) fn related(material: &Material) -> Vec<PlannedCase> {
    let mut places = Vec::new();
    let mut tried = Tried::default();
    for (seed, message) in served(material) {
        let spans = spans::of(&message).into_iter();
        for span in spans.filter(|span| span.kind == SpanKind::Pair) {
            let pair = &message[span.at.clone()];
            let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
            let named = Span {
                name: name.to_vec(),
                ..span
            };
            if !name.is_empty() && tried.is_new(&named, 1) {
                places.push((seed, named));
            }
        }
    }
    let put = |pairs: &Vec<u8>, (seed, span): &(usize, Span)| PlannedCase::Splice {
        name: "each-relation",
        seed: *seed,
        at: span.at.clone(),
        unit: pairs_of(pairs, &span.name),
        count: 1,
        repairs: true,
    };
    let all = material.dictionary.pairs.iter();
    let items = all.flat_map(|pairs| places.iter().map(move |place| put(pairs, place)));
    items.collect()
}

/// The values of parameters, pairs and members, none of which is inside of another.
fn inner_values(message: &[u8]) -> Vec<Range<usize>> {
    let is_inner = |span: &Span| {
        let kinds = [
            SpanKind::ParamValue,
            SpanKind::PairPart,
            SpanKind::JsonValue,
        ];
        // The boundary of parts is no value of the application.
        kinds.contains(&span.kind) && !span.name.is_empty() && span.name != b"boundary"
    };
    let mut places: Vec<Range<usize>> = spans::of(message)
        .into_iter()
        .filter(is_inner)
        .map(|span| span.at)
        .collect();
    places.sort_by_key(|at| (at.start, at.end));
    let all = places.clone();
    places.retain(|at| {
        let is_inside = |other: &Range<usize>| other.start >= at.start && other.end <= at.end;
        all.iter().filter(|other| is_inside(other)).count() == 1
    });
    places
}

/// The message of a seed with this text in these places, with its lengths corrected.
fn spliced(
    material: &Material,
    seed: usize,
    message: &[u8],
    places: &[Range<usize>],
    text: &[u8],
) -> Option<PlannedCase> {
    let mut after = message.to_vec();
    for place in places.iter().rev() {
        after.splice(place.clone(), text.iter().copied());
    }
    announced::repair(material.request_frame(), message, &mut after);
    let seed = material.seeds.get(seed)?;
    let mut steps = seed.case.steps.get(..seed.step)?.to_vec();
    steps.push(Step::Send(SendStep::whole(after)));
    Some(PlannedCase::Steps(steps))
}

/// Each line of the dictionary, and each header with each of its values, in each message that the server serves: after a
/// random line of a head, which may be that of a part. Before them the lines of parts, folded, and what the dictionary has for the
/// heads of parts, there.
pub(super) fn lines(material: &Material, random: &mut Random) -> Vec<PlannedCase> {
    let words = &material.dictionary;
    let mut texts = words.lines.clone();
    let header = |(name, value): &(Vec<u8>, Vec<u8>)| [&name[..], b": ", value].concat();
    texts.extend(words.named.iter().map(header));
    let (mut items, mut first, mut folded) = (Vec::new(), Vec::new(), Vec::new());
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
        folded.extend(inner.iter().flatten().map(|line| fold(seed, line)));
        first.extend(words.inner.iter().filter_map(|text| after(inner, text)));
        items.extend(texts.iter().filter_map(|text| after(&heads, text)));
    }
    random.shuffle(&mut first);
    random.shuffle(&mut items);
    folded.append(&mut first);
    folded.append(&mut items);
    folded
}

/// A line that goes on with the one before it, although there may be none.
fn fold(seed: usize, line: &Span) -> PlannedCase {
    PlannedCase::Splice {
        name: "folded",
        seed,
        at: line.at.start..line.at.start,
        unit: b" ".to_vec(),
        count: 1,
        repairs: true,
    }
}

/// Each pump, the most telling ones first, in all headers of a message at once and in single fields, instead of the value or
/// after it.
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
        // What is longer than a head may be is refused; in a body much shows more.
        let body = memchr::memmem::find(&message, b"\r\n\r\n");
        let body = body.filter(|_| *material.request_frame() == Frame::Http1);
        let fits = |places: &[Range<usize>], bytes: usize| {
            let in_head = |head: usize| places.iter().all(|at| at.end <= head);
            body.is_none_or(|head| in_head(head) == (bytes == PUMPED_BYTES[0]))
        };
        let add = |family: &mut Vec<(usize, PlannedCase)>, places: &[Range<usize>]| {
            for (pump, text) in material.dictionary.pumps.iter().enumerate() {
                // What opens a quote belongs at the beginning of a value; white space and lists show more behind one.
                let is_behind = text.before.first().is_none_or(|byte| b";, ".contains(byte));
                let sizes = PUMPED_BYTES.iter().filter(|bytes| fits(places, **bytes));
                for (bytes, after) in sizes.flat_map(|bytes| [(bytes, true), (bytes, false)]) {
                    let later = if after == is_behind { 0 } else { LATER };
                    let place = |at: &Range<usize>| if after { at.end..at.end } else { at.clone() };
                    let at = places.iter().map(place).collect();
                    let bytes = *bytes;
                    let case = PlannedCase::Pump {
                        seed,
                        at,
                        pump,
                        bytes,
                    };
                    family.push((pump / PUMPS_AT_ONCE + later, case));
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
    for family in [&mut headers, &mut fields, &mut others] {
        random.shuffle(family);
    }
    // Fields with a name are taken apart by more parsers than the others, which come a group later.
    others.iter_mut().for_each(|(group, _)| *group += 1);
    fields.append(&mut others);
    for family in [&mut headers, &mut fields] {
        family.sort_by_key(|(group, _)| *group);
    }
    let cases = |family: Vec<(usize, PlannedCase)>| family.into_iter().map(|(_, case)| case);
    // A case with all headers may fail for another of them: both ways in turn.
    alternating(cases(headers).collect(), cases(fields).collect())
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
