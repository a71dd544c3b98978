//! What campaigns and replays come to.

use std::path::PathBuf;

use serde::Serialize;

use super::RunVerdict;
use crate::fuzz::{Finding, FuzzResult};

/// What a campaign came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FuzzReport {
    /// Cases that were run, and what they found.
    #[serde(flatten)]
    pub result: FuzzResult,
}

/// What a finding is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is a bug.
    Counts,
    /// It is a bug that is known and waived.
    Waived,
    /// It was seen once and never again.
    Unconfirmed,
}

impl Standing {
    pub(super) fn of(finding: &Finding) -> Self {
        match finding.waived {
            Some(_) => Self::Waived,
            None if finding.counts() => Self::Counts,
            None => Self::Unconfirmed,
        }
    }
}

impl FuzzReport {
    /// How many findings are of this standing.
    pub(super) fn count(&self, standing: Standing) -> usize {
        let findings = self.result.findings.iter();
        findings
            .filter(|finding| Standing::of(finding) == standing)
            .count()
    }

    /// A bug for sure fails; what was seen once and not again leaves the question open.
    pub(super) fn verdict(&self, interrupted: bool) -> RunVerdict {
        let open = interrupted || self.result.executions == 0;
        match (
            self.count(Standing::Counts),
            self.count(Standing::Unconfirmed),
        ) {
            (1.., _) => RunVerdict::Fail,
            (0, 0) if !open => RunVerdict::Pass,
            _ => RunVerdict::Inconclusive,
        }
    }

    /// The answer in a few words: `2 findings in 12.3 k cases (1 waived)`.
    pub(super) fn answer(&self) -> String {
        let found = match self.count(Standing::Counts) {
            0 => "no finding".to_owned(),
            1 => "1 finding".to_owned(),
            count => format!("{count} findings"),
        };
        let besides = [
            (self.count(Standing::Waived), "waived"),
            (self.count(Standing::Unconfirmed), "seen once and not again"),
        ];
        let besides: Vec<String> = besides
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        let besides = match besides.is_empty() {
            true => String::new(),
            false => format!(" ({})", besides.join(", ")),
        };
        let executions = super::number::count(self.result.executions as f64);
        let cases = if self.result.executions == 1 {
            "case"
        } else {
            "cases"
        };
        format!("{found} in {executions} {cases}{besides}")
    }

    /// How the campaign went, a part each.
    pub(super) fn campaign(&self) -> Vec<String> {
        use super::number::count;
        let FuzzResult {
            executions_per_s,
            coverage,
            restarts,
            corpus,
            jobs,
            canaries,
            ..
        } = &self.result;
        let mut parts = vec![
            format!("{} cases/s", count(*executions_per_s)),
            format!("{} lives of the server", count(*restarts as f64)),
            format!("{} canary sessions", count(*canaries as f64)),
            format!("{} cases in the corpus", count(*corpus as f64)),
        ];
        if *jobs > 1 {
            parts.push(format!("{jobs} servers side by side"));
        }
        if !coverage.feedback.is_empty() {
            let feedback = crate::text::escape_text(&coverage.feedback, 40);
            parts.push(format!(
                "feedback {feedback}: {} edges",
                count(coverage.edges as f64)
            ));
        }
        parts
    }
}

/// What replaying findings came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ReplayReport {
    /// A finding each.
    pub items: Vec<ReplayItem>,
}

/// One finding that was replayed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ReplayItem {
    /// The file of the case.
    pub path: PathBuf,
    /// Its id, if the file has one.
    pub id: String,
    /// Its kind, if the file has one.
    pub kind: String,
    /// How often it was seen again: `5/5`.
    pub seen: String,
    /// Whether the bug is still there.
    pub reproduced: bool,
    /// What was seen.
    pub detail: String,
    /// Why it could not be judged.
    pub error: Option<String>,
}

impl ReplayItem {
    /// What came of it, in a word.
    pub(super) fn word(&self) -> &'static str {
        match (&self.error, self.reproduced) {
            (_, true) => "reproduced",
            (Some(_), false) => "unclear",
            (None, false) => "gone",
        }
    }

    /// What a reader calls it.
    pub(super) fn name(&self) -> String {
        match self.id.is_empty() {
            true => self.path.display().to_string(),
            false => self.id.clone(),
        }
    }

    /// What there is to say besides the word.
    pub(super) fn said(&self) -> &str {
        self.error.as_deref().unwrap_or(&self.detail)
    }
}

impl ReplayReport {
    /// A bug that is still there fails.
    pub(super) fn verdict(&self, interrupted: bool) -> RunVerdict {
        let unclear = self.items.iter().any(|item| item.error.is_some());
        match self.items.iter().any(|item| item.reproduced) {
            true => RunVerdict::Fail,
            false if interrupted || unclear || self.items.is_empty() => RunVerdict::Inconclusive,
            false => RunVerdict::Pass,
        }
    }

    /// The answer in a few words.
    pub(super) fn answer(&self) -> String {
        let count = |word: &str| self.items.iter().filter(|item| item.word() == word).count();
        let (there, unclear) = (count("reproduced"), count("unclear"));
        let all = match self.items.len() {
            1 => "1 finding".to_owned(),
            all => format!("{all} findings"),
        };
        let unclear = match unclear {
            0 => String::new(),
            count => format!(", {count} could not be judged"),
        };
        format!("{there} of {all} still there{unclear}")
    }
}
