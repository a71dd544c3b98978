//! All checks, with filters by outcome and by group that need no script: hidden radio buttons before the list, and a rule
//! of the style sheet for each of them.

use std::fmt::Write as _;

use maud::{Markup, PreEscaped, html};

use super::super::{safe, seconds};
use super::{badge, finding, ticked};
use crate::check::{Outcome, Verdict};
use crate::report::CheckReport;

/// The order of the outcomes in the filter.
const ORDER: [&str; 6] = ["fail", "warn", "inconclusive", "waived", "pass", "skip"];

/// The list of all checks and its filters.
pub(super) fn section(checked: &CheckReport) -> Markup {
    if checked.outcomes.is_empty() {
        return html! {};
    }
    let mut words = distinct(checked.outcomes.iter().map(Outcome::word));
    words.sort_by_key(|word| ORDER.iter().position(|known| known == word));
    let counted = |word: &str| {
        let outcomes = checked.outcomes.iter();
        outcomes
            .filter(|one| one.word() == word || one.group == word)
            .count()
    };
    let groups = distinct(checked.outcomes.iter().map(|outcome| outcome.group));
    let place = |all: &[&str], one: &str| all.iter().position(|known| *known == one).unwrap_or(0);
    html! {
        section #checks {
            h2 { "All checks" }
            style { (PreEscaped(rules(checked, &words, &groups))) }
            div.filter {
                (choices("outcome", "o", &words, counted))
                (choices("group", "g", &groups, counted))
                div.list {
                    p.none { "No check of this group has this outcome." }
                    @for outcome in &checked.outcomes {
                        (row(outcome, place(&words, outcome.word()), place(&groups, outcome.group)))
                    }
                }
            }
        }
    }
}

/// Each value once, in the order of their first occurrence.
fn distinct(values: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    let mut all = Vec::new();
    for value in values {
        if !all.contains(&value) {
            all.push(value);
        }
    }
    all
}

/// Radio buttons for all values and for each one. They come before the list on the same level, since a rule can only
/// reach what follows.
fn choices(name: &str, prefix: &str, values: &[&str], counted: impl Fn(&str) -> usize) -> Markup {
    html! {
        span.by { (name) }
        input type="radio" name=(name) id=(format!("{prefix}-all")) checked;
        label for=(format!("{prefix}-all")) { "all" }
        @for (place, value) in values.iter().enumerate() {
            input type="radio" name=(name) id=(format!("{prefix}-{place}"));
            label for=(format!("{prefix}-{place}")) { (value) " " small { (counted(value)) } }
        }
        span.break {}
    }
}

/// The rules that hide what was not chosen, and show a sentence where nothing is left.
fn rules(checked: &CheckReport, words: &[&str], groups: &[&str]) -> String {
    let mut rules = String::new();
    for (prefix, count) in [("o", words.len()), ("g", groups.len())] {
        for place in 0..count {
            let _ = writeln!(
                rules,
                "#{prefix}-{place}:checked ~ .list > .one:not(.{prefix}{place}) {{ display: none; }}"
            );
        }
    }
    for (word, of_word) in words.iter().enumerate() {
        for (group, of_group) in groups.iter().enumerate() {
            let mut outcomes = checked.outcomes.iter();
            if outcomes.any(|one| one.word() == *of_word && one.group == *of_group) {
                continue;
            }
            let _ = writeln!(
                rules,
                "#o-{word}:checked ~ #g-{group}:checked ~ .list > .none {{ display: block; }}"
            );
        }
    }
    rules
}

/// A check in one line; open, its requirement and how to repeat it.
fn row(outcome: &Outcome, word: usize, group: usize) -> Markup {
    let seen = match (&outcome.waived, &outcome.reason, &outcome.actual) {
        (Some(waiver), ..) => waiver,
        (_, _, Some(actual)) if outcome.is_about_the_server() => actual,
        (_, Some(reason), _) => reason,
        _ => "",
    };
    let has_card = outcome.needs_details();
    html! {
        details class=(format!("one o{word} g{group}")) {
            summary {
                (badge(outcome)) " " b { (outcome.id) }
                span.seen { (safe(seen)) }
                @if outcome.outcome != Verdict::Skip {
                    span.took { (seconds(outcome.duration.as_secs_f64())) }
                }
            }
            div.body id=(format!("all-{}", outcome.id)) {
                p { (outcome.requirement) }
                @if has_card { p { a href=(format!("#{}", outcome.id)) { "what happened" } } }
                @if let Some(proof) = outcome.stimulus_proof.as_ref().filter(|_| !has_card) {
                    p.aside { "Proof that it was tried: " (safe(proof)) }
                }
                @if !outcome.enable.is_empty() {
                    p { "Would be enabled by " (ticked(&outcome.enable.join(" and "))) "." }
                }
                @if !has_card && outcome.outcome != Verdict::Skip {
                    (finding::command("Run it again", &outcome.reproduce))
                }
            }
        }
    }
}
