//! The page of a load: what it came to, whether that can be trusted, how it went, and over which wires.

use maud::{Markup, html};

use super::curves;
use super::number::{self, Unit, count, figure, interval, share};
use super::plot::{Axis, Lines, Mark, Point, Series};
use super::{Page, facts, frame, pair, reason, safe};
use crate::load::metrics::PERCENTILES;
use crate::load::{Arrivals, End, Latency, LoadResult, Metrics, Pace, Step, Transport, Validity};
use crate::load::{Verify, Workload};

/// The page of a load.
pub fn load(page: &Page, workload: &Workload, result: &LoadResult) -> String {
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
        (over_time(workload, &result.intervals))
        (times(result))
        (what(workload, metrics, &result.validity))
        @if let Some(transport) = &result.transport { (wires(transport)) }
    };
    frame(page, &content)
}

/// A percentile; `≥` where requests among it never got their reply.
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
            (tile("operations a second", &figure(metrics.ops_per_s, Unit::PerSecond), &windows, false))
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

/// How sure a percentile is, in words.
fn certainty(latency: &Latency, name: &str) -> String {
    let mut words = Vec::new();
    if let Some((low, high)) = latency.intervals.get(name) {
        words.push(interval(*low, *high, Unit::Micros));
    }
    if latency.too_few.contains(&name) {
        words.push("too few samples".into());
    }
    if latency.at_least.contains(&name) {
        words.push("at least: some never got a reply".into());
    }
    words.join("; ")
}

/// Whether the figures can be trusted.
fn trust(validity: &Validity) -> Markup {
    let (class, sentence) = match (validity.valid, validity.notes.is_empty()) {
        (false, _) => ("box bad", "✕ These figures are not to be trusted"),
        (true, false) => (
            "box unsure",
            "✓ Valid, with a limit to what the figures say",
        ),
        (true, true) => (
            "box good",
            "✓ Valid: nothing stood in the way of the measurement",
        ),
    };
    html! {
        div class=(class) role=[(!validity.valid).then_some("alert")] {
            strong { (sentence) }
            @if !validity.reasons.is_empty() {
                ul { @for text in &validity.reasons { li { (reason(text)) } } }
            }
            @for note in &validity.notes { p { (reason(note)) } }
            @if !validity.troubles.is_empty() {
                p { "The first troubles:" }
                ul { @for trouble in &validity.troubles { li { code { (safe(trouble)) } } } }
            }
        }
    }
}

fn over_time(workload: &Workload, steps: &[Step]) -> Markup {
    let series = |name: &str, value: fn(&Step) -> f64| Series {
        name: name.into(),
        points: steps
            .iter()
            .map(|step| Point {
                x: step.start_s,
                y: value(step),
                interval: None,
                mark: Mark::Plain,
                tip: String::new(),
            })
            .collect(),
        signs: false,
    };
    let plots = [
        (
            "Throughput over time",
            "operations a second",
            Unit::PerSecond,
            vec![series("throughput", |step| step.ops_per_s)],
        ),
        (
            "Response times over time",
            "response time",
            Unit::Micros,
            vec![
                series("p50", |step| step.p50_us),
                series("p99", |step| step.p99_us),
                series("longest", |step| step.max_us),
            ],
        ),
    ];
    html! {
        @if steps.len() > 1 {
            section {
                h2 { "Over time" }
                div.figures {
                    @for (caption, label, unit, series) in plots {
                        (timeline(caption, label, unit, series, workload))
                    }
                }
                (windows(steps))
            }
        }
    }
}

fn timeline(
    caption: &str,
    label: &str,
    unit: Unit,
    series: Vec<Series>,
    workload: &Workload,
) -> Markup {
    let values = series
        .iter()
        .flat_map(|series| &series.points)
        .map(|point| point.y);
    let y = Axis::figures(label, unit, values);
    let mut desc = format!("{caption}; the table below has the numbers.");
    for one in &series {
        let values = one.points.iter().map(|point| point.y);
        let (low, high) = (
            values.clone().fold(f64::INFINITY, f64::min),
            values.fold(f64::NEG_INFINITY, f64::max),
        );
        desc.push_str(&format!(" {}: {}.", one.name, interval(low, high, unit)));
    }
    let x = Axis::time(workload.duration.as_secs_f64());
    let caption = caption.to_owned();
    Lines {
        caption,
        desc,
        x,
        y,
        series,
    }
    .draw()
}

/// The same as numbers.
fn windows(steps: &[Step]) -> Markup {
    html! {
        details {
            summary { "The " (steps.len()) " windows as numbers" }
            div.scroll {
                table {
                    thead {
                        tr {
                            th scope="col" { "from" }
                            @for name in ["throughput", "p50", "p99", "longest"] { th scope="col" { (name) } }
                        }
                    }
                    tbody {
                        @for step in steps {
                            tr {
                                th scope="row" { (format!("{:.2} s", step.start_s)) }
                                td { (figure(step.ops_per_s, Unit::PerSecond)) }
                                @for time in [step.p50_us, step.p99_us, step.max_us] {
                                    td { (figure(time, Unit::Micros)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The percentiles as a table and as a curve.
fn times(result: &LoadResult) -> Markup {
    let metrics = &result.metrics;
    html! {
        section {
            h2 { "Response and service times" }
            div.figures {
                (curves::of_load(result).unwrap_or_default())
                div.scroll {
                    table {
                        caption { "Response time counts from the intended start, service time from the last byte written. Below each percentile its 95 % interval." }
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

fn what(workload: &Workload, metrics: &Metrics, validity: &Validity) -> Markup {
    let cpu = |us: f64| figure(us, Unit::Micros);
    html! {
        section {
            h2 { "What was asked, and what it took" }
            dl.pairs {
                (asked(workload))
                (pair("replies", &count(metrics.ops)))
                (pair("never answered", &count(metrics.unanswered)))
                (pair("wrong replies", &count(metrics.wrong_replies)))
                (pair("data, both ways", &figure(metrics.bytes_per_s, Unit::BytesPerSecond)))
                (pair("connects", &count(metrics.connects)))
                (pair("client CPU time an operation", &cpu(metrics.client_cpu_us_per_op)))
                @if let Some(us) = metrics.server_cpu_us_per_op { (pair("server CPU time an operation", &cpu(us))) }
                @if let Some(cores) = metrics.server_cores { (pair("cores the server kept busy", &figure(cores, Unit::Plain))) }
                @if let Some(bytes) = metrics.server_rss_peak_bytes { (pair("server memory at its peak", &figure(bytes as f64, Unit::Bytes))) }
                @if let Some(ratio) = validity.achieved_ratio { (pair("replies of requests due", &share(ratio))) }
                (pair("send lag, p99", &cpu(validity.send_lag_us.p99)))
                (pair("busiest client thread", &share(validity.client_busy)))
                (pair("waited for a core", &share(validity.client_starved)))
                (pair("connections lost", &count(validity.connections_lost)))
            }
        }
    }
}

fn asked(workload: &Workload) -> Markup {
    let pace = match workload.pace {
        Pace::Closed => "closed: a reply makes room for the next request".to_owned(),
        Pace::Open {
            rate,
            rate_to,
            arrivals,
        } => {
            let arrivals = match arrivals {
                Arrivals::Constant => "equal distances",
                Arrivals::Poisson => "Poisson arrivals",
            };
            let rate = figure(rate, Unit::PerSecond);
            let to = figure(rate_to, Unit::PerSecond);
            let grows = if rate == to {
                String::new()
            } else {
                format!(" to {to}")
            };
            format!("open: {rate}{grows}, {arrivals}")
        }
    };
    let verify = match workload.verify {
        Verify::All => "every byte of every reply",
        Verify::Sample => "every byte of one reply in sixteen",
        Verify::None => "length and frame only",
    };
    let bytes = |size: usize| figure(size as f64, Unit::Bytes);
    let socket = workload.socket;
    let seconds =
        |duration: std::time::Duration| figure(duration.as_secs_f64() * 1e6, Unit::Micros);
    let connections = match workload.ramp_connections_from {
        Some(from) => format!(
            "{} to {}",
            count(from as u64),
            count(workload.connections as u64)
        ),
        None => count(workload.connections as u64),
    };
    html! {
        (pair("connections", &connections))
        (pair("loop", &pace))
        (pair("pipeline", &count(workload.pipeline as u64)))
        (pair("payload", &bytes(workload.payload_bytes)))
        (pair("engine threads", &format!("{}{}", workload.threads, if workload.pin { ", pinned" } else { "" })))
        (pair("measured period", &format!("{} after {} of warm-up", seconds(workload.duration), seconds(workload.warmup))))
        (pair("compared", verify))
        @if let Some(churn) = workload.churn { (pair("exchanges a connection", &count(u64::from(churn)))) }
        @if let Some(size) = socket.so_rcvbuf { (pair("SO_RCVBUF as asked for", &bytes(size))) }
        @if let Some(size) = socket.so_sndbuf { (pair("SO_SNDBUF as asked for", &bytes(size))) }
        @if let Some(mss) = socket.mss { (pair("TCP_MAXSEG as asked for", &bytes(mss as usize))) }
    }
}

/// What the kernel knows of the connections, at both ends.
fn wires(transport: &Transport) -> Markup {
    let bytes = |size: u64| figure(size as f64, Unit::Bytes);
    let rows: [(&str, &dyn Fn(&End) -> String); 9] = [
        ("SO_RCVBUF in force", &|end| bytes(end.so_rcvbuf)),
        ("SO_SNDBUF in force", &|end| bytes(end.so_sndbuf)),
        ("segment, at most", &|end| bytes(u64::from(end.mss))),
        ("window it offers", &|end| bytes(u64::from(end.rcv_wnd))),
        ("window scale", &|end| end.window_scale.to_string()),
        ("round trip", &|end| figure(end.rtt_us, Unit::Micros)),
        ("segments sent again", &|end| count(end.retransmits)),
        ("held back by the peer's window", &|end| {
            share(end.rwnd_limited)
        }),
        ("held back by its send buffer", &|end| {
            share(end.sndbuf_limited)
        }),
    ];
    let sentence = transport.why.as_deref();
    html! {
        section {
            h2 { "The connections as the kernel sees them" }
            p { (safe(sentence.unwrap_or("Nothing held the data back for a notable part of the time."))) }
            div.scroll {
                table {
                    caption { "Medians, sums and shares over " (number::count(transport.sampled as u64)) " connections." }
                    thead {
                        tr {
                            th scope="col" { "" }
                            th scope="col" { "client" }
                            @if transport.server.is_some() { th scope="col" { "server" } }
                        }
                    }
                    tbody {
                        @for (name, value) in rows {
                            tr {
                                th scope="row" { (name) }
                                td { (value(&transport.client)) }
                                @if let Some(server) = &transport.server { td { (value(server)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}
