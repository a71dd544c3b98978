//! A sweep whose cases were tried in several parts. Pure.

use super::{CallSweepResult, SweepOutcome, SweepRow};

/// The whole, of which these are all parts, in the order of their numbers. Cases are dealt out in turn, so those of the whole
/// are taken from the parts in turn.
///
/// # Errors
/// The parts divided other cases: what differs, with the positions of the two parts.
pub(crate) fn union(parts: &[CallSweepResult]) -> Result<CallSweepResult, (usize, usize, String)> {
    let Some(first) = parts.first() else {
        return Ok(CallSweepResult::default());
    };
    for (place, part) in parts.iter().enumerate() {
        if let Some(what) = difference(first, part) {
            return Err((0, place, what));
        }
    }
    let mut tried: Vec<(String, usize)> = Vec::new();
    for (place, part) in parts.iter().enumerate() {
        for row in &part.rows {
            let case = row.case.to_string();
            if let Some((_, before)) = tried.iter().find(|(known, _)| *known == case) {
                return Err((*before, place, format!("their cases: both tried {case}")));
            }
            tried.push((case, place));
        }
    }
    let longest = parts.iter().map(|part| part.rows.len()).max().unwrap_or(0);
    let rows = (0..longest).flat_map(|row| parts.iter().filter_map(move |part| part.rows.get(row)));
    let rows: Vec<SweepRow> = rows.cloned().collect();
    let is_failed = |row: &&SweepRow| row.outcome == SweepOutcome::Fail;
    Ok(CallSweepResult {
        calls: first.calls.clone(),
        cases: first.cases,
        failed: rows.iter().filter(is_failed).count(),
        left: parts.iter().map(|part| part.left).sum(),
        unanswered: parts
            .iter()
            .flat_map(|part| part.unanswered.clone())
            .collect(),
        has_rings: parts.iter().any(|part| part.has_rings),
        skipped: first.skipped.clone(),
        seconds: parts.iter().map(|part| part.seconds).fold(0.0, f64::max),
        rows,
    })
}

/// Why two parts have not divided the same cases.
fn difference(one: &CallSweepResult, other: &CallSweepResult) -> Option<String> {
    let skipped = |part: &CallSweepResult| match &part.skipped {
        Some(reason) => format!("no case was tried ({reason})"),
        None => format!("{} cases", part.cases),
    };
    if one.skipped.is_some() != other.skipped.is_some() || one.cases != other.cases {
        return Some(format!("{}, and {}", skipped(one), skipped(other)));
    }
    if one.calls != other.calls {
        return Some(format!(
            "the calls of an exchange: {}, and {}",
            one.calls.join(" "),
            other.calls.join(" ")
        ));
    }
    None
}
