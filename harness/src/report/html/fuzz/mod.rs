//! The page of a campaign: its findings, the blocks that it has reached over time, and the functions and lines that it has
//! reached and never reached.

mod code;

use maud::{Markup, html};

use super::plot::{Lines, Mark, PlotAxis, Point, Series};
use super::{Page, facts, frame, safe};
use crate::data::Unit;
use crate::fuzz::{BlocksAt, Coverage, Finding, case, evidence_lines};
use crate::report::FuzzReport;
use crate::report::fuzz::how_sure;
use crate::text::{ends, left_out_mark};

/// Maximum steps shown of a finding.
const STEPS_SHOWN: usize = 24;

/// The page of a campaign.
pub(crate) fn fuzz(page: &Page, fuzz: &FuzzReport) -> String {
    let content = html! {
        h1 { (safe(&fuzz.answer())) }
        (facts(page, &fuzz.campaign()))
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
        (blocks(&result.coverage, duration_s))
        @if let Some(code) = &result.coverage.code { (code::section(code)) }
        @if !result.notes.is_empty() {
            section {
                h2 { "Notes" }
                @for note in &result.notes { p { (safe(note)) } }
            }
        }
    }
}

fn finding(finding: &Finding) -> Markup {
    let steps: Vec<String> = finding.cases.iter().flat_map(case::shown).collect();
    html! {
        h3 { (finding.symptom.kind.name()) ": " (safe(&finding.symptom.title)) }
        p { "Confirmed: " (safe(&how_sure(finding))) "." }
        ol { @for step in steps.iter().take(STEPS_SHOWN) { li { code { (safe(step)) } } } }
        @if steps.len() > STEPS_SHOWN { p { "… and " (steps.len() - STEPS_SHOWN) " more" } }
        (printed(finding))
        @if !finding.reproduce.is_empty() { pre { code { (safe(&finding.reproduce)) } } }
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
                div.figures.single { (over_time(&coverage.over_time, duration_s.max(last))) }
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
