//! The page of a run without a result: why there is none.

use maud::html;

use super::{Page, facts, frame};
use crate::report::{RunError, safe_lines};

/// The page of a run that could not be made, or was interrupted before anything was measured.
pub(crate) fn nothing(page: &Page, error: Option<&RunError>) -> String {
    let content = html! {
        h1 {
            @if error.is_some() { "The run could not be made" } @else { "Nothing was measured" }
        }
        (facts(page, &[]))
        @if let Some(error) = error {
            div.box.bad.quiet role="alert" { pre.log { (safe_lines(&error.message)) } }
        }
    };
    frame(page, &content)
}

/// The page of what was only observed.
pub(crate) fn observed(page: &Page, seen: &str) -> String {
    let content = html! {
        h1 { (super::safe(seen)) }
        (facts(page, &[]))
        p { "Other processes generated the load; " code { "tcprove merge" } " makes one report of all parts." }
    };
    frame(page, &content)
}
