//! The report of a load: throughput, one table, and validity.

use std::fmt::Write as _;

use crate::load::Latency;
use crate::report::number::{count, digits, micros};
use crate::report::parts::parts;
use crate::report::terminal::described;
use crate::report::{LoadReport, Report};
use crate::text::markdown::plain;

pub(super) fn render(text: &mut String, report: &Report, load: &LoadReport) {
    let metrics = &load.result.metrics;
    let _ = writeln!(
        text,
        "**{} replies/s** — {} (seed {})\n",
        count(metrics.ops_per_s),
        plain(&described(&load.workload)),
        report.header.seed
    );
    if let Some(of) = &load.parts {
        let _ = writeln!(text, "{}\n", parts(of));
    }
    for reason in &load.result.validity.reasons {
        let _ = writeln!(text, "- **invalid**: {}", plain(&reason.to_string()));
    }
    for note in &load.result.validity.notes {
        let _ = writeln!(text, "- {}", plain(&note.to_string()));
    }
    let _ = writeln!(
        text,
        "\n| | mean | p50 | p90 | p99 | p99.9 | max |\n|---|---|---|---|---|---|---|"
    );
    row(text, "response", &metrics.response_us);
    row(text, "service", &metrics.service_us);
    let server = metrics
        .server_cpu_us_per_op
        .map_or("not measured".into(), |each| format!("{} µs", digits(each)));
    let _ = writeln!(
        text,
        "\nCPU per reply: server {server}, client {} µs",
        digits(metrics.client_cpu_us_per_op)
    );
}

fn row(text: &mut String, label: &str, times: &Latency) {
    let _ = write!(text, "| {label} | {} ", micros(times.mean));
    for (name, _) in crate::load::metrics::PERCENTILES {
        let mark = if times.at_least.contains(&name) {
            "≥ "
        } else {
            ""
        };
        let figure = micros(times.percentile(name).unwrap_or(0.0));
        let _ = if times.too_few.contains(&name) {
            write!(text, "| ({mark}{figure}) ")
        } else {
            write!(text, "| {mark}{figure} ")
        };
    }
    let _ = writeln!(text, "| {} |", micros(times.max));
}
