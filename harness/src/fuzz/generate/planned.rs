//! A planned case: how to make it from the material.

use std::ops::Range;

use crate::fuzz::material::{Material, announced};
use crate::fuzz::mutator::{pumped, repeated};
use crate::fuzz::seed::Seed;
use crate::fuzz::{Case, Data, SendStep, Step};

/// One planned case.
#[derive(Debug)]
pub(super) enum PlannedCase {
    /// A seed, unchanged.
    Seed(usize),
    /// A request of this length.
    Length {
        turn: usize,
        len: usize,
        unit: &'static [u8],
    },
    /// A turn with this payload.
    Payload { turn: usize, payload: Vec<u8> },
    /// A seed with a range of its message replaced.
    Splice {
        name: &'static str,
        seed: usize,
        at: Range<usize>,
        unit: Vec<u8>,
        count: usize,
        repairs: bool,
    },
    /// A seed with its message truncated and another ending.
    Ending {
        seed: usize,
        keep: Option<usize>,
        end: Option<Step>,
    },
    /// A seed with a pump of the dictionary in place of some ranges of its message.
    Pump {
        seed: usize,
        /// In ascending order.
        at: Vec<Range<usize>>,
        pump: usize,
        /// Bytes of each repetition.
        bytes: usize,
    },
    /// These steps.
    Steps(Vec<Step>),
    /// A connection on which nothing is sent.
    Silent(Option<Step>),
}

impl PlannedCase {
    /// The family of the case.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Seed(_) => "seed",
            Self::Length { .. } => "each-length",
            Self::Payload { .. } => "each-payload",
            Self::Splice { name, .. } => name,
            Self::Pump { .. } => "each-pump",
            Self::Steps(_) => "each-message",
            Self::Ending { .. } | Self::Silent(_) => "each-ending",
        }
    }

    /// The case; `None` if the talk cannot express it.
    pub(crate) fn case(&self, material: &Material) -> Option<Case> {
        match self {
            Self::Seed(seed) => material.seeds.get(*seed).map(|seed| seed.case.clone()),
            Self::Length { turn, len, unit } => {
                let data = material.of_length(*turn, *len, unit)?;
                Some(after_opening(material, *turn, data))
            }
            Self::Payload { turn, payload } => {
                let request = material.with_payload(*turn, payload)?;
                Some(after_opening(material, *turn, request.into()))
            }
            Self::Splice {
                seed,
                at,
                unit,
                count,
                repairs,
                ..
            } => spliced(material, *seed, at.clone(), unit, *count, *repairs),
            Self::Ending { seed, keep, end } => {
                let seed = material.seeds.get(*seed)?;
                let mut case = seed.case.clone();
                case.steps.truncate(seed.step + 1);
                if let (Some(keep), Some(Step::Send(send))) = (keep, case.steps.last_mut()) {
                    send.data.truncate(*keep);
                }
                case.steps.extend(end.clone());
                case.limit();
                Some(case)
            }
            Self::Pump {
                seed,
                at,
                pump,
                bytes,
            } => with_pumps(material, *seed, at, *pump, *bytes),
            Self::Steps(steps) => Some(Case::new(steps.clone())),
            Self::Silent(end) => Some(Case::new(end.iter().cloned().collect())),
        }
    }
}

fn after_opening(material: &Material, turn: usize, data: Data) -> Case {
    let mut steps = material.lead_in(turn);
    steps.push(Step::Send(SendStep::whole(data)));
    Case::new(steps)
}

fn spliced(
    material: &Material,
    seed: usize,
    at: Range<usize>,
    unit: &[u8],
    count: usize,
    repairs: bool,
) -> Option<Case> {
    let seed = material.seeds.get(seed)?;
    let bytes = message(seed);
    let frame = material.request_frame();
    let data = if count == 1 {
        let mut after = bytes.clone();
        after.splice(at, unit.iter().copied());
        if repairs {
            announced::repair(frame, &bytes, &mut after);
        }
        after.into()
    } else {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        repeated(frame, &bytes, at, unit.to_vec(), count, repairs)
    };
    let mut steps = seed.case.steps[..seed.step].to_vec();
    steps.push(Step::Send(SendStep::whole(data)));
    Some(Case::new(steps))
}

fn with_pumps(
    material: &Material,
    seed: usize,
    places: &[Range<usize>],
    pump: usize,
    bytes: usize,
) -> Option<Case> {
    let seed = material.seeds.get(seed)?;
    let pump = material.dictionary.pumps.get(pump)?;
    let share = bytes.min(material.bytes_max()) / places.len().max(1);
    let count = share / pump.unit.len();
    let data = pumped(
        material.request_frame(),
        &message(seed),
        places,
        pump,
        count,
        true,
    );
    let mut steps = seed.case.steps[..seed.step].to_vec();
    steps.push(Step::Send(SendStep::whole(data)));
    Some(Case::new(steps))
}

fn message(seed: &Seed) -> Vec<u8> {
    match seed.case.steps.get(seed.step) {
        Some(Step::Send(send)) => send.data.to_bytes(),
        _ => Vec::new(),
    }
}

/// The basic seeds: one per turn, with their indices and messages.
pub(super) fn basic(material: &Material) -> Vec<(usize, Vec<u8>)> {
    let seeds = material.seeds.iter().enumerate();
    seeds
        .filter(|(_, seed)| seed.basic)
        .map(|(place, seed)| (place, message(seed)))
        .collect()
}
