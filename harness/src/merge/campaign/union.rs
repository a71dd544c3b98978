//! The result of two campaigns as one. Pure; the order does not matter, nor which two come first.

use std::collections::{BTreeMap, BTreeSet};

use crate::fuzz::{
    BlockCount, Coverage, Finding, FuzzResult, KeptCase, Rate, SourceCount, TimeSpent,
};

/// What a report cannot tell of several campaigns.
const NOT_UNITED: &str = "coverage and corpus are those of the campaign that has the most: all places that each has reached are not in the reports, so that together they reached at least as many";

/// Both together.
pub(super) fn of(one: FuzzResult, other: FuzzResult) -> FuzzResult {
    let notes = one.notes.into_iter().chain(other.notes);
    let notes: BTreeSet<String> = notes.chain([NOT_UNITED.to_owned()]).collect();
    let members = one.members.into_iter().chain(other.members);
    let members: BTreeSet<_> = members.collect();
    let mut result = FuzzResult {
        members: members.into_iter().collect(),
        executions: one.executions + other.executions,
        executions_per_s: one.executions_per_s + other.executions_per_s,
        coverage: coverage(one.coverage, other.coverage),
        findings: findings(one.findings.into_iter().chain(other.findings)),
        restarts: one.restarts + other.restarts,
        corpus: one.corpus.max(other.corpus),
        kept: kept(one.kept, other.kept),
        jobs: one.jobs + other.jobs,
        canaries: one.canaries + other.canaries,
        time: time(one.time, other.time),
        notes: notes.into_iter().collect(),
    };
    result.sort();
    result
}

fn kept(
    mut one: BTreeMap<String, KeptCase>,
    other: BTreeMap<String, KeptCase>,
) -> BTreeMap<String, KeptCase> {
    for (name, case) in other {
        one.entry(name).or_default().add(case);
    }
    one
}

fn time(one: TimeSpent, other: TimeSpent) -> TimeSpent {
    TimeSpent {
        wall_s: one.wall_s.max(other.wall_s),
        starting_s: one.starting_s + other.starting_s,
        cases_s: one.cases_s + other.cases_s,
        looking_s: one.looking_s + other.looking_s,
        settling_s: one.settling_s + other.settling_s,
    }
}

fn coverage(one: Coverage, other: Coverage) -> Coverage {
    let feedback: BTreeSet<&str> = [&one.feedback, &other.feedback]
        .into_iter()
        .flat_map(|names| names.split(" or "))
        .filter(|name| !name.is_empty())
        .collect();
    let mut sources: BTreeMap<String, SourceCount> = BTreeMap::new();
    for source in one.sources.into_iter().chain(other.sources) {
        let most = sources
            .entry(source.source.clone())
            .or_insert_with(|| source.clone());
        most.reached = most.reached.max(source.reached);
        most.all = most.all.max(source.all);
    }
    let blocks = one.blocks.into_iter().chain(other.blocks);
    Coverage {
        feedback: feedback.into_iter().collect::<Vec<_>>().join(" or "),
        chosen: one.chosen.min(other.chosen),
        edges: one.edges.max(other.edges),
        blocks: blocks.reduce(|one, other| BlockCount {
            reached: one.reached.max(other.reached),
            all: one.all.max(other.all),
        }),
        sources: sources.into_values().collect(),
        ..Coverage::default()
    }
}

fn findings(all: impl Iterator<Item = Finding>) -> Vec<Finding> {
    let mut by_id: BTreeMap<String, Finding> = BTreeMap::new();
    for finding in all {
        let both = match by_id.remove(&finding.id) {
            Some(known) => same(known, finding),
            None => finding,
        };
        by_id.insert(both.id.clone(), both);
    }
    by_id.into_values().collect()
}

/// How much a finding is worth. Only certain ones are added up: others would make a certain bug an intermittent one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    Unsure,
    /// The report of another member says the same.
    Copied,
    Certain,
}

impl Worth {
    fn of(finding: &Finding) -> Self {
        let certain = Finding {
            waived: None,
            ..finding.clone()
        };
        match certain.counts() && finding.confirmed.seen > 0 {
            false => Self::Unsure,
            true if finding.found_by.is_some() => Self::Copied,
            true => Self::Certain,
        }
    }
}

/// The same finding of two campaigns: the better one is kept, and how often it was seen by servers of both.
fn same(one: Finding, other: Finding) -> Finding {
    let (worth, other_worth) = (Worth::of(&one), Worth::of(&other));
    let first_seen_s = one.first_seen_s.min(other.first_seen_s);
    let added = worth == Worth::Certain && other_worth == worth;
    let sum = (
        one.confirmed.and(other.confirmed),
        one.again.and(other.again),
    );
    let is_better =
        (worth, preference(&one, worth)) >= (other_worth, preference(&other, other_worth));
    let mut kept = if is_better { one } else { other };
    kept.first_seen_s = first_seen_s;
    if added {
        (kept.confirmed, kept.again) = sum;
    }
    let seen = kept.seen();
    kept.rate = Rate::of(seen).filter(|_| kept.is_intermittent());
    kept
}

/// What is preferred of two that are worth the same: settled and minimal findings, then short ones. What is added up has no
/// influence, and ties do not depend on the order.
fn preference(finding: &Finding, worth: Worth) -> impl Ord + use<> {
    use std::cmp::Reverse;
    let same = Finding {
        confirmed: Default::default(),
        again: Default::default(),
        rate: None,
        first_seen_s: 0.0,
        ..finding.clone()
    };
    let seen = match worth {
        Worth::Certain => [0; 4],
        Worth::Unsure | Worth::Copied => {
            let (confirmed, again) = (finding.confirmed, finding.again);
            [confirmed.seen, confirmed.of, again.seen, again.of]
        }
    };
    (
        finding.unsettled.is_none(),
        seen,
        finding.minimal,
        Reverse(finding.bytes),
        Reverse(finding.steps),
        // Plain data: serializing it cannot fail.
        Reverse(serde_json::to_string(&same).unwrap_or_default()),
    )
}
