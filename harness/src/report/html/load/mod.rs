//! The page of a load: the figures, their validity, the course over time, and the state of the connections.

mod asked;
mod over_time;
mod parts;

use maud::{Markup, html};

use super::number::{figure, interval};
use super::{Page, curves, facts, frame, reason, safe};
use crate::data::Unit;
use crate::load::metrics::PERCENTILES;
use crate::load::{Latency, LoadResult, Parts, Validity, Workload};

/// The page of a load.
pub(crate) fn load(
    page: &Page,
    workload: &Workload,
    result: &LoadResult,
    parts: Option<&Parts>,
) -> String {
    let metrics = &result.metrics;
    let response = &metrics.response_us;
    let headline = format!(
        "{} with p50 {} and p99 {}",
        figure(metrics.ops_per_s, Unit::PerSecond),
        bounded(response, "p50", response.p50),
        bounded(response, "p99", response.p99)
    );
    let content = html! {
        @if !result.validity.valid { (trust(&result.validity)) }
        h1 { (headline) }
        (facts(page, &[]))
        (tiles(result))
        @if result.validity.valid { (trust(&result.validity)) }
        (over_time::section(workload, &result.intervals))
        (times(result))
        @if let Some(parts) = parts { (parts::section(parts)) }
        (asked::section(workload, metrics, &result.validity))
        @if let Some(transport) = &result.transport { (asked::wires(transport)) }
    };
    frame(page, &content)
}

/// A percentile, with `≥` if some of its requests never got a reply.
fn bounded(latency: &Latency, name: &str, value: f64) -> String {
    let is_bound = latency.at_least.contains(&name);
    let sign = if is_bound { "≥\u{a0}" } else { "" };
    format!("{sign}{}", figure(value, Unit::Micros))
}

fn tiles(result: &LoadResult) -> Markup {
    let metrics = &result.metrics;
    let rates = || result.intervals.iter().map(|step| step.ops_per_s);
    let low = rates().fold(f64::INFINITY, f64::min);
    let high = rates().fold(f64::NEG_INFINITY, f64::max);
    let windows = match result.intervals.len() {
        0 => String::new(),
        steps => format!(
            "{} in {steps} windows",
            interval(low, high, Unit::PerSecond)
        ),
    };
    let response = &metrics.response_us;
    html! {
        div.tiles {
            (tile("operations per second", &figure(metrics.ops_per_s, Unit::PerSecond), &windows, false))
            @for (name, shown) in [("p50", "p50"), ("p99", "p99"), ("p999", "p99.9")] {
                @let value = response.percentile(name).unwrap_or(f64::NAN);
                @let few = response.too_few.contains(&name);
                (tile(
                    &format!("response time, {shown}"),
                    &bounded(response, name, value),
                    &certainty(response, name),
                    few,
                ))
            }
        }
    }
}

fn tile(name: &str, value: &str, sub: &str, few: bool) -> Markup {
    html! {
        div class=(if few { "tile few" } else { "tile" }) {
            div.name { (name) }
            div.value { (value) }
            div.sub { (sub) }
        }
    }
}

/// The confidence interval of a percentile and its limits, in words.
fn certainty(latency: &Latency, name: &str) -> String {
    let mut words = Vec::new();
    if let Some((low, high)) = latency.intervals.get(name) {
        words.push(interval(*low, *high, Unit::Micros));
    }
    if latency.too_few.contains(&name) {
        words.push("too few samples".into());
    }
    if latency.at_least.contains(&name) {
        words.push("a lower bound: some requests never got a reply".into());
    }
    words.join("; ")
}

/// Whether the figures are valid, and why not.
fn trust(validity: &Validity) -> Markup {
    let (class, sentence) = if !validity.valid {
        ("box bad", "✕ These figures are not to be trusted")
    } else if validity.notes.is_empty() {
        ("box good", "✓ Valid: nothing disturbed the measurement")
    } else {
        ("box unsure", "✓ Valid, with limitations")
    };
    html! {
        div class=(class) role=[(!validity.valid).then_some("alert")] {
            strong { (sentence) }
            @if !validity.reasons.is_empty() {
                ul { @for one in &validity.reasons { li { (reason(&one.into())) } } }
            }
            @for note in &validity.notes { p { (reason(&note.into())) } }
            @if !validity.troubles.is_empty() {
                p { "The first errors:" }
                ul { @for trouble in &validity.troubles { li { code { (safe(trouble)) } } } }
            }
        }
    }
}

/// Response and service times as curves and as a table.
fn times(result: &LoadResult) -> Markup {
    let metrics = &result.metrics;
    html! {
        section {
            h2 { "Response and service times" }
            div.figures {
                (curves::of_load(result).unwrap_or_default())
                div.scroll.times {
                    table {
                        caption { "Response times count from the intended start, service times from the last byte written. Below each percentile is its 95 % interval; ≥ means that some requests never got a reply." }
                        thead { tr { th scope="col" { "" } th scope="col" { "response" } th scope="col" { "service" } } }
                        tbody {
                            @for (name, _) in PERCENTILES {
                                tr {
                                    th scope="row" { (if name == "p999" { "p99.9" } else { name }) }
                                    (percentile(&metrics.response_us, name))
                                    (percentile(&metrics.service_us, name))
                                }
                            }
                            @for name in ["mean", "max"] {
                                tr {
                                    th scope="row" { (name) }
                                    (percentile(&metrics.response_us, name))
                                    (percentile(&metrics.service_us, name))
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn percentile(latency: &Latency, name: &str) -> Markup {
    let value = latency.percentile(name).unwrap_or(f64::NAN);
    let few = latency.too_few.contains(&name);
    let certainty = certainty(latency, name);
    html! {
        td class=(if few { "few" } else { "" }) {
            (bounded(latency, name, value))
            @if !certainty.is_empty() { small { (certainty) } }
        }
    }
}
