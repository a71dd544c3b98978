//! Where a counted metric of a gate changed: the functions, in words.

use super::number::digits;
use crate::gate::{FunctionShare, GateResult};

/// Heading and figures of a table of functions.
pub(super) struct FunctionTable {
    pub title: String,
    /// Function, base, candidate, share.
    pub rows: Vec<[String; 4]>,
}

/// Column headings of a [`FunctionTable`].
pub(super) const FUNCTION_HEADS: [&str; 4] = ["function", "base", "candidate", "of the change"];

/// Where the counted metrics changed.
pub(super) fn functions(result: &GateResult) -> impl Iterator<Item = FunctionTable> {
    result.explained.iter().map(|explained| FunctionTable {
        title: format!(
            "where the {} changed: the cost of each function, with what libraries do for it",
            explained.metric.about()
        ),
        rows: explained.functions.iter().map(row_of).collect(),
    })
}

fn row_of(share: &FunctionShare) -> [String; 4] {
    let figure = |value: f64| {
        if value.abs() < 1e4 {
            digits(value)
        } else {
            format!("{value:.0}")
        }
    };
    [
        share.function.clone(),
        figure(share.base),
        figure(share.candidate),
        format!("{:.0} %", share.share_pct),
    ]
}
