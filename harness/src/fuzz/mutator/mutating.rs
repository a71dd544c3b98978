//! A case while it is changed.

use std::ops::Range;

use crate::fuzz::material::{Material, announced};
use crate::fuzz::random::Random;
use crate::fuzz::{Case, Data, Part, SendStep, Step};

/// Data up to this length is changed as plain bytes, and its lengths are kept true.
const PLAIN_BYTES_MAX: usize = 4096;

/// What happens to announced lengths when what they count is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fuzz) enum Lengths {
    /// They are made true again most of the time, so that the change gets past the framing.
    MostlyTrue,
    /// They stay as they are.
    AsTheyAre,
}

/// A case while it is changed, and what it may be changed with.
#[derive(Debug)]
pub(in crate::fuzz) struct Mutating<'a> {
    /// The case.
    pub case: &'a mut Case,
    /// What the talk offers.
    pub material: &'a Material,
    /// Other cases that parts can be taken from.
    pub corpus: &'a [Case],
    /// Makes the choices.
    pub random: &'a mut Random,
    /// The steps before this one stay as they are.
    pub from: usize,
    /// Before this step nothing has been changed; behind all steps if nothing was.
    pub touched: usize,
    /// Whether every turn of the unchanged case is answered, as far as the talk knows.
    pub answered: bool,
}

impl Mutating<'_> {
    /// Any send that may be changed.
    pub(crate) fn pick_send(&mut self) -> Option<usize> {
        let is_send = |step: &Step| matches!(step, Step::Send(_));
        let rest = self.case.steps.get(self.from..)?;
        let count = rest.iter().filter(|step| is_send(step)).count();
        let which = self.random.below(count);
        let mut sends = rest.iter().enumerate().filter(|(_, step)| is_send(step));
        sends.nth(which).map(|(at, _)| self.from + at)
    }

    /// A place between steps, at or behind the first one that may be changed.
    pub(crate) fn pick_gap(&mut self) -> usize {
        let end = self.case.steps.len();
        self.random.between(self.from.min(end), end)
    }

    /// Notes that the step at `at` is another one now.
    pub(crate) fn touch(&mut self, at: usize) {
        self.touched = self.touched.min(at);
    }

    /// The send at `at`.
    pub(crate) fn send_at(&mut self, at: usize) -> Option<&mut SendStep> {
        match self.case.steps.get_mut(at) {
            Some(Step::Send(send)) => Some(send),
            _ => None,
        }
    }

    /// Changes the bytes of any send.
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

    /// Puts a repetition in the place of some bytes of the send at `at`. `range` is of all its bytes.
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

    /// A small case to take parts from: a seed, or one of the corpus.
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

/// `bytes` with a repetition in the place of `range`; if `repairs`, the lengths that it changes are
/// made true.
pub(in crate::fuzz) fn repeated(
    frame: &crate::talk::Frame,
    bytes: &[u8],
    range: Range<usize>,
    unit: Vec<u8>,
    count: u32,
    repairs: bool,
) -> Data {
    let repeat = Part::Repeat { unit, count };
    let mut head = bytes[..range.start].to_vec();
    if repairs {
        // A run as long is enough to see what the lengths have to be.
        let mut after = head.clone();
        after.resize(range.start + repeat.len(), 0);
        after.extend_from_slice(&bytes[range.end..]);
        for (at, written) in announced::fixes(frame, bytes, &after) {
            // What a length counts comes after it.
            if at.end <= head.len() {
                head.splice(at, written);
            }
        }
    }
    let tail = bytes[range.end..].to_vec();
    Data::from_iter([Part::Bytes(head), repeat, Part::Bytes(tail)])
}

/// Data of which a piece is laid open.
struct Opened {
    head: Vec<Part>,
    bytes: Vec<u8>,
    tail: Vec<Part>,
    /// The piece is all of it.
    whole: bool,
}

impl Opened {
    fn of(data: &Data, random: &mut Random) -> Self {
        let parts = data.parts();
        if data.len() <= PLAIN_BYTES_MAX || parts.len() == 1 && matches!(parts[0], Part::Bytes(_)) {
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
            Part::Bytes(bytes) => bytes.clone(),
            Part::Repeat { unit, count } => {
                let before = random.below(*count as usize) as u32;
                let repeat = |count| Part::Repeat {
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
        let bytes = std::iter::once(Part::Bytes(self.bytes));
        self.head
            .into_iter()
            .chain(bytes)
            .chain(self.tail)
            .collect()
    }
}
