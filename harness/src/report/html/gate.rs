//! The page of a gate: the answer, the control, every metric against its budget.

use maud::{Markup, html};

use super::plot::{Branch, Flame, FlameFrame, Forest};
use super::{Page, facts, frame, safe};
use crate::gate::rule::CellVerdict;
use crate::gate::{CostSource, Explained, Frame, GateCell};
use crate::report::functions::{FunctionTable, functions};
use crate::report::gate::{budget, change, figure, hows, name, percent, word};
use crate::report::{Behaviour, BehaviourChange, ChangeKind, GateReport, behaviour};

/// The page of a gate.
pub(crate) fn gate(page: &Page, gate: &GateReport) -> String {
    let content = html! {
        @if gate.result.is_void() { (control(gate)) }
        h1 { (safe(&gate.answer())) }
        (facts(page, &[]))
        @if !gate.result.is_void() { (control(gate)) }
        @if let Some(behaviour) = &gate.behaviour { (behaviour_of(behaviour)) }
        @if !gate.result.cells.is_empty() {
            section {
                h2 { "Every metric against its budget" }
                (forest(gate).unwrap_or_default())
                (table(&gate.result.cells))
            }
        }
        @for table in functions(&gate.result) {
            (function_table(&table))
        }
        (measured(gate))
    };
    frame(page, &content)
}

/// Whether a regression would have been detected.
fn control(gate: &GateReport) -> Markup {
    let Some(control) = &gate.result.control else {
        return html! {};
    };
    let (class, sentence) = if control.void {
        (
            "box bad",
            "✕ The control did not measure the planted work as it is: nothing passes",
        )
    } else {
        (
            "box good",
            "✓ The control detected the planted work: a regression would have been detected",
        )
    };
    let seen = control.seen_pct.map_or_else(|| "nothing".into(), percent);
    html! {
        div class=(class) role=[control.void.then_some("alert")] {
            strong { (sentence) }
            p {
                "In " (control.sessions) " sessions the base ran against itself, and one side was given "
                (percent(control.planted_pct)) " extra work; the control measured " (seen) "."
            }
            @if let Some(reason) = &control.reason { p { (safe(reason)) } }
        }
    }
}

fn forest(gate: &GateReport) -> Option<Markup> {
    let rows: Vec<Branch> = gate.result.cells.iter().filter_map(branch).collect();
    let caption = "How much each metric changed, in budgets";
    (!rows.is_empty()).then(|| {
        let texts = rows.iter().map(|row| format!("{} {}", row.name, row.text));
        let forest = Forest {
            caption: caption.into(),
            desc: texts.collect::<Vec<_>>().join("; "),
            label: "change over budget; right is worse".into(),
            rows,
        };
        forest.draw()
    })
}

/// `None` if nothing was measured.
fn branch(cell: &GateCell) -> Option<Branch> {
    let value = cell.comparison.estimate_pct?;
    let in_budgets = |percent: f64| percent / cell.comparison.budget_pct;
    let end = |bound: Option<f64>| in_budgets(bound.unwrap_or(value));
    // Green, grey, orange.
    let colour = match cell.comparison.verdict {
        CellVerdict::Pass => 2,
        CellVerdict::Inconclusive => 5,
        CellVerdict::Fail => 1,
    };
    Some(Branch {
        name: name(cell),
        colour,
        value: in_budgets(value),
        interval: (end(cell.comparison.low_pct), end(cell.comparison.high_pct)),
        text: change(cell),
    })
}

/// The headings of the figures of a metric.
const HEADS: [&str; 5] = ["base", "candidate", "change", "budget", "verdict"];

/// On a phone each row is a card, whose figures carry their headings.
fn table(cells: &[GateCell]) -> Markup {
    html! {
        div.scroll {
            table.cards {
                caption { "Medians of sessions, or counts. Intervals are pairs of one-sided 95 % bounds." }
                thead {
                    tr {
                        th scope="col" { "" }
                        @for head in HEADS { th scope="col" { (head) } }
                    }
                }
                tbody { @for cell in cells { (row(cell)) } }
            }
        }
    }
}

fn row(cell: &GateCell) -> Markup {
    let class = match (cell.comparison.verdict, cell.decides) {
        (_, false) => "badge plain",
        (CellVerdict::Pass, true) => "badge good",
        (CellVerdict::Inconclusive, true) => "badge unsure",
        (CellVerdict::Fail, true) => "badge bad",
    };
    let figures = [
        html! { (figure(cell, cell.base)) },
        html! { (figure(cell, cell.candidate)) },
        html! { (change(cell)) },
        html! { (budget(cell)) },
        html! { span class=(class) { (word(cell)) } },
    ];
    html! {
        tr {
            th scope="row" { (name(cell)) }
            @for (head, figure) in HEADS.iter().zip(figures) { td data-head=(head) { (figure) } }
        }
        @if let Some(reason) = &cell.reason {
            tr.remark { td colspan="6" { div { p { (safe(reason)) } } } }
        }
    }
}

/// What base and candidate do differently; nothing if nothing does.
fn behaviour_of(behaviour: &Behaviour) -> Markup {
    let heads = &behaviour::HEADS[1..];
    html! {
        @if !behaviour.changes.is_empty() {
            section {
                h2 { "What they do differently" }
                div.scroll {
                    table.cards.behaviour {
                        thead { tr { th scope="col" { "" } @for head in heads { th scope="col" { (head) } } } }
                        tbody { @for (change, row) in behaviour.rows() { (change_row(change, &row)) } }
                    }
                }
            }
        }
        @if !behaviour.unclear.is_empty() {
            div.box.unsure {
                strong { "Not clear" }
                ul { @for unclear in &behaviour.unclear { li { (safe(unclear)) } } }
            }
        }
    }
}

fn change_row(change: &BehaviourChange, [kind, figures @ ..]: &[String; 4]) -> Markup {
    let class = match change.kind {
        ChangeKind::NewFailure => "badge bad",
        ChangeKind::Fixed => "badge good",
        ChangeKind::ChangedReply | ChangeKind::ChangedVerdict => "badge unsure",
    };
    html! {
        tr {
            th scope="row" { span class=(class) { (kind) } }
            @for (head, figure) in behaviour::HEADS[1..].iter().zip(figures) {
                td data-head=(head) { span { (safe(figure)) } }
            }
        }
        @if let Some(command) = change.reproduce.as_ref().filter(|_| change.kind == ChangeKind::NewFailure) {
            tr.remark { td colspan="4" { div { code { (safe(command)) } } } }
        }
    }
}

/// Where a counted metric changed.
fn function_table(table: &FunctionTable<'_>) -> Markup {
    let heads = table.heads();
    html! {
        section {
            h2 { "Where it changed" }
            div.scroll {
                table.cards {
                    caption { (table.title) }
                    thead { tr { @for head in heads { th scope="col" { (head) } } } }
                    tbody {
                        @for [function, figures @ ..] in &table.rows {
                            tr {
                                th scope="row" { code { (safe(function)) } }
                                @for (head, figure) in heads[1..].iter().zip(figures) {
                                    td data-head=(head) { (figure) }
                                }
                            }
                        }
                    }
                }
            }
            @if let Some(flame) = table.explained.and_then(flame) { div.wide { (flame) } }
        }
    }
}

/// The calls of both servers.
fn flame(explained: &Explained) -> Option<Markup> {
    let root = explained.stacks.as_ref()?;
    let flame = Flame {
        caption: format!(
            "{} in the calls of both servers{}",
            explained.metric.about(),
            match explained.by {
                CostSource::Counted => "",
                CostSource::Calls | CostSource::Samples => ", in µs",
            }
        ),
        desc: format!(
            "{} with the base, {} with the candidate",
            cost(root.base),
            cost(root.candidate)
        ),
        root: Box::new(frame_of(root)),
    };
    Some(flame.draw())
}

fn frame_of(frame: &Frame) -> FlameFrame {
    let name = safe(&frame.function);
    FlameFrame {
        tip: format!("{name}: {} -> {}", cost(frame.base), cost(frame.candidate)),
        name,
        before: frame.base,
        after: frame.candidate,
        above: frame.calls.iter().map(frame_of).collect(),
    }
}

/// A cost of an operation.
fn cost(value: f64) -> String {
    match value {
        _ if value < 100.0 => format!("{value:.2}"),
        _ => format!("{value:.0}"),
    }
}

/// How it was measured, what was skipped, and notes.
fn measured(gate: &GateReport) -> Markup {
    let result = &gate.result;
    html! {
        section {
            h2 { "How it was measured" }
            @for sentence in hows(gate) { p { (sentence) } }
            @if let Some(base) = &gate.base { p { "base " code { (safe(base)) } } }
            p { "candidate " code { (safe(&gate.candidate)) } }
            @for skipped in &result.skipped {
                p { b.word { "skipped" } }
                pre { @for line in skipped.reason.lines() { (safe(line)) "\n" } }
            }
            @for note in &result.notes { p { (safe(note)) } }
            @if let Some(behaviour) = &gate.behaviour { @for note in &behaviour.notes { p { (safe(note)) } } }
        }
    }
}
