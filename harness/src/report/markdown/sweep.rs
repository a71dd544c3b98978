//! A sweep in Markdown: the answer, then the table of all cells.

use std::fmt::Write as _;

use crate::load::joined;
use crate::report::terminal::{SWEEP_COLUMNS, shown};
use crate::report::{Report, SweepReport};
use crate::text::markdown::plain;

pub(super) fn render(text: &mut String, report: &Report, sweep: &SweepReport) {
    let result = &sweep.result;
    let _ = writeln!(text, "**{}**\n", plain(&result.recommendation.headline));
    for verdict in &result.recommendation.verdicts {
        let _ = writeln!(text, "- {}", plain(&verdict.sentence));
    }
    let axes = result.axes.iter().map(|axis| plain(&axis.name));
    let heads: Vec<String> = axes
        .chain(SWEEP_COLUMNS.iter().map(|(head, ..)| (*head).to_owned()))
        .collect();
    let _ = writeln!(
        text,
        "\n<details><summary>All {} cells ({} rounds, seed {})</summary>\n\n| {} | |\n|{}",
        result.cells.len(),
        result.rounds,
        report.header.seed,
        heads.join(" | "),
        "---|".repeat(heads.len() + 1)
    );
    for cell in &result.cells {
        let _ = write!(text, "|");
        for ((_, setting), axis) in cell.axes.iter().zip(&result.axes) {
            let _ = write!(
                text,
                " {} |",
                plain(&shown(&setting.requested, axis.is_bytes))
            );
        }
        for (_, metric, write) in SWEEP_COLUMNS {
            let figure = cell
                .metrics
                .get(metric)
                .map(|estimate| write(estimate.estimate));
            let _ = write!(text, " {} |", figure.unwrap_or_default());
        }
        let reasons = match (&cell.same_as, cell.valid) {
            (Some(_), _) => "same settings in force as another cell".to_owned(),
            (None, true) => String::new(),
            (None, false) => format!("invalid: {}", plain(&joined(&cell.reasons))),
        };
        let _ = writeln!(text, " {reasons} |");
    }
    let _ = writeln!(text, "\n</details>");
}
