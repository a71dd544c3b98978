//! The page of a whole run: the most important things first, then battery, campaign and sweep.

use maud::{Markup, html};

use super::check::{Todo, headline, item, sections, since, tiles, todos};
use super::{Page, facts, frame, fuzz, safe, sweep};
use crate::report::{Body, FuzzReport, Report, Whole, safe_lines};

/// How many things come first.
const FIRST: usize = 3;

/// The page of a whole run.
pub(crate) fn whole(page: &Page, whole: &Whole) -> String {
    let found = whole.campaign();
    let mut answer = headline(&whole.checked);
    if let Some(fuzz) = found {
        answer += &format!("; {}", fuzz.answer());
    }
    let content = html! {
        h1 { (safe(&answer)) }
        (facts(page, &[]))
        (first(whole, found))
        (since(&whole.checked))
        nav.parts {
            a href="#battery" { "checks" }
            @if whole.fuzz.is_some() { " " a href="#campaign" { "fuzz campaign" } }
            @if whole.bench.is_some() { " " a href="#sweep" { "sweep" } }
        }
        div.part #battery {
            h2.part { "Checks" }
            p.answer { (headline(&whole.checked)) }
            (tiles(&whole.checked))
            (sections(&whole.checked))
        }
        @if let Some(report) = &whole.fuzz { (part("campaign", "Fuzz campaign", report)) }
        @if let Some(report) = &whole.bench { (part("sweep", "Sweep", report)) }
    };
    frame(page, &content)
}

/// The most important things, whatever part has seen them.
fn first(whole: &Whole, found: Option<&FuzzReport>) -> Markup {
    let mut todos = todos(&whole.checked);
    todos.extend(found.into_iter().flat_map(fuzz::todos));
    todos.sort_by_key(Todo::rank);
    let advice = advice(whole);
    let room = FIRST.saturating_sub(todos.len().min(FIRST));
    html! {
        section.todo {
            h2 { "The most important things" }
            ol {
                @for todo in todos.iter().take(FIRST) { (item(todo)) }
                @for (href, text) in advice.iter().take(room) { li { a href=(href) { (safe(text)) } } }
            }
            @if todos.len() > FIRST {
                p.aside { a href="#findings" { "… and " (todos.len() - FIRST) " more" } }
            }
        }
    }
}

/// What is worth knowing where nothing is wrong.
fn advice(whole: &Whole) -> Vec<(&'static str, String)> {
    let swept = whole.bench.as_ref().and_then(|report| match &report.body {
        Body::Sweep(sweep) => Some(&sweep.result.recommendation),
        _ => None,
    });
    let skipped = whole.checked.counts.skip;
    let skipped = (skipped > 0).then(|| {
        (
            "#skipped",
            format!("{skipped} checks were skipped: what would enable them"),
        )
    });
    let swept = swept.filter(|swept| swept.verdicts.iter().any(|verdict| verdict.value.is_some()));
    swept
        .map(|swept| ("#sweep", swept.headline.clone()))
        .into_iter()
        .chain(skipped)
        .collect()
}

/// What followed the battery.
fn part(id: &str, title: &str, report: &Report) -> Markup {
    html! {
        div.part id=(id) {
            h2.part { (title) }
            @if let Some(error) = &report.error {
                div.box.unsure { pre.log { (safe_lines(&error.message)) } }
            }
            @match &report.body {
                Body::Fuzz(campaign) => {
                    p.answer { (safe(&campaign.answer())) }
                    p.facts { @for fact in campaign.campaign() { span { (fact) } } }
                    (fuzz::sections(campaign, report.header.duration_s))
                }
                Body::Sweep(swept) => (sweep::sections(&swept.result)),
                _ => {}
            }
        }
    }
}
