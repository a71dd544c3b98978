//! The page of a campaign: its findings, the blocks that it has reached over time, and the functions and lines that it has
//! reached and never reached.

mod code;

use maud::{Markup, html};

use super::check::{Todo, Urgency, command, todo_list};
use super::plot::{Lines, Mark, PlotAxis, Point, Series};
use super::{Page, facts, frame, safe, seconds};
use crate::data::Unit;
use crate::fuzz::{BlocksAt, Coverage, Finding, case, evidence_lines};
use crate::report::fuzz::how_sure;
use crate::report::{FuzzReport, Standing};
use crate::text::{ends, left_out_mark};

/// Maximum steps shown of a finding.
const STEPS_SHOWN: usize = 24;

/// The page of a campaign.
pub(crate) fn fuzz(page: &Page, fuzz: &FuzzReport) -> String {
    let content = html! {
        h1 { (safe(&fuzz.answer())) }
        (facts(page, &fuzz.campaign()))
        (todo_list(&first(fuzz)))
        (sections(fuzz, page.duration_s))
    };
    frame(page, &content)
}

/// Everything about a campaign but its answer.
pub(super) fn sections(fuzz: &FuzzReport, duration_s: f64) -> Markup {
    let result = &fuzz.result;
    html! {
        @if !result.findings.is_empty() {
            section {
                h2 { "Findings" }
                @for found in &result.findings { (finding(found)) }
            }
        }
        @if !result.notes.is_empty() {
            section {
                h2 { "Notes" }
                @for note in &result.notes { p { (safe(note)) } }
            }
        }
        (blocks(&result.coverage, duration_s))
        @if let Some(code) = &result.coverage.code { (code::section(code)) }
    }
}

/// The findings that are bugs, or may be, the most urgent first.
pub(super) fn todos(fuzz: &FuzzReport) -> Vec<Todo> {
    let findings = fuzz.result.findings.iter();
    let found = findings.filter_map(|finding| {
        let urgency = match Standing::of(finding) {
            Standing::Counts => Urgency::Ends,
            Standing::Unconfirmed | Standing::Unsettled => Urgency::Unknown,
            Standing::Waived => return None,
        };
        Some(Todo {
            urgency,
            checks: 1,
            what: format!("{}: {}", finding.symptom.kind.name(), finding.symptom.title),
            href: format!("#{}", finding.id),
            next: format!("see it again: {}", finding.reproduce),
        })
    });
    let mut found: Vec<Todo> = found.collect();
    found.sort_by_key(Todo::rank);
    found
}

/// The first of them; all findings follow at once.
fn first(fuzz: &FuzzReport) -> Vec<Todo> {
    let mut first = todos(fuzz);
    first.truncate(FIRST_MAX);
    first
}

/// Maximum findings that the page begins with.
const FIRST_MAX: usize = 3;

fn finding(finding: &Finding) -> Markup {
    let kind = finding.symptom.kind;
    html! {
        article.found id=(finding.id) {
            h3 { (kind.name()) ": " (safe(&finding.symptom.title)) }
            dl.rows {
                (row("means", kind.about()))
                (row("confirmed", &how_sure(finding)))
                @if let Some(reason) = &finding.waived { (row("waived", reason)) }
                div { dt { "first seen" } dd { "after " (seconds(finding.first_seen_s)) } }
                @if !finding.minimal { (row("size", "a smaller case may exist")) }
            }
            (cases(finding))
            (printed(finding))
            (command("See it again", &finding.reproduce))
            @if let Some(folder) = &finding.reproducer {
                p.aside {
                    "The folder " code { (safe(&folder.display().to_string())) }
                    " has the case, and, for what needs no more than a client, programs in Python and Rust that repeat it without tcprove."
                }
            }
        }
    }
}

fn row(name: &str, value: &str) -> Markup {
    html! { div { dt { (name) } dd { (safe(value)) } } }
}

/// What the client does, case by case.
fn cases(finding: &Finding) -> Markup {
    let all: Vec<Vec<String>> = finding.cases.iter().map(case::shown).collect();
    let steps: usize = all.iter().map(Vec::len).sum();
    let mut room = STEPS_SHOWN;
    let mut shown = Vec::new();
    for (number, case) in all.iter().enumerate() {
        if room > 0 {
            shown.push((number + 1, &case[..case.len().min(room)]));
            room = room.saturating_sub(case.len());
        }
    }
    html! {
        h4 { "What the client does" }
        @for (number, steps) in shown {
            @if all.len() > 1 { p.case { "Case " (number) " of " (all.len()) ", on the same server" } }
            ol { @for step in steps { li { code { (safe(step)) } } } }
        }
        @if steps > STEPS_SHOWN { p { "… and " (steps - STEPS_SHOWN) " more steps" } }
    }
}

/// What the server printed: the first and the last lines.
fn printed(finding: &Finding) -> Markup {
    let lists = finding.symptom.evidence.iter();
    let lists = lists.filter_map(|(name, value)| Some((name, evidence_lines(value)?)));
    html! {
        @for (name, lines) in lists {
            @let (first, left_out, last) = ends(&lines, PRINTED_SHOWN);
            h4 { (safe(name)) }
            pre.log {
                @for line in first { (safe(line)) "\n" }
                @if let Some(mark) = left_out_mark(left_out) { (mark) "\n" }
                @for line in last { (safe(line)) "\n" }
            }
        }
    }
}

/// Maximum lines shown of what the server printed.
const PRINTED_SHOWN: usize = 16;

/// The blocks over time; nothing if they were not seen.
fn blocks(coverage: &Coverage, duration_s: f64) -> Markup {
    let Some(count) = coverage.blocks else {
        return html! {};
    };
    let last = coverage.over_time.last().map_or(0.0, |last| last.seconds);
    html! {
        section {
            h2 { "Basic blocks" }
            p { (count.reached) " of " (count.all) " basic blocks were reached." }
            @if coverage.over_time.len() > 1 {
                div.figures { (over_time(&coverage.over_time, duration_s.max(last))) }
            }
        }
    }
}

fn over_time(growth: &[BlocksAt], end_s: f64) -> Markup {
    let mut points: Vec<(f64, f64)> = Vec::new();
    for at in growth {
        // The number stays until it changes.
        if let Some((_, before)) = points.last().copied() {
            points.push((at.seconds, before));
        }
        points.push((at.seconds, at.blocks as f64));
    }
    points.extend(points.last().map(|(_, blocks)| (end_s, *blocks)));
    let y = PlotAxis::figures("blocks", Unit::Count, points.iter().map(|point| point.1));
    let point = |(x, y)| Point {
        x,
        y,
        interval: None,
        mark: Mark::Plain,
        tip: String::new(),
    };
    let (first, last) = (growth.first(), growth.last());
    let ends = [first, last].map(|at| at.map_or(0, |at| at.blocks));
    Lines {
        rules: Vec::new(),
        caption: "Blocks reached over time".into(),
        desc: format!("From {} to {} blocks in {end_s:.0} s.", ends[0], ends[1]),
        x: PlotAxis::since_start(end_s),
        y,
        series: vec![Series {
            name: "blocks".into(),
            points: points.into_iter().map(point).collect(),
            signs: false,
        }],
    }
    .draw()
}
