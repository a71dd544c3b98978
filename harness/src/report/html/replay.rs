//! The page of a replay: which findings are still there.

use maud::{Markup, html};

use super::{Page, facts, frame, safe};
use crate::report::fuzz::ItemOutcome;
use crate::report::{ReplayItem, ReplayReport};

/// The headings of a finding's columns.
const HEADS: [&str; 4] = ["kind", "outcome", "servers", "what was seen"];

/// The page of a replay.
pub(crate) fn replay(page: &Page, replay: &ReplayReport) -> String {
    let mut items: Vec<&ReplayItem> = replay.items.iter().collect();
    items.sort_by_key(|item| urgency(item.outcome()));
    let content = html! {
        h1 { (safe(&replay.answer())) }
        (facts(page, &[]))
        @if !replay.items.is_empty() {
            section {
                h2 { "Each finding" }
                div.scroll {
                    table.cards.behaviour {
                        caption { "“Servers” are the fresh servers that showed it, of those that were asked." }
                        thead { tr { th scope="col" { "finding" } @for head in HEADS { th scope="col" { (head) } } } }
                        tbody { @for item in &items { (row(item)) } }
                    }
                }
            }
        }
    };
    frame(page, &content)
}

/// What is still there comes first, then what could not be judged.
fn urgency(outcome: ItemOutcome) -> u8 {
    match outcome {
        ItemOutcome::Reproduced | ItemOutcome::Changed => 0,
        ItemOutcome::Unclear => 1,
        ItemOutcome::Gone | ItemOutcome::Same => 2,
    }
}

fn row(item: &ReplayItem) -> Markup {
    let outcome = item.outcome();
    let class = match outcome {
        ItemOutcome::Reproduced | ItemOutcome::Changed => "badge bad",
        ItemOutcome::Gone | ItemOutcome::Same => "badge good",
        ItemOutcome::Unclear => "badge unsure",
    };
    let cells = [
        html! { (safe(&item.kind)) },
        html! { span class=(class) { (outcome.name()) } },
        html! { (safe(&item.seen)) },
        html! { (safe(item.details())) },
    ];
    html! {
        tr {
            th scope="row" { code { (safe(&item.name())) } }
            @for (head, cell) in HEADS.iter().zip(cells) { td data-head=(head) { span { (cell) } } }
        }
        // Otherwise the name is the path.
        @if !item.id.is_empty() {
            tr.remark { td colspan="5" { div { p.why { (safe(&item.path.display().to_string())) } } } }
        }
    }
}
