//! What changed since an earlier run.

use maud::{Markup, html};

use super::super::safe;
use crate::report::{ChangeKind, Since};

/// The headings of a change's columns.
const HEADS: [&str; 3] = ["what", "then", "now"];

/// The section about an earlier run.
pub(in super::super) fn section(since: &Since) -> Markup {
    let class = if since.has_new_failures() {
        "box bad quiet"
    } else {
        "box good"
    };
    html! {
        section #since {
            h2 { "Since the earlier run" }
            div class=(class) {
                strong { (since.answer()) }
                p { "Compared with run " code { (safe(&since.run_id)) } "." }
                @for note in &since.notes { p { (safe(note)) } }
            }
            @if !since.changes.is_empty() {
                div.scroll {
                    table.cards.behaviour {
                        thead { tr { th scope="col" { "" } @for head in HEADS { th scope="col" { (head) } } } }
                        tbody {
                            @for change in &since.changes {
                                @let cells = [&change.what, &change.then, &change.now];
                                tr {
                                    th scope="row" { span class=(badge(change.kind)) { (change.kind.name()) } }
                                    @for (head, cell) in HEADS.iter().zip(cells) {
                                        td data-head=(head) { span { (safe(cell)) } }
                                    }
                                }
                            }
                        }
                    }
                }
            }
            @if !since.unclear.is_empty() { p.aside { "Not clear: " (safe(&since.unclear.join(", "))) "." } }
        }
    }
}

fn badge(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::NewFailure => "badge bad",
        ChangeKind::Fixed => "badge good",
        ChangeKind::ChangedReply | ChangeKind::ChangedVerdict => "badge unsure",
    }
}
