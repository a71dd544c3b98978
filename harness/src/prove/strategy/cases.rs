//! Mutated conversations.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::dialogue::{self, Dialogue};
use crate::fuzz::{Case, Data, SendStep, Step};
use crate::talk::{Opening, Talk, Tokens};

/// Maximum turns of a case.
const TURNS_MAX: usize = 4;
/// Maximum changes of a case.
const CHANGES_MAX: usize = 6;
/// Maximum bytes that one change inserts.
const INSERTED_MAX: usize = 64;
/// Maximum repetitions of a part of a request.
const REPEATED_MAX: usize = 2000;

/// Words at which parsers stumble.
static WORDS: &[&[u8]] = &[
    b"\0",
    b"\xff",
    b"\r\n",
    b"\n",
    b"-1",
    b"99999999999999999999",
    b"%n",
    b"\xed\xa0\x80",
];

/// One change of a request.
#[derive(Clone, Debug)]
enum Change {
    /// A byte has another value.
    Set(Index, u8),
    /// Bytes are inserted.
    Insert(Index, Vec<u8>),
    /// Bytes are missing, from the first place to the second.
    Remove(Index, Index),
    /// A byte comes so many times.
    Repeat(Index, usize),
}

/// How the connection ends.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Whole,
    HalfClose,
    Close,
    Reset,
}

pub(super) fn of(talk: Arc<Talk>) -> impl Strategy<Value = Case> {
    let turns = vec(dialogue::spoken(&talk), 1..=TURNS_MAX);
    let changes = vec((any::<Index>(), change()), 0..=CHANGES_MAX);
    let ending = prop_oneof![
        4 => Just(Ending::Whole),
        1 => Just(Ending::HalfClose),
        1 => Just(Ending::Close),
        1 => Just(Ending::Reset),
    ];
    (turns, changes, ending).prop_map(move |(turns, changes, ending)| {
        let dialogue = Dialogue::of(&talk, turns);
        let mut steps = opening(&talk, &dialogue);
        let first = steps.len();
        let mut tokens = Tokens::new(0);
        for (exchange, spoken) in dialogue.exchanges() {
            let request = dialogue.request(exchange, &spoken.payload, &tokens.next());
            let cuts = dialogue.cuts(exchange, spoken);
            steps.push(send(request, cuts));
            steps.push(Step::Receive);
        }
        for (place, change) in &changes {
            let mut sends: Vec<&mut SendStep> =
                steps[first..].iter_mut().filter_map(of_send).collect();
            if !sends.is_empty() {
                let at = place.index(sends.len());
                sends[at].data = Data::from(change.apply(sends[at].data.to_bytes()));
            }
        }
        steps.extend(match ending {
            Ending::Whole => None,
            Ending::HalfClose => Some(Step::HalfClose),
            Ending::Close => Some(Step::Close),
            Ending::Reset => Some(Step::Reset),
        });
        Case::new(steps)
    })
}

/// It shrinks to fewer, smaller and earlier bytes.
fn change() -> impl Strategy<Value = Change> {
    let bytes = prop_oneof![
        vec(any::<u8>(), 1..=INSERTED_MAX),
        prop::sample::select(WORDS).prop_map(<[u8]>::to_vec),
    ];
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (any::<Index>(), bytes).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Change::Remove(from, to)),
        (any::<Index>(), 1..=REPEATED_MAX).prop_map(|(at, times)| Change::Repeat(at, times)),
    ]
}

impl Change {
    fn apply(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        let len = bytes.len();
        match self {
            Self::Insert(at, more) => {
                let at = at.index(len + 1);
                bytes.splice(at..at, more.iter().copied());
            }
            _ if len == 0 => {}
            Self::Set(at, byte) => bytes[at.index(len)] = *byte,
            Self::Remove(from, to) => {
                let (from, to) = (from.index(len), to.index(len));
                bytes.drain(from.min(to)..from.max(to));
            }
            Self::Repeat(at, times) => {
                let at = at.index(len);
                bytes.splice(at..at, std::iter::repeat_n(bytes[at], *times));
            }
        }
        bytes
    }
}

fn of_send(step: &mut Step) -> Option<&mut SendStep> {
    match step {
        Step::Send(send) => Some(send),
        _ => None,
    }
}

fn send(request: Vec<u8>, cuts: Vec<usize>) -> Step {
    Step::Send(SendStep {
        data: Data::from(request),
        cuts: cuts
            .into_iter()
            .filter_map(|cut| u32::try_from(cut).ok())
            .collect(),
    })
}

/// What comes first on the connection, unchanged.
fn opening(talk: &Talk, dialogue: &Dialogue) -> Vec<Step> {
    let mut steps = Vec::new();
    for opening in &talk.open {
        let Opening::Exchange(exchange) = opening else {
            break;
        };
        let request = dialogue.request(exchange, b"ping", "tttttttttttt");
        if !request.is_empty() {
            steps.push(send(request, Vec::new()));
        }
        steps.push(Step::Receive);
    }
    steps
}
