//! The page of a gate: the answer, whether it would have seen a loss, every metric against its budget.

use maud::{Markup, html};

use super::plot::{Branch, Forest};
use super::{Page, facts, frame, safe};
use crate::gate::GateCell;
use crate::gate::rule::Verdict;
use crate::report::GateReport;
use crate::report::gate::{budget, change, figure, how, how_loaded, name, percent, word};

/// The page of a gate.
pub fn gate(page: &Page, gate: &GateReport) -> String {
    let content = html! {
        @if gate.result.is_void() { (control(gate)) }
        h1 { (safe(&gate.answer())) }
        (facts(page, &[]))
        @if !gate.result.is_void() { (control(gate)) }
        @if !gate.result.cells.is_empty() {
            section {
                h2 { "Every metric against its budget" }
                (forest(gate).unwrap_or_default())
                (table(&gate.result.cells))
            }
        }
        (measured(gate))
    };
    frame(page, &content)
}

/// Whether a loss would have been seen.
fn control(gate: &GateReport) -> Markup {
    let Some(control) = &gate.result.control else {
        return html! {};
    };
    let (class, sentence) = match control.void {
        true => (
            "box bad",
            "✕ The control did not see what was planted: nothing is passed",
        ),
        false => (
            "box good",
            "✓ The control saw what was planted: a loss would have been seen",
        ),
    };
    let seen = control.seen_pct.map_or_else(|| "nothing".into(), percent);
    html! {
        div class=(class) role=[control.void.then_some("alert")] {
            strong { (sentence) }
            p {
                "In " (control.sessions) " sessions the base ran beside itself, and one side was given "
                (percent(control.planted_pct)) " more to do; " (seen) " were seen."
            }
            @if let Some(reason) = &control.reason { p { (safe(reason)) } }
        }
    }
}

fn forest(gate: &GateReport) -> Option<Markup> {
    let rows: Vec<Branch> = gate.result.cells.iter().filter_map(branch).collect();
    let caption = "How much each metric changed, in budgets";
    (!rows.is_empty()).then(|| {
        let told = rows.iter().map(|row| format!("{} {}", row.name, row.text));
        let forest = Forest {
            caption: caption.into(),
            desc: told.collect::<Vec<_>>().join("; "),
            label: "change over budget; right is worse".into(),
            rows,
        };
        html! { div.wide { (forest.draw()) } }
    })
}

/// `None` where nothing was measured.
fn branch(cell: &GateCell) -> Option<Branch> {
    let value = cell.cell.estimate_pct?;
    let in_budgets = |percent: f64| percent / cell.cell.budget_pct;
    let end = |bound: Option<f64>| in_budgets(bound.unwrap_or(value));
    // Green, grey, orange.
    let colour = match cell.cell.verdict {
        Verdict::Pass => 2,
        Verdict::Inconclusive => 5,
        Verdict::Fail => 1,
    };
    Some(Branch {
        name: name(cell),
        colour,
        value: in_budgets(value),
        interval: (end(cell.cell.low_pct), end(cell.cell.high_pct)),
        text: change(cell),
    })
}

fn table(cells: &[GateCell]) -> Markup {
    html! {
        div.scroll {
            table {
                caption { "Medians of sessions, or counts. The intervals are two one-sided bounds of 95 %." }
                thead {
                    tr {
                        th scope="col" { "" }
                        @for head in ["base", "candidate", "change", "budget", "verdict"] {
                            th scope="col" { (head) }
                        }
                    }
                }
                tbody { @for cell in cells { (row(cell)) } }
            }
        }
    }
}

fn row(cell: &GateCell) -> Markup {
    let class = match (cell.cell.verdict, cell.decides) {
        (_, false) => "badge plain",
        (Verdict::Pass, true) => "badge good",
        (Verdict::Inconclusive, true) => "badge unsure",
        (Verdict::Fail, true) => "badge bad",
    };
    html! {
        tr {
            th scope="row" { (name(cell)) }
            td { (figure(cell, cell.base)) }
            td { (figure(cell, cell.candidate)) }
            td { (change(cell)) }
            td { (budget(cell)) }
            td { span class=(class) { (word(cell)) } }
        }
        @if let Some(reason) = &cell.reason {
            tr.remark { td colspan="6" { div { p { (safe(reason)) } } } }
        }
    }
}

/// How it was measured, what was left out, what a reader should know.
fn measured(gate: &GateReport) -> Markup {
    let result = &gate.result;
    html! {
        section {
            h2 { "How it was measured" }
            @for sentence in [how(result), how_loaded(result)].into_iter().flatten() { p { (sentence) } }
            @if let Some(base) = &gate.base { p { "base " code { (safe(base)) } } }
            p { "candidate " code { (safe(&gate.candidate)) } }
            @for skipped in &result.skipped {
                p { b.word { "left out" } }
                pre { @for line in skipped.reason.lines() { (safe(line)) "\n" } }
            }
            @for note in &result.notes { p { (safe(note)) } }
        }
    }
}
