//! The first stage: cases derived from the talk alone that are worth trying once on every server.

use std::ops::Range;

use super::fields;
use super::planned::{PlannedCase, basic};
use crate::fuzz::Step;
use crate::fuzz::material::spans::{self, SpanKind};
use crate::fuzz::material::{BAD_UTF8, Material, OPENINGS, TOKENS, announced, text};
use crate::fuzz::mutator::lies;
use crate::fuzz::random::Random;

/// Maximum request length in bytes up to which every length is tried.
const EACH_LEN_MAX: usize = 1100;

/// Maximum cases per family, so that the first stage ends soon.
const TOKENS_MAX: usize = 1000;
const WORDS_MAX: usize = 600;
const ENDINGS_MAX: usize = 300;
const AT_ONCE_MAX: usize = 200;
const LIES_MAX: usize = 700;
const REPEATS_MAX: usize = 1000;
const LENGTHS_MAX: usize = 2300;

/// Bytes that are added to the end of a message.
const TRAILING_BYTES: usize = 16 << 10;

/// Lines of a message that are repeated: the first ones and the last one.
const LINES_OF_EACH: usize = 9;

/// Number of turns into which each token is put.
const SEEDS_PER_TOKEN: usize = 5;

/// Repetition counts of opening tokens, as far as the message limit allows; the most telling ones first.
const DEPTHS: &[usize] = &[
    10_000, 65_536, 1001, 257, 2001, 16, 32_768, 64, 1000, 255, 256, 1024, 3, 4096, 8192, 16_384,
];

/// Repetition counts of lines: round numbers and powers of two, and one more. Two thousand short ones are within the limits of
/// most heads, and above most limits of their number.
const LINES: &[usize] = &[2002, 257, 10_001, 101, 1001, 65_536, 16, 4096, 2];

/// The whole first stage: first the seeds, then the early endings and the values that break most servers, then everything else in
/// random order; and how many come first.
///
/// If nearly every unusual byte crashes the server, the campaign spends its time on restarts. Early endings, which occur
/// with every real client, must come before that; they are also cheap.
pub(super) fn plan(material: &Material, random: &mut Random) -> (Vec<PlannedCase>, usize) {
    let mut planned: Vec<PlannedCase> = (0..material.seeds.len()).map(PlannedCase::Seed).collect();
    let endings = endings(material).into_iter().take(ENDINGS_MAX).collect();
    let at_once = fields::at_once(material).into_iter().take(AT_ONCE_MAX);
    planned.extend(fields::alternating(endings, at_once.collect()));
    let first = planned.len();
    let families = [
        (lengths(material), LENGTHS_MAX),
        (tokens(material), TOKENS_MAX),
        (words(material), WORDS_MAX),
        (length_lies(material), LIES_MAX),
        (repeats(material), REPEATS_MAX),
        (fields::values(material, random), fields::VALUES_MAX),
        (fields::lines(material, random), fields::LINES_MAX),
        (fields::pumps(material, random), fields::PUMPS_MAX),
        (fields::messages(material, random), fields::MESSAGES_MAX),
        (fields::related(material), fields::RELATED_MAX),
    ];
    // The most important cases of a family come first.
    let mut families = families.map(|(family, max)| family.into_iter().take(max));
    // On a slow server, the time of a campaign suffices for a part of the stage: a part of each family.
    loop {
        let mut round: Vec<PlannedCase> = families.iter_mut().filter_map(Iterator::next).collect();
        if round.is_empty() {
            return (planned, first);
        }
        random.shuffle(&mut round);
        planned.append(&mut round);
    }
}

fn lengths(material: &Material) -> Vec<PlannedCase> {
    let mut items = Vec::new();
    // With many payload turns, each covers a part of the lengths.
    let step = material.payload_turns.len().div_ceil(2).max(1);
    for (place, turn) in material.payload_turns.iter().copied().enumerate() {
        let least = material
            .with_payload(turn, b"")
            .map_or(0, |request| request.len());
        let each = (least..=EACH_LEN_MAX).filter(|len| (len + place) % step == 0);
        let powers = (4..=material.bytes_max().ilog2()).map(|bit| 1_usize << bit);
        let around = |power: usize| [power - 1, power, power + 1];
        let powers: Vec<usize> = powers
            .flat_map(around)
            .filter(|len| (least..=material.bytes_max()).contains(len))
            .collect();
        let wide = powers.iter().copied().filter(|len| *len <= 32 << 10);
        let with = |unit: &'static [u8]| move |len: usize| PlannedCase::Length { turn, len, unit };
        items.extend(wide.map(with("€".as_bytes())));
        items.extend(powers.iter().copied().map(with(b"a")));
        items.extend(each.map(with(b"a")));
    }
    items
}

fn tokens(material: &Material) -> Vec<PlannedCase> {
    let mut items = Vec::new();
    let all = || TOKENS.iter().chain(BAD_UTF8);
    for turn in material.payload_turns.iter().take(2) {
        items.extend(all().map(|token| PlannedCase::Payload {
            turn: *turn,
            payload: token.to_vec(),
        }));
    }
    let basic = basic(material).into_iter();
    let seeds: Vec<(usize, Vec<usize>)> = basic
        .map(|(seed, message)| (seed, borders(&message)))
        .collect();
    // Each token goes into a few turns, so that a talk with many turns still tries all tokens.
    for (number, token) in all().enumerate() {
        let turns = seeds
            .iter()
            .cycle()
            .skip(number * SEEDS_PER_TOKEN % seeds.len().max(1));
        for (seed, places) in turns.take(seeds.len().min(SEEDS_PER_TOKEN)) {
            let at = places[number % places.len()];
            items.push(PlannedCase::Splice {
                name: "each-token",
                seed: *seed,
                at: at..at,
                unit: token.to_vec(),
                count: 1,
                repairs: true,
            });
        }
    }
    items
}

/// Beginnings and ends of all words and of the message; never empty.
fn borders(message: &[u8]) -> Vec<usize> {
    let words = text::words(message);
    let mut borders: Vec<usize> = words
        .iter()
        .flat_map(|word| [word.start, word.end])
        .collect();
    borders.extend([0, message.len()]);
    borders.sort_unstable();
    borders.dedup();
    borders
}

/// Dictionary words, each as the first word of a message and as a payload.
fn words(material: &Material) -> Vec<PlannedCase> {
    let seeds = basic(material);
    let first = seeds.iter().find_map(|(seed, message)| {
        let word = text::words(message).first().cloned();
        word.map(|word| (*seed, word))
    });
    let mut items = Vec::new();
    for word in &material.words {
        if let Some((seed, at)) = &first {
            items.push(PlannedCase::Splice {
                name: "each-word",
                seed: *seed,
                at: at.clone(),
                unit: word.clone(),
                count: 1,
                repairs: true,
            });
        }
        if let Some(turn) = material.payload_turns.first() {
            items.push(PlannedCase::Payload {
                turn: *turn,
                payload: word.clone(),
            });
        }
    }
    items
}

fn endings(material: &Material) -> Vec<PlannedCase> {
    let mut items: Vec<PlannedCase> = [None, Some(Step::Reset), Some(Step::Close)]
        .map(PlannedCase::Silent)
        .into();
    for (seed, message) in basic(material) {
        let mut keeps = vec![None];
        let len = message.len();
        if len > 1 {
            let cuts = material.request_frame().cut_points(&message);
            let ends = cuts.first().into_iter().chain(cuts.last()).copied();
            let mut partial: Vec<usize> = [1, len / 2, len - 1].into_iter().chain(ends).collect();
            partial.sort_unstable();
            partial.dedup();
            keeps.extend(partial.into_iter().map(Some));
        }
        for keep in keeps {
            // The whole message with FIN is the seed itself.
            let fin = keep.is_some().then_some(None);
            let others = [Some(Step::Reset), Some(Step::Close)];
            items.extend(
                fin.into_iter()
                    .chain(others)
                    .map(|end| PlannedCase::Ending { seed, keep, end }),
            );
        }
    }
    items
}

fn length_lies(material: &Material) -> Vec<PlannedCase> {
    let mut items = Vec::new();
    for (seed, message) in basic(material) {
        for field in announced::fields(material.request_frame(), &message) {
            let lies = lies(material.request_frame(), &field, &message);
            items.extend(lies.into_iter().map(|lie| PlannedCase::Splice {
                name: "each-lie",
                seed,
                at: field.at.clone(),
                unit: lie,
                count: 1,
                repairs: false,
            }));
        }
    }
    items
}

/// Repetitions of what opens a nested structure and of lines, in turn. Of each, all with one count come before any with the
/// next, so that the time of a campaign that suffices for a part of them is for every place.
fn repeats(material: &Material) -> Vec<PlannedCase> {
    let seeds = basic(material);
    let place = |(seed, message): &(usize, Vec<u8>), at: Range<usize>, unit: &[u8]| {
        // Decimal lengths may grow by some digits.
        let room = material.bytes_max().saturating_sub(message.len() + 32);
        Place {
            seed: *seed,
            at,
            unit: unit.to_vec(),
            most: room / unit.len().max(1),
        }
    };
    let first = seeds.first().map(|seed| {
        let head = material.request_frame().header_len(&seed.1);
        (seed, head..head)
    });
    let payload = |(seed, _): &(usize, Vec<u8>)| material.seeds[*seed].payload.clone();
    let with_payload = seeds.iter().find_map(|seed| Some((seed, payload(seed)?)));
    let openings: Vec<Place> = [first, with_payload]
        .into_iter()
        .flatten()
        .flat_map(|(seed, at)| {
            OPENINGS
                .iter()
                .map(move |opening| (seed, at.clone(), opening))
        })
        .map(|(seed, at, opening)| place(seed, at, opening))
        .collect();
    let mut lines: Vec<Place> = Vec::new();
    for seed in &seeds {
        let message = &seed.1;
        let mut all = text::lines(message);
        // Behind the last one there may be an end of parts.
        if all.len() > LINES_OF_EACH {
            all.drain(LINES_OF_EACH - 1..all.len() - 1);
        }
        for line in all {
            let whole = &message[line.clone()];
            let short = text::skeleton(whole);
            for (at, unit) in [(line.end..line.end, &short[..]), (line.clone(), whole)] {
                if !unit.is_empty() && lines.iter().all(|tried| tried.unit != unit) {
                    lines.push(place(seed, at, unit));
                }
            }
        }
        for (at, unit) in parts(message) {
            if lines.iter().all(|tried| tried.unit != unit) {
                lines.push(place(seed, at, &unit));
            }
        }
    }
    let mut openings = each_count(&openings, DEPTHS).into_iter();
    let mut lines = each_count(&lines, LINES).into_iter();
    // Behind what a parser of the message takes for its end, but counted by its length.
    let mut items: Vec<PlannedCase> = seeds
        .iter()
        .filter(|(_, message)| message.len() < TRAILING_BYTES)
        .map(|(seed, message)| PlannedCase::Splice {
            name: "trailing",
            seed: *seed,
            at: message.len()..message.len(),
            unit: b"a".to_vec(),
            count: TRAILING_BYTES,
            repairs: true,
        })
        .collect();
    loop {
        let pair = [lines.next(), openings.next()];
        if pair.iter().all(Option::is_none) {
            return items;
        }
        items.extend(pair.into_iter().flatten());
    }
}

/// The parts of a multipart message, and in front of each a part without a head.
fn parts(message: &[u8]) -> Vec<(Range<usize>, Vec<u8>)> {
    let spans = spans::of(message).into_iter();
    let parts = spans.filter(|span| span.kind == SpanKind::Part);
    let units = parts.flat_map(|span| {
        let part = &message[span.at.clone()];
        let delimiter = memchr::memchr(b'\n', part).map_or(part, |end| &part[..=end]);
        let headless = [delimiter, b"a\r\n"].concat();
        [
            (span.at.start..span.at.start, headless),
            (span.at.clone(), part.to_vec()),
        ]
    });
    units.collect()
}

/// Where something is repeated.
struct Place {
    seed: usize,
    /// The range of the message of the seed to replace.
    at: Range<usize>,
    /// What is repeated.
    unit: Vec<u8>,
    /// How often it fits.
    most: usize,
}

/// Each place with the first of these counts, then with the next, and last with as many as fit.
fn each_count(places: &[Place], counts: &[usize]) -> Vec<PlannedCase> {
    let mut items = Vec::new();
    for count in counts.iter().map(|count| Some(*count)).chain([None]) {
        for place in places {
            let fits = |count: &usize| *count < place.most;
            let count = count.map_or(Some(place.most), |count| Some(count).filter(fits));
            items.extend(count.map(|count| PlannedCase::Splice {
                name: "each-repeat",
                seed: place.seed,
                at: place.at.clone(),
                unit: place.unit.clone(),
                count,
                repairs: true,
            }));
        }
    }
    items
}
