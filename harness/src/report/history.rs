//! One line of JSON per gate, to append to a file: what was compared, when, and on which machine.

use serde_json::json;

use super::{Body, Report};
use crate::data::hash::hash_of;
use crate::gate::history::SCHEMA;

/// The line without a line end; `None` unless the report is of a gate. `time` is the current time
/// in RFC 3339, `commit` what the candidate was built from.
pub(crate) fn line(report: &Report, time: &str, commit: Option<&str>) -> Option<String> {
    let Body::Gate(gate) = &report.body else {
        return None;
    };
    let environment = &report.header.environment;
    // Determines whether figures of two runs are comparable. Steal and limits vary too much.
    let machine = json!({
        "model": environment.model,
        "cpus": environment.cpus,
        "kernel": environment.kernel,
    });
    let cells: Vec<_> = gate
        .result
        .cells
        .iter()
        .map(|cell| {
            json!({
                "metric": cell.metric,
                "at": cell.at,
                "base": cell.base,
                "candidate": cell.candidate,
                "estimate_pct": cell.comparison.estimate_pct,
                "low_pct": cell.comparison.low_pct,
                "high_pct": cell.comparison.high_pct,
                "budget_pct": cell.comparison.budget_pct,
                "spread_pct": cell.spread_pct,
                "verdict": cell.comparison.verdict,
            })
        })
        .collect();
    let line = json!({
        "schema": SCHEMA,
        "run_id": report.header.run_id,
        "time": time,
        "commit": commit,
        "tcprove": environment.tcprove,
        "fingerprint": hash_of(&machine),
        "machine": machine,
        "plan_hash": report.header.plan_hash,
        "target": report.header.target.as_ref().map(|target| &target.name),
        "base": gate.base,
        "candidate": gate.candidate,
        "base_content": gate.contents.base,
        "verdict": report.verdict,
        "duration_s": report.header.duration_s,
        "cells": cells,
    });
    Some(line.to_string())
}
