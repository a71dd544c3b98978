//! What fell short, grouped by the probable cause.

use maud::{Markup, html};

use super::super::safe;
use super::finding::card;
use crate::check::{Cause, Outcome, Verdict};
use crate::report::CheckReport;

/// Blockers, and all outcomes that need details.
pub(super) fn section(checked: &CheckReport) -> Markup {
    let details = || {
        let outcomes = checked.outcomes.iter();
        outcomes.filter(|outcome| outcome.needs_details())
    };
    let alone = |wanted: fn(&Outcome) -> bool| -> Vec<&Outcome> {
        details()
            .filter(|one| one.cause.is_none() && wanted(one))
            .collect()
    };
    let is_waived = |one: &Outcome| one.waived.is_some();
    let groups = [
        (
            if checked.causes.is_empty() {
                "Failures"
            } else {
                "Other failures"
            },
            alone(Outcome::fails),
        ),
        ("Warnings", alone(|one| one.outcome == Verdict::Warn)),
        (
            "Without a verdict",
            alone(|one| one.outcome == Verdict::Inconclusive && one.waived.is_none()),
        ),
        ("Waived", details().filter(|one| is_waived(one)).collect()),
    ];
    html! {
        @if !checked.blockers.is_empty() {
            div.box.bad {
                strong { "What else prevents a pass" }
                ul { @for blocker in &checked.blockers { li { (safe(blocker)) } } }
            }
        }
        @if details().next().is_some() {
            section #findings {
                h2 { "What fell short" }
                @for cause in sorted(checked) {
                    (of_cause(cause, &details().filter(|one| one.cause == Some(cause.id)).collect::<Vec<_>>()))
                }
                @for (title, outcomes) in groups.iter().filter(|(_, outcomes)| !outcomes.is_empty()) {
                    h3 { (title) }
                    @for (place, outcome) in outcomes.iter().enumerate() {
                        (card(outcome, place == 0 && outcome.fails()))
                    }
                }
            }
        }
    }
}

/// The causes, those of failures first, then those of more checks.
fn sorted(checked: &CheckReport) -> Vec<&Cause> {
    let failures = |cause: &Cause| {
        let outcomes = checked.outcomes.iter();
        outcomes
            .filter(|one| one.cause == Some(cause.id) && one.fails())
            .count()
    };
    let mut causes: Vec<&Cause> = checked.causes.iter().collect();
    causes.sort_by_key(|cause| std::cmp::Reverse((failures(cause), cause.checks.len())));
    causes
}

/// A cause and its checks, the first one open.
fn of_cause(cause: &Cause, members: &[&Outcome]) -> Markup {
    html! {
        div.cause id=(format!("cause-{}", cause.id)) {
            h3 { (cause.sentence()) }
            p.aside { "Cause " code { (cause.id) } ", inferred from which checks fall short and how." }
            @for (place, outcome) in members.iter().enumerate() { (card(outcome, place == 0)) }
        }
    }
}
