//! The table of response and service times, as wide as the terminal allows.

use std::fmt::Write as _;

use super::style::{DIM, RESET};
use crate::load::metrics::PERCENTILES;
use crate::load::{Latency, Metrics};
use crate::report::number::{digits, micros};
use crate::report::wrap::wrap;

/// Width of the first column.
const LABEL: usize = 10;
/// Width of a column of numbers, and the least that holds all of them.
const FIGURE: [usize; 2] = [13, 11];
/// Columns of numbers: the mean, the percentiles and the maximum.
const FIGURES: usize = PERCENTILES.len() + 2;

/// The times of the requests, and of the handshakes if there are any.
pub(super) fn table(text: &mut String, metrics: &Metrics, columns: Option<usize>) {
    let mut rows = vec![
        ("response", &metrics.response_us),
        ("service", &metrics.service_us),
    ];
    rows.extend(
        metrics
            .handshake_us
            .iter()
            .map(|times| ("handshake", times)),
    );
    let fits = |figure: &usize| columns.is_none_or(|columns| LABEL + FIGURES * figure < columns);
    match FIGURE.into_iter().find(fits) {
        Some(width) => wide(text, &rows, width),
        None => narrow(text, &rows),
    }
    if let Some(handshake) = &metrics.handshake_us {
        let about = format!(
            "{} TLS handshakes, not part of the response times",
            handshake.count
        );
        let _ = writeln!(text, "{DIM}{}{RESET}", wrap(&about, 0, columns));
    }
    text.push('\n');
}

/// A row for each kind of time.
fn wide(text: &mut String, rows: &[(&str, &Latency)], width: usize) {
    let _ = write!(text, "\n{:<LABEL$}", "");
    for (head, ..) in figures(rows[0].1) {
        let _ = write!(text, "{DIM}{head:>width$}{RESET}");
    }
    text.push('\n');
    for (place, (label, times)) in rows.iter().enumerate() {
        let _ = write!(text, "{label:<LABEL$}");
        for (_, figure, is_sure) in figures(times) {
            if is_sure {
                let _ = write!(text, "{figure:>width$}");
            } else {
                let _ = write!(text, "{DIM}{figure:>width$}{RESET}");
            }
        }
        text.push('\n');
        if place == 0 {
            let _ = write!(text, "{DIM}{:<LABEL$}{:>width$}", "", "");
            for (name, _) in PERCENTILES {
                let _ = write!(text, "{:>width$}", interval(times, name));
            }
            let _ = writeln!(text, "{RESET}");
        }
    }
}

/// A row for each figure.
fn narrow(text: &mut String, rows: &[(&str, &Latency)]) {
    for (label, times) in rows {
        let _ = writeln!(text, "\n{label}");
        for (head, figure, _) in figures(times) {
            let _ = writeln!(text, "{DIM}{head:>6}{RESET} {figure}");
        }
    }
}

/// Heading, figure, and whether enough samples lie beyond it.
fn figures(times: &Latency) -> Vec<(&'static str, String, bool)> {
    let mut figures = vec![("mean", micros(times.mean), true)];
    for (name, _) in PERCENTILES {
        let value = micros(times.percentile(name).unwrap_or(0.0));
        let value = if times.at_least.contains(&name) {
            format!(">= {value}")
        } else {
            value
        };
        let head = if name == "p999" { "p99.9" } else { name };
        let is_sure = !times.too_few.contains(&name);
        let value = if is_sure { value } else { format!("({value})") };
        figures.push((head, value, is_sure));
    }
    figures.push(("max", micros(times.max), true));
    figures
}

/// The 95 % confidence interval of a percentile, by resampling windows; in the unit of its upper end.
fn interval(times: &Latency, name: &str) -> String {
    let Some((low, high)) = times.intervals.get(name) else {
        return String::new();
    };
    let scale = match high {
        _ if *high < 1e3 => 1.0,
        _ if *high < 1e6 => 1e3,
        _ => 1e6,
    };
    format!("{}-{}", digits(low / scale), digits(high / scale))
}
