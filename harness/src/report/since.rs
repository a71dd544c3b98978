//! What changed since an earlier run of the same command.

use schemars::JsonSchema;
use serde::Serialize;

use super::behaviour::{ChangeKind, change_of, is_open, told};
use crate::check::{Outcome, Verdict};

/// What changed since an earlier run, and what did not.
#[derive(Clone, Debug, Default, PartialEq, Eq, JsonSchema, Serialize)]
pub(crate) struct Since {
    /// The id of the earlier run; the first digits are its time.
    pub run_id: String,
    /// Checks that both runs have.
    pub compared: usize,
    /// Checks that fail in both.
    pub still_failing: usize,
    /// Checks whose verdict is the same and no failure.
    pub unchanged: usize,
    /// Checks that reached no verdict in one of the runs, so that nothing can be said about them.
    pub unclear: Vec<String>,
    /// What differs.
    pub changes: Vec<SinceChange>,
    /// What may make the comparison unfair: another command, another plan.
    pub notes: Vec<String>,
}

/// Something that changed.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub(crate) struct SinceChange {
    /// How it changed.
    pub kind: ChangeKind,
    /// The check, or the finding.
    pub what: String,
    /// What it was in the earlier run.
    pub then: String,
    /// What it is now.
    pub now: String,
}

impl Since {
    /// Compares the checks of two runs.
    pub(crate) fn of(run_id: String, earlier: &[Outcome], now: &[Outcome]) -> Self {
        let mut since = Self {
            run_id,
            ..Self::default()
        };
        let pairs = now.iter().filter_map(|after| {
            let before = earlier.iter().find(|before| before.id == after.id)?;
            Some((before, after))
        });
        for (before, after) in pairs {
            since.compared += 1;
            match change_of(before, after) {
                Some(kind) => since.changes.push(SinceChange {
                    kind,
                    what: after.id.to_owned(),
                    then: told(before),
                    now: told(after),
                }),
                None if is_open(before) || is_open(after) => since.unclear.push(after.id.into()),
                None if after.outcome == Verdict::Fail => since.still_failing += 1,
                None => since.unchanged += 1,
            }
        }
        since.sort();
        since
    }

    /// Adds the findings of campaigns, as pairs of id and title. A campaign that does not find a bug again has not shown that it is
    /// gone.
    pub(crate) fn findings(&mut self, earlier: &[(String, String)], now: &[(String, String)]) {
        let lacks = |all: &[(String, String)], id: &str| all.iter().all(|known| known.0 != id);
        let change = |kind, id: &str, then: &str, now: &str| SinceChange {
            kind,
            what: format!("finding {id}"),
            then: then.to_owned(),
            now: now.to_owned(),
        };
        for (id, title) in now.iter().filter(|one| lacks(earlier, &one.0)) {
            let kind = ChangeKind::NewFailure;
            self.changes.push(change(kind, id, "not found", title));
        }
        let gone = earlier.iter().filter(|one| lacks(now, &one.0));
        self.unclear
            .extend(gone.map(|(id, _)| format!("finding {id}, which was not found this time")));
        let both = now.iter().filter(|one| !lacks(earlier, &one.0));
        self.still_failing += both.count();
        self.sort();
    }

    fn sort(&mut self) {
        self.changes
            .sort_by(|one, other| (one.kind, &one.what).cmp(&(other.kind, &other.what)));
    }

    /// Whether something fails that did not.
    pub(super) fn has_new_failures(&self) -> bool {
        self.count(ChangeKind::NewFailure) > 0
    }

    fn count(&self, kind: ChangeKind) -> usize {
        let changes = self.changes.iter();
        changes.filter(|change| change.kind == kind).count()
    }

    /// The numbers in one line: `2 new failures, 1 fixed, 3 still failing, 60 unchanged`.
    pub(super) fn answer(&self) -> String {
        let new = self.count(ChangeKind::NewFailure);
        let counts = [
            (
                new,
                if new == 1 {
                    "new failure"
                } else {
                    "new failures"
                },
            ),
            (self.count(ChangeKind::Fixed), "fixed"),
            (
                self.count(ChangeKind::ChangedVerdict),
                "with another verdict",
            ),
            (self.still_failing, "still failing"),
            (self.unchanged, "unchanged"),
            (self.unclear.len(), "not clear"),
        ];
        // That nothing failed anew is worth a word.
        let shown = counts
            .iter()
            .enumerate()
            .filter(|(place, (count, _))| *place == 0 || *count > 0);
        let parts: Vec<String> = shown
            .map(|(_, (count, what))| format!("{count} {what}"))
            .collect();
        parts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::outcome;

    #[test]
    fn each_check_of_both_runs_is_counted_once() {
        use Verdict::{Fail, Inconclusive, Pass, Skip, Warn};
        let ids = [
            "split-bytewise",
            "zero-length",
            "nul-bytes",
            "herd",
            "fd-leak",
            "oob-byte",
        ];
        let run = |verdicts: [Verdict; 6]| -> Vec<Outcome> {
            let pairs = ids.into_iter().zip(verdicts);
            pairs.map(|(id, verdict)| outcome(id, verdict)).collect()
        };
        let earlier = run([Pass, Fail, Fail, Inconclusive, Skip, Warn]);
        let mut now = run([Fail, Pass, Fail, Pass, Skip, Pass]);
        now.push(outcome("idle-cpu", Fail));
        let since = Since::of("r".into(), &earlier, &now);
        let changes: Vec<(ChangeKind, &str)> = since
            .changes
            .iter()
            .map(|change| (change.kind, change.what.as_str()))
            .collect();
        let expected = [
            (ChangeKind::NewFailure, "split-bytewise"),
            (ChangeKind::Fixed, "zero-length"),
            (ChangeKind::ChangedVerdict, "oob-byte"),
        ];
        assert_eq!(changes, expected);
        assert_eq!((since.compared, since.still_failing), (6, 1));
        assert_eq!((since.unchanged, since.unclear), (1, vec!["herd".into()]));
    }

    #[test]
    fn a_finding_that_did_not_come_again_is_not_fixed() {
        let mut since = Since::default();
        let finding = |id: &str| (id.to_owned(), "it died".to_owned());
        since.findings(
            &[finding("crash-1"), finding("crash-2")],
            &[finding("crash-2"), finding("leak-3")],
        );
        assert_eq!(since.changes.len(), 1);
        assert_eq!(since.changes[0].what, "finding leak-3");
        assert_eq!(
            since.answer(),
            "1 new failure, 1 still failing, 1 not clear"
        );
    }
}
