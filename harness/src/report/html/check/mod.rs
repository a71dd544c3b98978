//! The page of a battery: what fell short and why, what to do next, every check, and when each ran.

mod answer;
mod calls;
mod finding;
mod findings;
mod list;
mod sequence;
mod since;
#[cfg(test)]
mod tests;
mod timeline;

pub(super) use answer::{Todo, Urgency, headline, item, todo_list, todos};
pub(crate) use calls::calls;
pub(super) use finding::command;
use maud::{Markup, html};

use super::{Page, facts, frame, safe};
use crate::check::{Outcome, Verdict, grouped};
use crate::report::{CheckReport, Learned};

/// The page of a battery.
pub(crate) fn check(page: &Page, checked: &CheckReport) -> String {
    let skipped = checked.counts.skip;
    let more = if skipped == 0 {
        Vec::new()
    } else {
        vec![format!("{skipped} more were skipped")]
    };
    let content = html! {
        h1 { (headline(checked)) }
        (facts(page, &more))
        (todo_list(&todos(checked)))
        (tiles(checked))
        (since(checked))
        (sections(checked))
    };
    frame(page, &content)
}

/// What changed since an earlier run, where that was asked for.
pub(super) fn since(checked: &CheckReport) -> Markup {
    html! { @if let Some(since) = &checked.since { (since::section(since)) } }
}

/// Everything about a battery but its answer and its numbers.
pub(super) fn sections(checked: &CheckReport) -> Markup {
    html! {
        (findings::section(checked))
        (list::section(checked))
        (enabled_by(checked))
        (timeline::section(checked))
        @if let Some(learned) = &checked.rehearsal { (learned_section(learned)) }
    }
}

/// Class and sign of an outcome. Not everybody can see the colour.
fn mark(outcome: &Outcome) -> (&'static str, &'static str) {
    match outcome.outcome {
        _ if outcome.waived.is_some() => ("waived", "○"),
        Verdict::Pass => ("good", "✓"),
        Verdict::Fail => ("bad", "✕"),
        Verdict::Warn => ("unsure", "!"),
        Verdict::Skip => ("plain", "–"),
        Verdict::Inconclusive => ("unsure", "?"),
    }
}

/// The verdict as a badge.
fn badge(outcome: &Outcome) -> Markup {
    let (class, sign) = mark(outcome);
    html! { span class=(format!("badge {class}")) { (sign) " " (outcome.word()) } }
}

/// The number of checks for each verdict.
pub(super) fn tiles(checked: &CheckReport) -> Markup {
    let counts = checked.counts;
    let tiles = [
        (counts.fail, "failed", "bad"),
        (counts.warn, "warned", "unsure"),
        (counts.inconclusive, "without a verdict", "unsure"),
        (counts.waived, "waived", "waived"),
        (counts.pass, "passed", "good"),
        (counts.skip, "skipped", "plain"),
    ];
    let shown = || tiles.iter().filter(|(count, ..)| *count > 0);
    html! {
        div.counts role="group" aria-label="number of checks for each outcome" {
            @for (count, what, class) in shown() {
                span class=(format!("count {class}")) style=(format!("flex-grow:{count}")) {
                    b { (count) } " " (what)
                }
            }
        }
    }
}

/// The skipped checks, grouped by what would enable them.
fn enabled_by(checked: &CheckReport) -> Markup {
    let outcomes = checked.outcomes.iter();
    let skipped = outcomes.filter(|outcome| outcome.outcome == Verdict::Skip);
    let groups = grouped(skipped.map(|outcome| (outcome.enable.clone(), outcome.id)));
    html! {
        @if !groups.is_empty() {
            section #skipped {
                h2 { "Skipped checks, and what would enable them" }
                dl.enable {
                    @for (enable, ids) in groups {
                        div {
                            dt {
                                @if enable.is_empty() { "nothing: they do not apply to this server" }
                                @else { (ticked(&enable.join(" and "))) }
                            }
                            dd {
                                @for id in ids { a href=(format!("#all-{id}")) { (id) } " " }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A text of this program in which code is between backticks.
fn ticked(text: &str) -> Markup {
    html! {
        @for (place, part) in text.split('`').enumerate() {
            @if place % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// What was learned before anything was judged.
fn learned_section(learned: &Learned) -> Markup {
    let phrases = learned.phrases();
    html! {
        section {
            h2 { "What was learned about the server" }
            p.aside {
                "Before judging, in " (super::seconds(learned.took_ms as f64 / 1e3))
                ". The checks keep to these limits; the slowest of several plain exchanges took "
                (super::seconds(learned.exchange_ms / 1e3)) ", and all time limits follow it."
            }
            @if phrases.is_empty() { p { "It sets no limit that was met." } }
            @else { ul { @for phrase in phrases { li { (safe(&phrase)) } } } }
        }
    }
}
