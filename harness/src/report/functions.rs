//! Where a counted metric of a gate changed: the functions, in words.

use super::number::digits;
use crate::gate::{Explained, FunctionShare, GateResult};

/// Heading and figures of a table of functions, or of system calls.
pub(super) struct FunctionTable<'a> {
    pub title: String,
    /// Function, base, candidate, share.
    pub rows: Vec<[String; 4]>,
    /// What the functions belong to; `None` for system calls.
    pub explained: Option<&'a Explained>,
}

impl FunctionTable<'_> {
    /// Column headings.
    pub(super) fn heads(&self) -> [&'static str; 4] {
        let of = match self.explained {
            Some(_) => "function",
            None => "system call",
        };
        [of, "base", "candidate", "of the change"]
    }
}

/// Where the counted metrics changed.
pub(super) fn functions(result: &GateResult) -> impl Iterator<Item = FunctionTable<'_>> {
    result.explained.iter().flat_map(|explained| {
        let functions = FunctionTable {
            title: format!(
                "where the {} changed: the cost of each function, with what libraries do for it",
                explained.metric.about()
            ),
            rows: explained.functions.iter().map(row_of).collect(),
            explained: Some(explained),
        };
        let calls = FunctionTable {
            title: "which system calls: how often an operation makes each".to_owned(),
            rows: explained.system_calls.iter().map(row_of).collect(),
            explained: None,
        };
        std::iter::once(functions).chain((!calls.rows.is_empty()).then_some(calls))
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
