//! A case during mutation.

use std::ops::Range;

use crate::fuzz::material::{Material, Pump, announced};
use crate::fuzz::random::Random;
use crate::fuzz::{Case, Data, DataPart, SendStep, Step};

/// Maximum bytes of data that is mutated as a whole, with its length fields corrected.
const PLAIN_BYTES_MAX: usize = 4096;

/// How to treat length fields when the bytes they count change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fuzz) enum Lengths {
    /// Corrected most of the time, so that the change gets past the framing.
    MostlyTrue,
    /// Left as they are.
    AsTheyAre,
}

/// A case during mutation, and everything a mutator may use.
#[derive(Debug)]
pub(in crate::fuzz) struct Mutating<'a> {
    /// The case to change.
    pub case: &'a mut Case,
    /// The messages and words of the talk.
    pub material: &'a Material,
    /// Other cases to take parts from.
    pub corpus: &'a [Case],
    /// The source of random choices.
    pub random: &'a mut Random,
    /// The first step that may change.
    pub from: usize,
    /// The first changed step; beyond the last step if none was changed.
    pub touched: usize,
    /// Whether the server replies to every turn of the unchanged case, as far as the talk says.
    pub answered: bool,
}

impl Mutating<'_> {
    /// The index of a random send that may change.
    pub(crate) fn pick_send(&mut self) -> Option<usize> {
        let is_send = |step: &Step| matches!(step, Step::Send(_));
        let rest = self.case.steps.get(self.from..)?;
        let count = rest.iter().filter(|step| is_send(step)).count();
        let which = self.random.below(count);
        let mut sends = rest.iter().enumerate().filter(|(_, step)| is_send(step));
        sends.nth(which).map(|(at, _)| self.from + at)
    }

    /// A random position between steps, not before the first step that may change.
    pub(crate) fn pick_gap(&mut self) -> usize {
        let end = self.case.steps.len();
        self.random.between(self.from.min(end), end)
    }

    /// Records that the step at `at` was changed.
    pub(crate) fn touch(&mut self, at: usize) {
        self.touched = self.touched.min(at);
    }

    /// The send at index `at`.
    pub(crate) fn send_at(&mut self, at: usize) -> Option<&mut SendStep> {
        match self.case.steps.get_mut(at) {
            Some(Step::Send(send)) => Some(send),
            _ => None,
        }
    }

    /// Changes the bytes of a random send.
    pub(crate) fn edit(
        &mut self,
        lengths: Lengths,
        change: impl FnOnce(&mut Vec<u8>, &mut Random, &Material) -> bool,
    ) -> bool {
        let Some(at) = self.pick_send() else {
            return false;
        };
        self.edit_at(at, lengths, change)
    }

    /// Changes the bytes of the send at `at`.
    pub(crate) fn edit_at(
        &mut self,
        at: usize,
        lengths: Lengths,
        change: impl FnOnce(&mut Vec<u8>, &mut Random, &Material) -> bool,
    ) -> bool {
        let Some(Step::Send(send)) = self.case.steps.get_mut(at) else {
            return false;
        };
        let mut opened = Opened::of(&send.data, self.random);
        let before = opened.bytes.clone();
        if !change(&mut opened.bytes, self.random, self.material) || opened.bytes == before {
            return false;
        }
        let repairs = lengths == Lengths::MostlyTrue && opened.whole && !self.random.one_in(4);
        if repairs {
            let frame = self.material.request_frame();
            announced::repair(frame, &before, &mut opened.bytes);
        }
        send.data = opened.close();
        self.touch(at);
        true
    }

    /// Replaces `range` of the bytes of the send at `at` by a repetition.
    pub(crate) fn put_repeat(
        &mut self,
        at: usize,
        range: Range<usize>,
        unit: Vec<u8>,
        count: u32,
        lengths: Lengths,
    ) -> bool {
        let repairs = lengths == Lengths::MostlyTrue && !self.random.one_in(4);
        let frame = self.material.request_frame();
        let Some(Step::Send(send)) = self.case.steps.get_mut(at) else {
            return false;
        };
        let bytes = send.data.to_bytes();
        if range.end > bytes.len() || range.start > range.end {
            return false;
        }
        send.data = repeated(frame, &bytes, range, unit, count, repairs);
        self.touch(at);
        true
    }

    /// A small case to take parts from: a seed, or a case of the corpus.
    pub(crate) fn donor(&mut self) -> Option<&Case> {
        let from_corpus = !self.corpus.is_empty() && self.random.one_in(2);
        if from_corpus && let Some(case) = self.random.pick(self.corpus) {
            let small = case.steps.len() <= 32 && case.bytes() <= PLAIN_BYTES_MAX;
            if small {
                return Some(case);
            }
        }
        let seed = self.material.pick_seed(self.random);
        seed.map(|seed| &seed.case)
    }
}

/// `bytes` with `range` replaced by a repetition; with `repairs`, affected length fields are corrected.
pub(in crate::fuzz) fn repeated(
    frame: &crate::talk::Frame,
    bytes: &[u8],
    range: Range<usize>,
    unit: Vec<u8>,
    count: u32,
    repairs: bool,
) -> Data {
    let pump = Pump {
        unit,
        before: Vec::new(),
        after: Vec::new(),
    };
    pumped(frame, bytes, &[range], &pump, count as usize, repairs)
}

/// `bytes` with each of these ranges, in ascending order, replaced by a pump that repeats its unit `count` times.
pub(in crate::fuzz) fn pumped(
    frame: &crate::talk::Frame,
    bytes: &[u8],
    ranges: &[Range<usize>],
    pump: &Pump,
    count: usize,
    repairs: bool,
) -> Data {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let repeat = DataPart::Repeat {
        unit: pump.unit.clone(),
        count,
    };
    let mut parts = Vec::new();
    let mut end = 0;
    for range in ranges.iter().filter(|range| range.end <= bytes.len()) {
        if range.start < end {
            continue;
        }
        let before = [&bytes[end..range.start], &pump.before].concat();
        parts.push(DataPart::Bytes(before));
        parts.push(repeat.clone());
        parts.push(DataPart::Bytes(pump.after.clone()));
        end = range.end;
    }
    parts.push(DataPart::Bytes(bytes[end..].to_vec()));
    if repairs {
        repair_parts(frame, bytes, &mut parts);
    }
    Data::from_iter(parts)
}

/// Corrects the length fields in plain parts that count the changed bytes.
fn repair_parts(frame: &crate::talk::Frame, before: &[u8], parts: &mut [DataPart]) {
    let mut after = Vec::new();
    parts.iter().for_each(|part| part.write(&mut after));
    // From the last one to the first, so that positions stay right.
    for (at, written) in announced::fixes(frame, before, &after) {
        let mut begin = 0;
        for part in &mut *parts {
            let len = part.len();
            if let DataPart::Bytes(bytes) = part
                && at.start >= begin
                && at.end <= begin + len
            {
                bytes.splice(at.start - begin..at.end - begin, written);
                break;
            }
            begin += len;
        }
    }
}

/// Data with one part opened for changes.
struct Opened {
    head: Vec<DataPart>,
    bytes: Vec<u8>,
    tail: Vec<DataPart>,
    /// The opened bytes are the whole data.
    whole: bool,
}

impl Opened {
    fn of(data: &Data, random: &mut Random) -> Self {
        let parts = data.parts();
        if data.len() <= PLAIN_BYTES_MAX
            || parts.len() == 1 && matches!(parts[0], DataPart::Bytes(_))
        {
            return Self {
                head: Vec::new(),
                bytes: data.to_bytes(),
                tail: Vec::new(),
                whole: data.len() <= PLAIN_BYTES_MAX,
            };
        }
        let at = random.below(parts.len());
        let mut head = parts[..at].to_vec();
        let mut tail = Vec::new();
        let bytes = match &parts[at] {
            DataPart::Bytes(bytes) => bytes.clone(),
            DataPart::Repeat { unit, count } => {
                let before = random.below(*count as usize) as u32;
                let repeat = |count| DataPart::Repeat {
                    unit: unit.clone(),
                    count,
                };
                head.push(repeat(before));
                tail.push(repeat(count - before - 1));
                unit.clone()
            }
        };
        tail.extend_from_slice(&parts[at + 1..]);
        Self {
            head,
            bytes,
            tail,
            whole: false,
        }
    }

    fn close(self) -> Data {
        let bytes = std::iter::once(DataPart::Bytes(self.bytes));
        self.head
            .into_iter()
            .chain(bytes)
            .chain(self.tail)
            .collect()
    }
}
