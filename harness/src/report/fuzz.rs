//! The results of campaigns and replays, and how they are judged.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use super::RunVerdict;
use crate::fuzz::{Finding, FuzzResult, MemberRun};

/// The report of a campaign.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
pub(crate) struct FuzzReport {
    /// The totals and the findings.
    #[serde(flatten)]
    pub result: FuzzResult,
}

/// How a finding affects the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is a certain bug.
    Counts,
    /// A waiver covers it.
    Waived,
    /// It did not recur.
    Unconfirmed,
    /// There was no time to find out.
    Unsettled,
}

impl Standing {
    pub(super) fn of(finding: &Finding) -> Self {
        match finding.waived {
            Some(_) => Self::Waived,
            None if finding.counts() => Self::Counts,
            None if finding.unsettled.is_some() => Self::Unsettled,
            None => Self::Unconfirmed,
        }
    }
}

impl FuzzReport {
    /// The number of findings with this standing.
    pub(super) fn count(&self, standing: Standing) -> usize {
        let findings = self.result.findings.iter();
        findings
            .filter(|finding| Standing::of(finding) == standing)
            .count()
    }

    /// A certain bug fails; a finding that did not recur is inconclusive.
    pub(super) fn verdict(&self, interrupted: bool) -> RunVerdict {
        let open = interrupted || self.result.executions == 0;
        match (
            self.count(Standing::Counts),
            self.count(Standing::Unconfirmed) + self.count(Standing::Unsettled),
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
            (self.count(Standing::Unconfirmed), "not reproduced"),
            (self.count(Standing::Unsettled), "not settled"),
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
        let cases = counted(self.result.executions as f64, "case", "cases");
        format!("{found} in {cases}{besides}")
    }

    /// The totals of the campaign, one phrase each.
    pub(super) fn campaign(&self) -> Vec<String> {
        use super::number::count;
        let FuzzResult {
            executions_per_s,
            coverage,
            restarts,
            corpus,
            jobs,
            canaries,
            members,
            ..
        } = &self.result;
        let mut parts = vec![
            format!("{} cases/s", count(*executions_per_s)),
            counted(*restarts as f64, "server start", "server starts"),
            counted(*canaries as f64, "health check", "health checks"),
            counted(*corpus as f64, "case in the corpus", "cases in the corpus"),
        ];
        if !members.is_empty() {
            parts.push(in_fleet(members));
        }
        if *jobs > 1 {
            parts.push(format!("{jobs} servers in parallel"));
        }
        if !coverage.feedback.is_empty() {
            let feedback = crate::text::escape_text(&coverage.feedback, 40);
            let seen = coverage.sources.iter().map(|seen| {
                let all = seen.all.map(|all| format!(" of {}", count(all as f64)));
                let reached = count(seen.reached as f64);
                format!("{reached}{} {}, ", all.unwrap_or_default(), seen.unit)
            });
            parts.push(format!(
                "feedback {feedback}: {}{} distinct observations",
                seen.collect::<String>(),
                count(coverage.edges as f64)
            ));
        }
        parts
    }
}

/// How many campaigns were merged: `3 of 4 campaigns` if one of a fleet is missing.
fn in_fleet(members: &[MemberRun]) -> String {
    let counts = members.iter().filter_map(|run| run.member);
    let all = counts.map(|number| number.count).max().unwrap_or(0);
    match all > members.len() {
        true => format!("{} of {all} campaigns", members.len()),
        false => counted(members.len() as f64, "campaign", "campaigns"),
    }
}

/// How sure a finding is: on how many servers it showed, its rate, and what there was no time for.
pub(super) fn how_sure(finding: &Finding) -> String {
    let mut text = match (finding.rate, finding.again.of) {
        (Some(rate), _) => format!(
            "intermittent: {} fresh servers, {:.0} % (95 % interval: {:.0} to {:.0} %)",
            finding.seen(),
            rate.estimate * 100.0,
            rate.low * 100.0,
            rate.high * 100.0
        ),
        (None, 0) => format!("{} on fresh servers", finding.confirmed),
        (None, _) => format!(
            "{} on fresh servers, {} again at the end",
            finding.confirmed, finding.again
        ),
    };
    if let Some(member) = &finding.found_by {
        let member = crate::text::escape_text(member, 80);
        text += &format!(", asked by {member}");
    }
    if let Some(unsettled) = &finding.unsettled {
        text += &format!("; not settled: {unsettled}");
    }
    text
}

/// A count with its noun: `1 case`, `12.3 k cases`.
fn counted(count: f64, one: &str, many: &str) -> String {
    let noun = if count == 1.0 { one } else { many };
    format!("{} {noun}", super::number::count(count))
}

/// The report of a replay.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
pub(crate) struct ReplayReport {
    /// One item per case file.
    pub items: Vec<ReplayItem>,
}

/// One replayed case file.
#[derive(Clone, Debug, Default, JsonSchema, Serialize)]
pub(crate) struct ReplayItem {
    /// The case file.
    pub path: PathBuf,
    /// The id of the finding; empty if the file has none.
    pub id: String,
    /// The kind of the finding; empty if the file could not be read.
    pub kind: String,
    /// How many servers showed the bug: `5/5`.
    pub seen: String,
    /// Whether the bug is still there, or the replies have changed.
    pub reproduced: bool,
    /// Replies were compared, with a recording or with another server.
    pub compared: bool,
    /// What was seen.
    pub detail: String,
    /// Why it could not be judged.
    pub error: Option<String>,
}

/// The outcome of one replayed case file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ItemOutcome {
    /// The bug is still there.
    Reproduced,
    /// No server showed the bug.
    Gone,
    /// The replies have changed.
    Changed,
    /// The replies are the same.
    Same,
    /// It could not be judged.
    Unclear,
}

impl ItemOutcome {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Reproduced => "reproduced",
            Self::Gone => "gone",
            Self::Changed => "changed",
            Self::Same => "same",
            Self::Unclear => "unclear",
        }
    }
}

impl ReplayItem {
    pub(super) fn outcome(&self) -> ItemOutcome {
        match (&self.error, self.reproduced) {
            (_, true) if self.compared => ItemOutcome::Changed,
            (_, true) => ItemOutcome::Reproduced,
            (Some(_), false) => ItemOutcome::Unclear,
            (None, false) if self.compared => ItemOutcome::Same,
            (None, false) => ItemOutcome::Gone,
        }
    }

    /// The id, or else the path of the file.
    pub(super) fn name(&self) -> String {
        match self.id.is_empty() {
            true => self.path.display().to_string(),
            false => self.id.clone(),
        }
    }

    /// The details of the outcome.
    pub(super) fn details(&self) -> &str {
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

    /// The answer where replies were compared.
    fn compared(&self, changed: usize, unclear: usize) -> String {
        let unclear = match unclear {
            0 => String::new(),
            count => format!(", {count} could not be compared"),
        };
        let cases = counted(self.items.len() as f64, "case", "cases");
        match changed {
            0 => format!("no reply changed in {cases}{unclear}"),
            changed => format!("replies changed in {changed} of {cases}{unclear}"),
        }
    }

    /// The answer in a few words.
    pub(super) fn answer(&self) -> String {
        let count = |wanted| {
            let outcomes = self.items.iter().map(ReplayItem::outcome);
            outcomes.filter(|outcome| *outcome == wanted).count()
        };
        let there = count(ItemOutcome::Reproduced);
        let unclear = count(ItemOutcome::Unclear);
        if !self.items.is_empty() && self.items.iter().all(|item| item.compared) {
            return self.compared(count(ItemOutcome::Changed), unclear);
        }
        let there = there + count(ItemOutcome::Changed);
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
