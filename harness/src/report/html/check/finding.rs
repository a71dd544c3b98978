//! One check that fell short: what must hold, what happened, on the wire and in the server, and how to see it again.

use maud::{Markup, html};
use serde_json::Value;

use super::super::{safe, seconds};
use super::{badge, mark, sequence};
use crate::check::Outcome;

/// Maximum length of a command, in characters: one that was cut could not be copied.
const COMMAND_CHARS_MAX: usize = 16_000;

/// The card of an outcome.
pub(super) fn card(outcome: &Outcome, is_open: bool) -> Markup {
    let (class, _) = mark(outcome);
    let seen = outcome.actual.as_ref().or(outcome.reason.as_ref());
    html! {
        details class=(format!("finding {class}")) open[is_open] {
            summary {
                (badge(outcome)) " " b { (outcome.id) } " "
                @if let Some(kind) = outcome.kind { span.kind { "(" (kind.name()) ")" } " " }
                span.seen { (safe(seen.map_or("", String::as_str))) }
            }
            // A link to what is inside opens it.
            div.body id=(outcome.id) {
                (rows(outcome))
                @if let Some(next) = &outcome.next { p.next { b { "next: " } (safe(next)) } }
                (sequence::section(outcome))
                (stderr(outcome))
                (measured(outcome))
                (commands(outcome))
            }
        }
    }
}

/// Requirement, expectation, what happened, and how that is known.
fn rows(outcome: &Outcome) -> Markup {
    let attempts = match outcome.attempts {
        1 => "once".to_owned(),
        times => format!("{times} times"),
    };
    let ran = format!("{attempts}, in {}", seconds(outcome.duration.as_secs_f64()));
    let rows = [
        ("must hold", Some(outcome.requirement)),
        ("waived", outcome.waived.as_deref()),
        ("reason", outcome.reason.as_deref()),
        ("expected", outcome.expected.as_deref()),
        ("happened", outcome.actual.as_deref()),
        ("proof", outcome.stimulus_proof.as_deref()),
        ("control", outcome.control.as_deref()),
    ];
    html! {
        dl.rows {
            @for (name, value) in rows {
                @if let Some(value) = value {
                    div class=[(name == "happened").then_some("happened")] { dt { (name) } dd { (safe(value)) } }
                }
            }
            div { dt { "tried" } dd { (ran) } }
        }
    }
}

/// What the server printed on stderr since the check began.
fn stderr(outcome: &Outcome) -> Markup {
    let lines = outcome.evidence.get("stderr").and_then(Value::as_array);
    html! {
        @if let Some(lines) = lines {
            h4 { "The server's stderr during the check" }
            pre.log { @for line in lines { (safe(&text(line))) "\n" } }
        }
    }
}

/// The measured values.
fn measured(outcome: &Outcome) -> Markup {
    let values = || {
        let shown_elsewhere = ["steps", "stderr"];
        let values = outcome.evidence.iter();
        values.filter(move |(name, _)| !shown_elsewhere.contains(&name.as_str()))
    };
    html! {
        @if values().next().is_some() {
            h4 { "Measured" }
            dl.pairs { @for (name, value) in values() { div { dt { (safe(name)) } dd { (safe(&text(value))) } } } }
        }
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Commands to copy: a click selects the whole one.
fn commands(outcome: &Outcome) -> Markup {
    html! {
        @for (title, text) in [
            ("See it again", &outcome.reproduce),
            ("See it without tcprove", &outcome.by_hand),
        ] {
            (command(title, text))
        }
    }
}

/// A command to copy under its title; nothing if there is none.
pub(in super::super) fn command(title: &str, text: &str) -> Markup {
    html! {
        @if !text.is_empty() {
            h4 { (title) }
            pre.copy { code { (crate::text::escape_text(text, COMMAND_CHARS_MAX)) } }
        }
    }
}
