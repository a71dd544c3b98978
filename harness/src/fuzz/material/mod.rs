//! The raw material of generated cases: the messages, words and limits of a talk. Pure.

pub(in crate::fuzz) mod announced;
pub(in crate::fuzz) mod text;
mod tokens;
mod words;

use std::collections::BTreeMap;

use memchr::memmem;
pub(in crate::fuzz) use tokens::{BAD_UTF8, OPENINGS, TOKENS};

use super::random::Random;
use super::seed::{self, Seed};
use super::{Data, DataPart, Step};
use crate::subject::Promise;
use crate::talk::{Bindings, Frame, Talk, Tokens};

/// Minimum payload bytes that are stored as a repetition.
const RUN_BYTES_MIN: usize = 64;

/// Maximum corrections of the payload length until the request has the wanted length.
const FITTINGS_MAX: usize = 4;

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
    bytes_max: usize,
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
        let mut material = Self {
            talk: talk.clone(),
            bindings,
            opening,
            cheap_seeds: seeds.partition_point(|seed| !seed.costly),
            seeds,
            payload_turns: Vec::new(),
            words: words::of(talk, strings),
            bytes_max: bytes_max(promise),
        };
        material.payload_turns = (0..talk.turns.len())
            .filter(|turn| talk.turns[*turn].uses_payload())
            .filter(|turn| material.with_payload(*turn, b"a").is_some())
            .collect();
        material
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
    match promise.max_message {
        Some(max) => max.saturating_mul(4).clamp(64 << 10, 1 << 20),
        None => 256 << 10,
    }
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
    }

    #[test]
    fn words_come_from_the_talk() {
        let words = material("memcached").words;
        for word in ["set", "get", "STORED", "VALUE"] {
            assert!(words.iter().any(|known| known == word.as_bytes()), "{word}");
        }
    }
}
