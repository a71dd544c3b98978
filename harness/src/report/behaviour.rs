//! How base and candidate of a gate differ in what they do: verdicts of checks, failures that cases cause, replies.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::check::{Outcome, Verdict};
use crate::text::escape_text;

/// Failures that the answer names.
const NAMED_MAX: usize = 3;
/// Maximum length of a part of a server's reply, in characters.
const REPLY_CHARS_MAX: usize = 200;

/// What was compared besides the metrics, and what differs.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub(crate) struct Behaviour {
    /// Checks that ran on both servers.
    pub checks: usize,
    /// Cases that ran on both servers.
    pub cases: usize,
    /// What differs; nothing of what is the same.
    pub changes: Vec<BehaviourChange>,
    /// What could not be compared, so that the gate does not pass.
    pub unclear: Vec<String>,
    /// Remarks.
    pub notes: Vec<String>,
}

/// A difference between base and candidate.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub(crate) struct BehaviourChange {
    /// What kind of difference it is.
    pub kind: ChangeKind,
    /// The check, or the file of the case.
    pub what: String,
    /// What the base does.
    pub base: String,
    /// What the candidate does.
    pub candidate: String,
    /// Cases that show the same difference.
    pub count: usize,
    /// A command that repeats it on the candidate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reproduce: Option<String>,
}

/// Kinds of differences, in the order of display.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ChangeKind {
    /// The candidate fails, and the base does not.
    NewFailure,
    /// The base fails, and the candidate does not.
    Fixed,
    /// Both reply, and each always the same, but not the same.
    ChangedReply,
    /// A check has another verdict, and neither is a failure; or both fail in different ways.
    ChangedVerdict,
}

impl ChangeKind {
    /// As tables write it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NewFailure => "new failure",
            Self::Fixed => "fixed",
            Self::ChangedReply => "changed reply",
            Self::ChangedVerdict => "changed verdict",
        }
    }
}

/// Column headings of [`Behaviour::rows`].
pub(super) const HEADS: [&str; 4] = ["", "where", "base", "candidate"];

impl Behaviour {
    /// The changes of this kind.
    pub(super) fn of_kind(&self, kind: ChangeKind) -> impl Iterator<Item = &BehaviourChange> {
        self.changes
            .iter()
            .filter(move |change| change.kind == kind)
    }

    /// Whether the candidate fails where the base does not.
    pub(super) fn fails(&self) -> bool {
        self.of_kind(ChangeKind::NewFailure).next().is_some()
    }

    /// What differs, in a few words; `None` if nothing does.
    pub(super) fn answer(&self) -> Option<String> {
        let mut parts = Vec::new();
        let new: Vec<&str> = self
            .of_kind(ChangeKind::NewFailure)
            .map(|new| new.what.as_str())
            .collect();
        if !new.is_empty() {
            let named = new
                .iter()
                .take(NAMED_MAX)
                .copied()
                .collect::<Vec<_>>()
                .join(", ");
            let more = match new.len().saturating_sub(NAMED_MAX) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            parts.push(format!(
                "{}: {named}{more}",
                counted(new.len(), "new failure", "new failures")
            ));
        }
        let replies: usize = self
            .of_kind(ChangeKind::ChangedReply)
            .map(|change| change.count)
            .sum();
        for (count, one, many) in [
            (
                self.of_kind(ChangeKind::Fixed).count(),
                "failure is fixed",
                "failures are fixed",
            ),
            (replies, "reply changed", "replies changed"),
            (
                self.of_kind(ChangeKind::ChangedVerdict).count(),
                "verdict changed",
                "verdicts changed",
            ),
        ] {
            if count > 0 {
                parts.push(counted(count, one, many));
            }
        }
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// The differences as rows of one table: kind, where, base, candidate.
    pub(super) fn rows(&self) -> impl Iterator<Item = (&BehaviourChange, [String; 4])> {
        self.changes.iter().map(|change| {
            let others = match change.count {
                0 | 1 => String::new(),
                2 => " (and another case)".to_owned(),
                count => format!(" (and {} more cases)", count - 1),
            };
            let shown = |text: &str| escape_text(text, REPLY_CHARS_MAX);
            let row = [
                change.kind.name().to_owned(),
                shown(&change.what) + &others,
                shown(&change.base),
                shown(&change.candidate),
            ];
            (change, row)
        })
    }

    /// What was compared, in one line.
    pub(super) fn how(&self) -> String {
        let parts: Vec<String> = [
            (self.checks, "check", "checks"),
            (self.cases, "case", "cases"),
        ]
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many)| counted(count, one, many))
        .collect();
        let parts = if parts.is_empty() {
            "nothing".to_owned()
        } else {
            parts.join(" and ")
        };
        match self.changes.is_empty() {
            true => format!("behaviour: {parts} on both servers, without a difference"),
            false => format!(
                "behaviour: {parts} on both servers; a difference counts if it is there again on fresh servers"
            ),
        }
    }

    /// Adds a changed reply; cases with the same two replies are one change.
    pub(crate) fn changed_reply(&mut self, what: String, base: String, candidate: String) {
        let kind = ChangeKind::ChangedReply;
        let known = self
            .changes
            .iter_mut()
            .find(|known| known.kind == kind && known.base == base && known.candidate == candidate);
        match known {
            Some(known) => known.count += 1,
            None => self.changes.push(BehaviourChange {
                kind,
                what,
                base,
                candidate,
                count: 1,
                reproduce: None,
            }),
        }
    }

    /// Puts the changes in the order of display.
    pub(crate) fn sort(&mut self) {
        self.changes
            .sort_by(|one, other| (one.kind, &one.what).cmp(&(other.kind, &other.what)));
    }

    /// What two gates of the same servers have seen.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.checks = self.checks.max(other.checks);
        self.cases = self.cases.max(other.cases);
        for change in other.changes {
            let same =
                |known: &BehaviourChange| known.kind == change.kind && known.what == change.what;
            if !self.changes.iter().any(same) {
                self.changes.push(change);
            }
        }
        self.unclear.extend(other.unclear);
        self.notes.extend(other.notes);
        self.sort();
        self
    }
}

/// `1 check`, `3 checks`.
fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The checks whose verdicts differ.
pub(crate) fn compare(base: &[Outcome], candidate: &[Outcome]) -> Vec<BehaviourChange> {
    let pairs = candidate.iter().filter_map(|after| {
        let before = base.iter().find(|before| before.id == after.id)?;
        Some((before, after))
    });
    pairs
        .filter_map(|(before, after)| {
            Some(BehaviourChange {
                kind: change_of(before, after)?,
                what: format!("check {}", after.id),
                base: told(before),
                candidate: told(after),
                count: 1,
                reproduce: Some(after.reproduce.clone()).filter(|command| !command.is_empty()),
            })
        })
        .collect()
}

/// Whether the check reached no verdict, so that nothing can be said about a change.
pub(super) fn is_open(outcome: &Outcome) -> bool {
    outcome.outcome == Verdict::Inconclusive && outcome.waived.is_none()
}

/// `None` if nothing changed, or if it cannot be told because a check reached no verdict.
pub(super) fn change_of(before: &Outcome, after: &Outcome) -> Option<ChangeKind> {
    if is_open(before) || is_open(after) {
        return None;
    }
    match (before.fails(), after.fails()) {
        (false, true) => Some(ChangeKind::NewFailure),
        // A check that no longer applies has not shown that the fault is gone.
        (true, false) if after.outcome != Verdict::Skip => Some(ChangeKind::Fixed),
        (true, true) if before.kind == after.kind => None,
        (false, false) if before.word() == after.word() => None,
        _ => Some(ChangeKind::ChangedVerdict),
    }
}

/// Verdict, kind of failure, and what was seen.
pub(super) fn told(outcome: &Outcome) -> String {
    let kind = outcome.kind.filter(|_| outcome.is_about_the_server());
    let kind = kind.map_or_else(String::new, |kind| format!(", {}", kind.name()));
    let seen = outcome
        .actual
        .as_ref()
        .filter(|_| outcome.is_about_the_server());
    let seen = seen.or(outcome.reason.as_ref());
    let seen = seen.map_or_else(String::new, |seen| format!(": {seen}"));
    format!("{}{kind}{seen}", outcome.word())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::FailureKind;
    use crate::report::sample::outcome;

    fn with(verdict: Verdict, kind: Option<FailureKind>) -> Outcome {
        Outcome {
            kind,
            waived: None,
            ..outcome("one-client", verdict)
        }
    }

    fn between(before: &Outcome, after: &Outcome) -> Option<ChangeKind> {
        compare(std::slice::from_ref(before), std::slice::from_ref(after))
            .first()
            .map(|change| change.kind)
    }

    #[test]
    fn only_a_failure_that_the_base_does_not_have_is_new() {
        use Verdict::{Fail, Inconclusive, Pass, Skip, Warn};
        let died = with(Fail, Some(FailureKind::Died));
        for (verdict, new) in [
            (Pass, true),
            (Warn, true),
            (Skip, true),
            (Fail, false),
            (Inconclusive, false),
        ] {
            let before = with(verdict, (verdict == Fail).then_some(FailureKind::Died));
            let seen = between(&before, &died);
            assert_eq!(
                seen == Some(ChangeKind::NewFailure),
                new,
                "{verdict:?}: {seen:?}"
            );
        }
        let waived = Outcome {
            waived: Some("issue 7".into()),
            ..died.clone()
        };
        assert_eq!(
            between(&with(Pass, None), &waived),
            Some(ChangeKind::ChangedVerdict)
        );
        assert_eq!(between(&died, &with(Pass, None)), Some(ChangeKind::Fixed));
        assert_eq!(
            between(&died, &with(Skip, None)),
            Some(ChangeKind::ChangedVerdict)
        );
        assert_eq!(between(&died, &with(Inconclusive, None)), None);
        assert_eq!(
            between(&died, &with(Fail, Some(FailureKind::Slow))),
            Some(ChangeKind::ChangedVerdict)
        );
        assert_eq!(
            between(&with(Pass, None), &with(Warn, None)),
            Some(ChangeKind::ChangedVerdict)
        );
        assert_eq!(between(&with(Pass, None), &with(Inconclusive, None)), None);
        assert_eq!(between(&with(Pass, None), &with(Pass, None)), None);
    }

    #[test]
    fn equal_changes_of_replies_are_one_and_gates_are_added_up() {
        let mut behaviour = Behaviour::default();
        assert_eq!(behaviour.answer(), None);
        for case in ["a.json", "b.json"] {
            behaviour.changed_reply(case.into(), "OK".into(), "ok".into());
        }
        behaviour.changed_reply("c.json".into(), "1".into(), "2".into());
        assert_eq!(behaviour.changes.len(), 2);
        assert_eq!(behaviour.answer().unwrap(), "3 replies changed");
        assert!(!behaviour.fails());
        let other = Behaviour {
            changes: compare(&[with(Verdict::Pass, None)], &[with(Verdict::Fail, None)]),
            checks: 4,
            ..behaviour.clone()
        };
        let both = behaviour.and(other);
        assert!(both.fails());
        assert_eq!((both.changes.len(), both.checks), (3, 4));
        assert_eq!(
            both.answer().unwrap(),
            "1 new failure: check one-client, 3 replies changed"
        );
    }
}
