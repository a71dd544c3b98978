//! The answer of a battery in one line, and what to do about it.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use maud::{Markup, html};

use super::super::safe;
use crate::check::{FailureKind, Outcome, Verdict};
use crate::report::CheckReport;

/// Maximum number of things to do that the page lists.
const TODOS_MAX: usize = 6;

/// How urgent something is, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Urgency {
    /// Clients can end the server.
    Ends,
    /// A requirement does not hold.
    Fails,
    /// Something prevents a pass.
    Blocks,
    /// It may be a fault.
    Warns,
    /// More could be known.
    Unknown,
}

/// Something to do.
#[derive(Clone, Debug)]
pub(in super::super) struct Todo {
    pub(in super::super) urgency: Urgency,
    /// How many checks show it.
    pub(in super::super) checks: usize,
    /// What is wrong.
    pub(in super::super) what: String,
    /// The place on the page that has the details.
    pub(in super::super) href: String,
    /// The next step.
    pub(in super::super) next: String,
}

/// The answer in one line.
pub(in super::super) fn headline(checked: &CheckReport) -> String {
    let (counts, ran) = (checked.counts, checked.counts.ran());
    let of = |count: usize, what: &str| format!("{count} of {ran} checks {what}");
    if ran == 0 {
        return "No check ran".to_owned();
    }
    if counts.fail > 0 {
        return of(counts.fail, "failed") + &causes(checked);
    }
    if !checked.blockers.is_empty() {
        return "No check failed, but something else prevents a pass".to_owned();
    }
    if counts.inconclusive > 0 {
        return of(counts.inconclusive, "reached no verdict");
    }
    match counts.warn {
        0 => format!("All {ran} checks passed"),
        1 => format!("No check of {ran} failed; there is 1 warning"),
        warned => format!("No check of {ran} failed; there are {warned} warnings"),
    }
}

/// From how many causes the failures probably come, if these are fewer.
fn causes(checked: &CheckReport) -> String {
    let failed = || {
        let outcomes = checked.outcomes.iter();
        outcomes.filter(|outcome| outcome.fails())
    };
    let shared: BTreeSet<&str> = failed().filter_map(|outcome| outcome.cause).collect();
    let alone = failed().filter(|outcome| outcome.cause.is_none()).count();
    match shared.len() + alone {
        1 if failed().count() > 1 => ", probably for one reason".to_owned(),
        causes if causes < failed().count() => format!(", probably for {causes} reasons"),
        _ => String::new(),
    }
}

/// What to do, the most urgent first.
pub(in super::super) fn todos(checked: &CheckReport) -> Vec<Todo> {
    let mut todos: Vec<Todo> = Vec::new();
    for cause in &checked.causes {
        let of_cause = |outcome: &&Outcome| outcome.cause == Some(cause.id);
        let members: Vec<&Outcome> = checked.outcomes.iter().filter(of_cause).collect();
        let urgency = members.iter().filter_map(|one| urgency(one)).min();
        if let (Some(urgency), Some(first)) = (urgency, members.first()) {
            todos.push(Todo {
                urgency,
                checks: members.len(),
                what: cause.sentence(),
                href: format!("#cause-{}", cause.id),
                next: first.next.clone().unwrap_or_default(),
            });
        }
    }
    for outcome in checked.outcomes.iter().filter(|one| one.cause.is_none()) {
        if let Some(urgency) = urgency(outcome) {
            let seen = outcome.actual.as_ref().or(outcome.reason.as_ref());
            todos.push(Todo {
                urgency,
                checks: 1,
                what: format!("{}: {}", outcome.id, seen.map_or("", String::as_str)),
                href: place(outcome),
                next: outcome.next.clone().unwrap_or_default(),
            });
        }
    }
    for blocker in &checked.blockers {
        todos.push(Todo {
            urgency: Urgency::Blocks,
            checks: 1,
            what: blocker.clone(),
            href: String::new(),
            next: String::new(),
        });
    }
    // The order of the checks decides between equals.
    todos.sort_by_key(Todo::rank);
    todos
}

impl Todo {
    /// The most urgent first, and then what shows in more checks.
    pub(in super::super) fn rank(&self) -> (Urgency, Reverse<usize>) {
        (self.urgency, Reverse(self.checks))
    }
}

/// Where the page has the details: in a card, or only in the list.
fn place(outcome: &Outcome) -> String {
    match outcome.needs_details() {
        true => format!("#{}", outcome.id),
        false => format!("#all-{}", outcome.id),
    }
}

/// `None` if nothing has to be done about it.
fn urgency(outcome: &Outcome) -> Option<Urgency> {
    let dies = [Some(FailureKind::Died), Some(FailureKind::WorkerDied)].contains(&outcome.kind);
    match outcome.outcome {
        _ if outcome.waived.is_some() => None,
        Verdict::Fail if dies => Some(Urgency::Ends),
        Verdict::Fail => Some(Urgency::Fails),
        Verdict::Warn => Some(Urgency::Warns),
        Verdict::Inconclusive => Some(Urgency::Unknown),
        Verdict::Pass | Verdict::Skip => None,
    }
}

/// The list of what to do.
pub(in super::super) fn todo_list(todos: &[Todo]) -> Markup {
    let more = todos.len().saturating_sub(TODOS_MAX);
    html! {
        @if !todos.is_empty() {
            section.todo {
                h2 { "What to do next" }
                ol { @for todo in todos.iter().take(TODOS_MAX) { (item(todo)) } }
                @if more > 0 { p.aside { a href="#findings" { "… and " (more) " more" } } }
            }
        }
    }
}

/// One thing to do.
pub(in super::super) fn item(todo: &Todo) -> Markup {
    let class = match todo.urgency {
        Urgency::Ends | Urgency::Fails | Urgency::Blocks => "bad",
        Urgency::Warns | Urgency::Unknown => "unsure",
    };
    html! {
        li class=(class) {
            @if todo.href.is_empty() { b { (safe(&todo.what)) } }
            @else { a href=(safe(&todo.href)) { (safe(&todo.what)) } }
            @if !todo.next.is_empty() { p.next { b { "next: " } (safe(&todo.next)) } }
        }
    }
}
