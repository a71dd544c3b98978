//! The raw material of generated cases: the messages, words and limits of a talk. Pure.

pub(in crate::fuzz) mod announced;
mod dictionary;
pub(in crate::fuzz) mod spans;
pub(in crate::fuzz) mod text;
mod tokens;
mod words;

use std::collections::BTreeMap;
use std::ops::Range;

pub(in crate::fuzz) use dictionary::{Dictionary, Pump, pairs_of};
use memchr::memmem;
pub(in crate::fuzz) use tokens::{BAD_UTF8, OPENINGS, TOKENS};

use self::spans::SpanKind;
use super::case::CONNECTIONS_MAX;
use super::random::Random;
use super::seed::{self, Seed};
use super::{Data, DataPart, InjectStep, Step};
use crate::subject::Promise;
use crate::talk::{Bindings, Frame, Talk, Tokens};

/// Minimum payload bytes that are stored as a repetition.
const RUN_BYTES_MIN: usize = 64;

/// Maximum corrections of the payload length until the request has the wanted length.
const FITTINGS_MAX: usize = 4;

/// Maximum bytes of a message whose fields are taken as values for others.
const OWN_BYTES_MAX: usize = 4096;

/// Maximum values from the talk's own messages.
const OWN_VALUES_MAX: usize = 512;

/// Maximum words, with those that are learned during a campaign.
const WORDS_MAX: usize = 1024;

/// The raw material from one talk.
#[derive(Clone, Debug)]
pub(crate) struct Material {
    talk: Talk,
    bindings: Bindings,
    /// The steps at the beginning of every connection.
    pub(super) opening: Vec<Step>,
    /// Seeds, the costly ones last.
    pub(super) seeds: Vec<Seed>,
    /// Number of seeds that are not costly.
    cheap_seeds: usize,
    /// Indices of the turns whose payload can be chosen.
    pub(super) payload_turns: Vec<usize>,
    /// Dictionary words from the talk and from `strings`.
    pub(super) words: Vec<Vec<u8>>,
    /// What the fields of the protocol may contain.
    pub(super) dictionary: Dictionary,
    /// The fields of the talk's own messages that are values: kind, name, bytes.
    pub(super) values: Vec<OwnValue>,
    bytes_max: usize,
    connections_max: usize,
    /// The server may drop a request if the client sends FIN at once: half of the cases wait for a reply first.
    pub(super) lingers: bool,
    /// Results of the server's system calls that cases may inject.
    pub(super) injections: Vec<InjectStep>,
}

impl Material {
    /// Derives the material from `talk`.
    ///
    /// `strings` are additional words for the dictionary, such as those in the server's executable. `values` are the
    /// values of the names in the talk; `port` and `tmp` get defaults. Turns that need a value from an earlier reply
    /// are left out.
    pub(crate) fn of(
        talk: &Talk,
        promise: &Promise,
        seed: u64,
        strings: &[Vec<u8>],
        values: BTreeMap<String, Vec<u8>>,
    ) -> Self {
        let mut tokens = Tokens::new(seed);
        let mut bindings = Bindings {
            tok: tokens.next(),
            seq: talk.opening_requests() + 1,
            n: 1,
            values,
            ..Bindings::default()
        };
        for (name, value) in [("port", "7000"), ("tmp", "/tmp/tcprove")] {
            let place = bindings.values.entry(name.to_owned());
            place.or_insert_with(|| value.as_bytes().to_vec());
        }
        let opening = seed::opening(talk, &bindings);
        let seeds = seed::all(talk, &bindings, &opening, &mut tokens);
        let words = words::of(talk, strings);
        let messages = messages(&opening, &seeds);
        let signs = [
            messages.clone(),
            words.clone(),
            vec![talk.name.clone().into()],
        ]
        .concat();
        let mut material = Self {
            talk: talk.clone(),
            bindings,
            opening,
            dictionary: Dictionary::of(&signs),
            values: own_values(&messages),
            cheap_seeds: seeds.partition_point(|seed| !seed.costly),
            seeds,
            payload_turns: Vec::new(),
            words,
            bytes_max: bytes_max(promise),
            connections_max: connections_max(promise),
            lingers: false,
            injections: Vec::new(),
        };
        material.payload_turns = (0..talk.turns.len())
            .filter(|turn| talk.turns[*turn].uses_payload())
            .filter(|turn| material.with_payload(*turn, b"a").is_some())
            .collect();
        material
    }

    /// Whether the word is in the dictionary, or no other fits into it.
    pub(crate) fn knows(&self, word: &[u8]) -> bool {
        self.words.len() >= WORDS_MAX || self.words.iter().any(|known| known == word)
    }

    /// Adds a word to the dictionary.
    pub(crate) fn learn(&mut self, word: Vec<u8>) {
        self.words.push(word);
    }

    /// Maximum number of connections of a generated case.
    pub(crate) fn connections_max(&self) -> usize {
        self.connections_max
    }

    /// Maximum bytes of a generated message.
    pub(crate) fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// The frame of requests.
    pub(crate) fn request_frame(&self) -> &Frame {
        &self.talk.request
    }

    /// Whether a connection carries more than one turn.
    pub(crate) fn carries_many_turns(&self) -> bool {
        self.talk.carries_many_turns()
    }

    /// A random seed; costly ones are rare.
    pub(super) fn pick_seed(&self, random: &mut Random) -> Option<&Seed> {
        let (cheap, costly) = self.seeds.split_at(self.cheap_seeds);
        let among = match costly.is_empty() || !cheap.is_empty() && !random.one_in(200) {
            true => cheap,
            false => costly,
        };
        random.pick(among)
    }

    /// The steps of a connection before it carries this turn.
    pub(super) fn lead_in(&self, turn: usize) -> Vec<Step> {
        let turn = self.talk.turns.get(turn);
        let before = turn.and_then(|turn| seed::before(&self.talk, turn, &self.bindings));
        [self.opening.clone(), before.unwrap_or_default()].concat()
    }

    /// The request of a turn with this payload, with correct length fields. `None` if the payload does not fit.
    pub(super) fn with_payload(&self, turn: usize, payload: &[u8]) -> Option<Vec<u8>> {
        let exchange = self.talk.turns.get(turn)?;
        let bindings = Bindings {
            payload: payload.to_vec(),
            seq: self.bindings.seq + self.talk.before(exchange).len() as u64,
            ..self.bindings.clone()
        };
        let mut request = Vec::with_capacity(payload.len() + 64);
        let rendered = exchange.render_request(&self.talk, &bindings, &mut request);
        rendered.ok().map(|()| request)
    }

    /// The last field of each body that the server serves and that has no payload: in it a message can grow, too.
    pub(in crate::fuzz) fn bodies(&self) -> Vec<BodyField> {
        let seeds = self.seeds.iter();
        let seeds = seeds.filter(|seed| seed.basic && !seed.refused && seed.payload.is_none());
        let field = |seed: &Seed| {
            let Some(Step::Send(send)) = seed.case.steps.get(seed.step) else {
                return None;
            };
            let message = send.data.to_bytes();
            let head = memmem::find(&message, b"\r\n\r\n")? + 4;
            // The line that ends a multipart message is no field of it.
            let is_field = |span: &spans::Span| {
                let text = &message[span.at.clone()];
                span.at.start >= head && span.kind.is_text() && !text.starts_with(b"--")
            };
            // Of fields in each other the innermost one.
            let fields = spans::of(&message).into_iter().filter(is_field);
            let at = fields
                .map(|span| span.at)
                .max_by_key(|at| (at.start, std::cmp::Reverse(at.end)))?;
            Some(BodyField {
                before: seed.case.steps[..seed.step].to_vec(),
                message,
                at,
            })
        };
        seeds.filter_map(field).collect()
    }

    /// A request of a turn with a total length of `len` bytes, or as close as possible. Its payload is `unit`, repeated
    /// and truncated as needed.
    pub(super) fn of_length(&self, turn: usize, len: usize, unit: &[u8]) -> Option<Data> {
        let mut payload_len = len.saturating_sub(self.with_payload(turn, b"")?.len());
        let mut made = None;
        for _ in 0..FITTINGS_MAX {
            let payload: Vec<u8> = unit.iter().copied().cycle().take(payload_len).collect();
            let Some(request) = self.with_payload(turn, &payload) else {
                break;
            };
            let got = request.len();
            made = Some((request, payload));
            if got == len || got > len && payload_len == 0 {
                break;
            }
            payload_len = (payload_len + len).saturating_sub(got);
        }
        let (request, payload) = made?;
        Some(as_run(&request, &payload, unit))
    }
}

/// A field in the body of a turn without a payload.
pub(in crate::fuzz) struct BodyField {
    /// The steps before the message.
    pub before: Vec<Step>,
    pub message: Vec<u8>,
    /// The field in the message.
    pub at: Range<usize>,
}

/// A value of a field that occurs in the talk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::fuzz) struct OwnValue {
    pub kind: SpanKind,
    pub name: Vec<u8>,
    pub bytes: Vec<u8>,
}

/// The different messages of the opening and of the basic seeds.
fn messages(opening: &[Step], seeds: &[Seed]) -> Vec<Vec<u8>> {
    let basic = seeds.iter().filter(|seed| seed.basic);
    let steps = opening
        .iter()
        .chain(basic.flat_map(|seed| &seed.case.steps));
    let mut messages: Vec<Vec<u8>> = Vec::new();
    for step in steps {
        if let Step::Send(send) = step
            && send.data.len() <= OWN_BYTES_MAX
        {
            let message = send.data.to_bytes();
            if !messages.contains(&message) {
                messages.push(message);
            }
        }
    }
    messages
}

fn own_values(messages: &[Vec<u8>]) -> Vec<OwnValue> {
    let mut values: Vec<OwnValue> = Vec::new();
    for message in messages {
        for span in spans::of(message) {
            let value = OwnValue {
                bytes: message[span.at].to_vec(),
                kind: span.kind,
                name: span.name,
            };
            let is_new =
                span.kind != SpanKind::Tag && !value.bytes.is_empty() && !values.contains(&value);
            if is_new && values.len() < OWN_VALUES_MAX {
                values.push(value);
            }
        }
    }
    values
}

/// The request, with a long payload as a repetition.
fn as_run(request: &[u8], payload: &[u8], unit: &[u8]) -> Data {
    let at = memmem::find(request, payload);
    let (Some(at), true) = (at, payload.len() >= RUN_BYTES_MIN) else {
        return request.into();
    };
    let whole = payload.len() / unit.len();
    let rest = at + whole * unit.len();
    Data::from_iter([
        DataPart::Bytes(request[..at].to_vec()),
        DataPart::Repeat {
            unit: unit.to_vec(),
            count: u32::try_from(whole).unwrap_or(u32::MAX),
        },
        DataPart::Bytes(request[rest..].to_vec()),
    ])
}

/// Four times the promised maximum, so that refusals are tested too.
fn bytes_max(promise: &Promise) -> usize {
    match promise.longest_message() {
        Some(max) => max.saturating_mul(4).clamp(64 << 10, 1 << 20),
        None => 256 << 10,
    }
}

/// One less than the server serves at the same time: the canary is served beside a case.
fn connections_max(promise: &Promise) -> usize {
    let most = promise.most_connections().unwrap_or(usize::MAX);
    most.saturating_sub(1).clamp(1, CONNECTIONS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::builtin;

    fn material(name: &str) -> Material {
        let file = builtin(name).unwrap();
        Material::of(&file.talk, &file.promise, 1, &[], BTreeMap::new())
    }

    #[test]
    fn requests_of_every_length() {
        for name in ["line", "redis", "http", "frame", "tutorial", "smtp"] {
            let material = material(name);
            let turn = material.payload_turns[0];
            for len in [200, 313, 1024, 1025, 65_536] {
                let data = material.of_length(turn, len, b"a").unwrap();
                assert_eq!(data.len(), len, "{name}");
                assert_eq!(data.to_bytes().len(), len);
            }
        }
        let data = material("line").of_length(1, 300, "é".as_bytes()).unwrap();
        assert_eq!(data.parts().len(), 3);
    }

    #[test]
    fn the_promise_limits_messages() {
        assert_eq!(material("line").bytes_max(), 256 << 10);
        assert_eq!(material("redis").bytes_max(), 256 << 10);
        let small = Promise {
            max_message: Some(1),
            ..Promise::default()
        };
        assert_eq!(bytes_max(&small), 64 << 10);
        let mut stated = Promise::default();
        assert_eq!(connections_max(&stated), CONNECTIONS_MAX);
        for (limit, most) in [(1, 1), (2, 1), (5, 4), (1000, CONNECTIONS_MAX)] {
            stated.limits.connections = Some(limit);
            assert_eq!(connections_max(&stated), most, "{limit}");
        }
    }

    #[test]
    fn words_come_from_the_talk() {
        let words = material("memcached").words;
        for word in ["set", "get", "STORED", "VALUE"] {
            assert!(words.iter().any(|known| known == word.as_bytes()), "{word}");
        }
    }
}
