//! Where a bug is: the turn of the talk that a request belongs to.

use std::collections::BTreeMap;

use crate::fuzz::symptom::FindingKind;
use crate::fuzz::{Case, SendStep};
use crate::talk::template::TemplatePiece;
use crate::talk::{Exchange, MessagePart, Talk};

/// Maximum bytes of a turn's fixed text that are looked for in a request.
const MARK_BYTES_MAX: usize = 16;
/// How far into a request the fixed text may begin.
const WITHIN: usize = 512;
/// Maximum tests per turn and kind that found nothing; later hints wait.
const TESTS_MAX: u32 = 4;
/// The turn of requests that resemble none.
const ELSEWHERE: &str = "other requests";

/// The fixed text of every turn, by which requests are told apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Turns {
    marks: Vec<(String, Vec<u8>)>,
}

impl Turns {
    pub(super) fn of(talk: &Talk) -> Self {
        let all = talk.turns.iter().chain(&talk.bad).chain(&talk.slow);
        let marks = all.filter_map(|turn| Some((turn.label.clone(), mark(turn)?)));
        Self {
            marks: marks.collect(),
        }
    }

    /// The turn of the longest request of a case.
    pub(super) fn of_case(&self, case: &Case) -> String {
        let longest = case.sends().max_by_key(|send| send.data.len());
        self.of_request(longest)
    }

    fn of_request(&self, send: Option<&SendStep>) -> String {
        let mut bytes = send.map(|send| send.data.to_bytes()).unwrap_or_default();
        bytes.truncate(WITHIN);
        let holds = |mark: &[u8]| memchr::memmem::find(&bytes, mark).is_some();
        let known = self.marks.iter().filter(|(_, mark)| holds(mark));
        // Of equally long marks the first one's turn.
        let best = known.rev().max_by_key(|(_, mark)| mark.len());
        best.map_or_else(|| ELSEWHERE.to_owned(), |(label, _)| label.clone())
    }
}

/// The longest fixed text of a request.
fn mark(turn: &Exchange) -> Option<Vec<u8>> {
    let parts = turn.send.iter().flat_map(|message| &message.parts);
    let texts = parts.flat_map(|part| match part {
        MessagePart::Text(template) => {
            let pieces = template.pieces().iter();
            let texts = pieces.filter_map(|piece| match piece {
                TemplatePiece::Text(text) => Some(text.as_bytes().to_vec()),
                TemplatePiece::Slot(_) => None,
            });
            texts.collect()
        }
        MessagePart::Bytes(bytes) => vec![bytes.to_vec()],
        MessagePart::Repeat { .. } => Vec::new(),
    });
    let mut longest: Vec<u8> = texts.max_by_key(Vec::len)?;
    longest.truncate(MARK_BYTES_MAX);
    (!longest.is_empty()).then_some(longest)
}

/// What was tested of each kind at each turn.
#[derive(Debug, Default)]
pub(super) struct Places(BTreeMap<(FindingKind, String), Tested>);

#[derive(Debug, Default)]
struct Tested {
    /// Tests that found nothing.
    in_vain: u32,
    /// A finding is settled or about to be.
    found: bool,
    /// Hints that were not followed.
    waiting: u64,
    /// The first of them.
    case: Option<Case>,
}

/// A hint that was not followed, since a finding of its kind at the same turn came before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) kind: FindingKind,
    pub(super) turn: String,
    /// How many such hints there were.
    pub(super) count: u64,
    /// The case of the first one.
    pub(super) case: Case,
}

impl Places {
    /// Whether a hint of this kind at this turn is followed now. If not, it is counted, and the first one is kept.
    pub(super) fn may_test(&mut self, kind: FindingKind, turn: &str, case: &Case) -> bool {
        let tested = self.0.entry((kind, turn.to_owned())).or_default();
        // A difference is cheap to test, and what it hints at depends on all cases before.
        let most = match kind {
            FindingKind::Difference => TESTS_MAX * 16,
            _ => TESTS_MAX,
        };
        if !tested.found && tested.in_vain < most {
            return true;
        }
        tested.waiting += 1;
        tested.case.get_or_insert_with(|| case.clone());
        false
    }

    /// Records the outcome of a test.
    pub(super) fn tested(&mut self, kind: FindingKind, turn: &str, found: bool) {
        let tested = self.0.entry((kind, turn.to_owned())).or_default();
        tested.found |= found;
        tested.in_vain += u32::from(!found);
    }

    /// A finding there did not recur: other hints are followed again.
    pub(super) fn not_found(&mut self, kind: FindingKind, turn: &str) {
        if let Some(tested) = self.0.get_mut(&(kind, turn.to_owned())) {
            tested.found = false;
            tested.in_vain += 1;
        }
    }

    /// The hints that wait for another finding.
    pub(super) fn waiting(&self) -> Vec<Waiting> {
        let all = self.0.iter().filter(|(_, tested)| tested.found);
        let all = all.filter_map(|((kind, turn), tested)| {
            Some(Waiting {
                kind: *kind,
                turn: turn.clone(),
                count: tested.waiting,
                case: tested.case.clone()?,
            })
        });
        all.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::builtin;

    #[test]
    fn requests_belong_to_the_turn_whose_text_they_contain() {
        let turns = Turns::of(&builtin("redis").unwrap().talk);
        let place = |bytes: &[u8]| turns.of_case(&Case::sending(bytes));
        let ping = place(b"*1\r\n$4\r\nPING\r\n");
        assert!(ping.starts_with("talk."), "{ping}");
        assert_eq!(place(b"\0\0"), ELSEWHERE);
        assert_eq!(Turns::default().of_case(&Case::default()), ELSEWHERE);
    }

    #[test]
    fn one_finding_per_turn_and_kind_and_the_others_wait() {
        let mut places = Places::default();
        let case = Case::sending(&b"a"[..]);
        let (leak, growth) = (FindingKind::Leak, FindingKind::Complexity);
        assert!(places.may_test(leak, "talk.turn[0]", &case));
        places.tested(leak, "talk.turn[0]", true);
        assert!(!places.may_test(leak, "talk.turn[0]", &case));
        assert!(places.may_test(leak, "talk.turn[1]", &case));
        assert!(places.may_test(growth, "talk.turn[0]", &case));
        assert_eq!(places.waiting().len(), 1);
        assert_eq!(
            (places.waiting()[0].count, places.waiting()[0].kind),
            (1, leak)
        );
        places.not_found(leak, "talk.turn[0]");
        assert!(places.may_test(leak, "talk.turn[0]", &case));
        for _ in 0..TESTS_MAX {
            places.tested(growth, "talk.turn[0]", false);
        }
        assert!(!places.may_test(growth, "talk.turn[0]", &case));
    }
}
