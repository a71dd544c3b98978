//! Where a metric of a gate changed: the functions, in words.

use super::number::digits;
use crate::gate::{CostSource, Explained, FunctionShare, GateResult};

/// Heading and figures of a table of functions, or of system calls.
pub(super) struct FunctionTable<'a> {
    pub title: String,
    /// What is in a row.
    of: &'static str,
    /// Function, base, candidate, share.
    pub rows: Vec<[String; 4]>,
    /// What the table is about, in the first one about it.
    pub explained: Option<&'a Explained>,
}

impl FunctionTable<'_> {
    /// Column headings.
    pub(super) fn heads(&self) -> [&'static str; 4] {
        [self.of, "base", "candidate", "of the change"]
    }
}

/// Where the metrics changed.
pub(super) fn functions(result: &GateResult) -> impl Iterator<Item = FunctionTable<'_>> {
    let tables = result.explained.iter().flat_map(|explained| {
        let all = FunctionTable {
            title: title(explained),
            of: "function",
            rows: rows(&explained.functions),
            explained: Some(explained),
        };
        let calls = FunctionTable {
            title: "which functions: how often an operation calls each".to_owned(),
            of: "function",
            rows: rows(&explained.calls),
            explained: None,
        };
        let system_calls = FunctionTable {
            title: "which system calls: how often an operation makes each".to_owned(),
            of: "system call",
            rows: rows(&explained.system_calls),
            explained: None,
        };
        [all, calls, system_calls]
    });
    tables.filter(|table| table.explained.is_some() || !table.rows.is_empty())
}

/// Says what was measured.
fn title(explained: &Explained) -> String {
    let about = explained.metric.about();
    match explained.by {
        CostSource::Counted => format!(
            "where the {about} changed: the cost of each function, with what libraries do for it"
        ),
        CostSource::Calls => format!(
            "where the {about} changed: µs of each function of the script, with what libraries do for it, measured at each call and return by a profiler, which makes calls more expensive"
        ),
        CostSource::Samples => format!(
            "where the {about} changed: µs of each function of the script, with what libraries do for it, estimated by samples of a profiler, which come every 100 µs"
        ),
    }
}

fn rows(shares: &[FunctionShare]) -> Vec<[String; 4]> {
    shares.iter().map(row_of).collect()
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
