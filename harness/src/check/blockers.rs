//! Obstacles to a pass other than failed checks: required checks without a verdict, waivers that no
//! longer cover anything, and expired waivers.

use super::{Outcome, Selection, Verdict};
use crate::subject::{Date, Waiver};

/// The waivers that are in force today.
pub(crate) fn in_force(waivers: &[Waiver]) -> Vec<Waiver> {
    let today = today();
    let holds = |waiver: &&Waiver| !has_ended(waiver, today);
    waivers.iter().filter(holds).cloned().collect()
}

/// One message per obstacle. A waiver can be stale only if all checks were selected.
pub(crate) fn of(outcomes: &[Outcome], waivers: &[Waiver], selection: &Selection) -> Vec<String> {
    let mut blockers: Vec<String> = outcomes
        .iter()
        .filter(|outcome| is_required(outcome, selection) && is_open(outcome))
        .map(without_verdict)
        .collect();
    let today = today();
    for waiver in waivers {
        if let Some(until) = waiver.until.filter(|_| has_ended(waiver, today)) {
            blockers.extend(outcomes.iter().find(|outcome| fell_short(waiver, outcome)).map(
                |outcome| {
                    format!(
                        "the waiver for `{}` ({}) expired on {until}, and {} still does not pass: fix it, or extend the waiver",
                        waiver.check, waiver.reason, outcome.id
                    )
                },
            ));
        }
        if selection.is_whole() && is_stale(waiver, outcomes) {
            blockers.push(format!(
                "the waiver for `{}` ({}) is stale: all checks it covers passed; remove it",
                waiver.check, waiver.reason
            ));
        }
    }
    blockers
}

fn is_required(outcome: &Outcome, selection: &Selection) -> bool {
    let mut globs = selection.require.iter();
    globs.any(|glob| glob_match::glob_match(glob, outcome.id))
}

fn is_open(outcome: &Outcome) -> bool {
    let none = matches!(outcome.outcome, Verdict::Skip | Verdict::Inconclusive);
    none && outcome.waived.is_none()
}

fn without_verdict(outcome: &Outcome) -> String {
    let reason = outcome.reason.as_deref().unwrap_or("no reason");
    let word = outcome.word();
    format!(
        "{} is required but reached no verdict ({word}): {reason}",
        outcome.id
    )
}

fn fell_short(waiver: &Waiver, outcome: &Outcome) -> bool {
    let short = matches!(outcome.outcome, Verdict::Fail | Verdict::Inconclusive);
    short && glob_match::glob_match(&waiver.check, outcome.id)
}

fn is_stale(waiver: &Waiver, outcomes: &[Outcome]) -> bool {
    let covers = |outcome: &&Outcome| glob_match::glob_match(&waiver.check, outcome.id);
    let mut covered = outcomes.iter().filter(covers).peekable();
    covered.peek().is_some()
        && !waiver.flaky
        && covered.all(|outcome| outcome.outcome == Verdict::Pass)
}

/// A waiver is in force up to and including the day `until`.
fn has_ended(waiver: &Waiver, today: Option<Date>) -> bool {
    match (waiver.until, today) {
        (Some(until), Some(today)) => until < today,
        _ => false,
    }
}

/// The current date in UTC, so that it is the same on every machine of a run.
fn today() -> Option<Date> {
    let day = time::OffsetDateTime::now_utc().date();
    Date::new(
        u16::try_from(day.year()).ok()?,
        day.month().into(),
        day.day(),
    )
}
