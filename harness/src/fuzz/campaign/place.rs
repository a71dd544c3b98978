//! Where a bug is: the turn of the talk that a request belongs to.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::fuzz::symptom::FindingKind;
use crate::fuzz::{Case, DataPart, SendStep};
use crate::talk::template::TemplatePiece;
use crate::talk::{Exchange, MessagePart, Talk};

/// Maximum bytes of a turn's fixed text that are looked for in a request.
const MARK_BYTES_MAX: usize = 16;
/// How far into a request the fixed text may begin.
const WITHIN: usize = 512;
/// Maximum tests per turn and kind that found nothing; later hints wait.
const TESTS_MAX: u32 = 4;
/// After that, only a request is tested that costs this many times as much per byte as any before that was tested in vain.
const DEARER: u64 = 2;
/// Maximum fields of one turn in which growing work is settled: the same fault often shows in several.
const FIELDS_MAX: usize = 3;
/// Maximum bytes of the name of a field, and of what comes before the part that grows.
const NAME_BYTES_MAX: usize = 64;
const BEFORE_BYTES_MAX: usize = 64 << 10;
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

    /// The turn of a case that costs much, and the field in which it does.
    pub(super) fn of_cost(&self, case: &Case) -> String {
        let turn = self.of_case(case);
        match field(case) {
            Some(field) => format!("{turn}{IN_FIELD}{field}"),
            None => turn,
        }
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

/// Between a turn and one of its fields.
const IN_FIELD: &str = ", field ";

/// The name of the header or key, in lower case, in whose line the longest repetition of a case begins.
fn field(case: &Case) -> Option<String> {
    let parts = case
        .sends()
        .max_by_key(|send| send.data.len())?
        .data
        .parts();
    let (at, longest) = parts
        .iter()
        .enumerate()
        .max_by_key(|(_, part)| part.len())?;
    let before: usize = parts[..at].iter().map(DataPart::len).sum();
    if !matches!(longest, DataPart::Repeat { .. }) || before > BEFORE_BYTES_MAX {
        return None;
    }
    let mut text = Vec::with_capacity(before);
    parts[..at].iter().for_each(|part| part.write(&mut text));
    let begin = memchr::memrchr(b'\n', &text).map_or(0, |end| end + 1);
    let line = &text[begin..];
    let name = &line[..memchr::memchr2(b':', b'=', line)?];
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len()) && name.iter().all(is_name);
    fits.then(|| String::from_utf8_lossy(name).to_ascii_lowercase())
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
    /// The highest CPU time per KiB of a request that was tested in vain, in nanoseconds.
    dearest_ns: u64,
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

impl Tested {
    /// Counts a hint that is not followed, and keeps the first one.
    fn wait(&mut self, case: &Case) {
        self.waiting += 1;
        self.case.get_or_insert_with(|| case.clone());
    }
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
        tested.wait(case);
        false
    }

    /// [`Places::may_test`] for a case that costs this much CPU time. Long requests are costly on any slow server, so a costlier one
    /// is still followed after tests in vain.
    pub(super) fn may_test_cost(&mut self, place: &str, case: &Case, cpu: Duration) -> bool {
        let kind = FindingKind::Complexity;
        let turn = place.split(IN_FIELD).next().unwrap_or(place);
        let is_same = |other: &str| other.split(IN_FIELD).next() == Some(turn);
        let found = self
            .0
            .iter()
            .filter(|((of, other), tested)| *of == kind && tested.found && is_same(other));
        let has_room = found.count() < FIELDS_MAX;
        let tested = self.0.entry((kind, place.to_owned())).or_default();
        let is_dearer = per_kib_ns(case, cpu) > tested.dearest_ns.saturating_mul(DEARER);
        if !has_room {
            tested.wait(case);
            return false;
        }
        let is_worth_it = !tested.found && tested.in_vain >= TESTS_MAX && is_dearer;
        is_worth_it || self.may_test(kind, place, case)
    }

    /// Records the outcome of a test of a case that costs this much.
    pub(super) fn tested_cost(&mut self, place: &str, case: &Case, cpu: Duration, found: bool) {
        let kind = FindingKind::Complexity;
        self.tested(kind, place, found);
        if let Some(tested) = self.0.get_mut(&(kind, place.to_owned()))
            && !found
        {
            tested.dearest_ns = tested.dearest_ns.max(per_kib_ns(case, cpu));
        }
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

/// CPU time per KiB of a case, in nanoseconds.
fn per_kib_ns(case: &Case, cpu: Duration) -> u64 {
    let ns = u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX);
    ns / (case.bytes() as u64).div_ceil(1024).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::builtin;
    use crate::fuzz::Data;

    /// A header of a request with this many bytes of value.
    fn header(name: &str, bytes: u32) -> Case {
        let mut data = Data::from(format!("GET / HTTP/1.1\r\n{name}: a").into_bytes());
        data.push(DataPart::Repeat {
            unit: b"a".to_vec(),
            count: bytes,
        });
        data.push(DataPart::Bytes(b"\r\n\r\n".to_vec()));
        Case::sending(data)
    }

    #[test]
    fn costs_belong_to_a_field_of_a_turn() {
        let turns = Turns::of(&builtin("http").unwrap().talk);
        let cookie = turns.of_cost(&header("Cookie", 4096));
        assert!(
            cookie.starts_with("talk.") && cookie.ends_with(", field cookie"),
            "{cookie}"
        );
        let plain = Case::sending(vec![b'x'; 4096]);
        assert_eq!(turns.of_cost(&plain), ELSEWHERE);
    }

    #[test]
    fn after_tests_in_vain_only_what_costs_more_is_tested() {
        let mut places = Places::default();
        let ms = Duration::from_millis;
        let (long, short) = (header("Cookie", 64 << 10), header("Cookie", 4096));
        for _ in 0..TESTS_MAX {
            assert!(places.may_test_cost("a, field cookie", &long, ms(20)));
            places.tested_cost("a, field cookie", &long, ms(20), false);
        }
        assert!(!places.may_test_cost("a, field cookie", &long, ms(30)));
        assert!(!places.may_test_cost("a, field cookie", &short, ms(2)));
        assert!(places.may_test_cost("a, field cookie", &short, ms(20)));
        places.tested_cost("a, field cookie", &short, ms(20), false);
        assert!(!places.may_test_cost("a, field cookie", &short, ms(20)));
        // Other fields have tests of their own, until there are findings enough.
        for field in ["a, field host", "a, field te", "a"] {
            assert!(places.may_test_cost(field, &long, ms(20)));
            places.tested_cost(field, &long, ms(20), true);
        }
        assert!(!places.may_test_cost("a, field via", &long, ms(200)));
        assert!(places.may_test_cost("b, field via", &long, ms(20)));
    }

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
