//! The requested load, its cost, and the state of the connections in the kernel.

use maud::{Markup, html};

use super::super::number::{count, figure, share};
use super::super::{pair, safe};
use crate::data::Unit;
use crate::load::{Arrivals, End, Loop, Metrics, Transport, Validity, Verify, Workload};

pub(super) fn section(workload: &Workload, metrics: &Metrics, validity: &Validity) -> Markup {
    let cpu = |us: f64| figure(us, Unit::Micros);
    html! {
        section {
            h2 { "Workload and cost" }
            dl.pairs {
                (asked(workload))
                (pair("replies", &count(metrics.ops)))
                (pair("requests without a reply", &count(metrics.unanswered)))
                (pair("wrong replies", &count(metrics.wrong_replies)))
                (pair("data, both directions", &figure(metrics.bytes_per_s, Unit::BytesPerSecond)))
                (pair("connects", &count(metrics.connects)))
                (pair("client CPU time per operation", &cpu(metrics.client_cpu_us_per_op)))
                @if let Some(us) = metrics.server_cpu_us_per_op { (pair("server CPU time per operation", &cpu(us))) }
                @if let Some(cores) = metrics.server_cores { (pair("server CPU use, cores", &figure(cores, Unit::Count))) }
                @if let Some(bytes) = metrics.server_rss_peak_bytes { (pair("peak server memory", &figure(bytes as f64, Unit::Bytes))) }
                @if let Some(ratio) = validity.achieved_ratio { (pair("replies per scheduled request", &share(ratio))) }
                (pair("send lag, p99", &cpu(validity.send_lag_us.p99)))
                (pair("busiest client thread", &share(validity.client_busy)))
                (pair("time the client waited for a core", &share(validity.client_starved)))
                (pair("connections lost", &count(validity.connections_lost)))
            }
        }
    }
}

fn asked(workload: &Workload) -> Markup {
    let pace = match workload.pace {
        Loop::Closed => "closed: each reply triggers the next request".to_owned(),
        Loop::Open {
            rate,
            rate_to,
            arrivals,
        } => {
            let arrivals = match arrivals {
                Arrivals::Constant => "constant intervals",
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
        Verify::Sample => {
            "every byte up to 4 KiB; of longer replies the token, and every byte of every 16th reply"
        }
        Verify::None => "length and framing only",
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
        @if workload.part.count > 1 { (pair("part", &format!("{} of {}", workload.part.index + 1, workload.part.count))) }
        (pair("connections", &connections))
        (pair("loop", &pace))
        (pair("pipeline", &count(workload.pipeline as u64)))
        (pair("payload", &bytes(workload.payload_bytes)))
        (pair("engine threads", &format!("{}{}", workload.threads, if workload.pin { ", pinned" } else { "" })))
        (pair("measured period", &format!("{} after {} of warm-up", seconds(workload.duration), seconds(workload.warmup))))
        (pair("verified", verify))
        @if let Some(churn) = workload.churn { (pair("exchanges per connection", &count(u64::from(churn)))) }
        @if let Some(size) = socket.so_rcvbuf { (pair("SO_RCVBUF requested", &bytes(size))) }
        @if let Some(size) = socket.so_sndbuf { (pair("SO_SNDBUF requested", &bytes(size))) }
        @if let Some(mss) = socket.mss { (pair("TCP_MAXSEG requested", &bytes(mss as usize))) }
    }
}

/// A row of the table: its name, and the value at one end.
type Row<'a> = (&'static str, &'a dyn Fn(&End) -> String);

/// The state of the connections at both ends, according to the kernel.
pub(super) fn wires(transport: &Transport) -> Markup {
    let bytes = |size: u64| figure(size as f64, Unit::Bytes);
    let rows: [Row; 9] = [
        ("SO_RCVBUF in force", &|end| bytes(end.so_rcvbuf)),
        ("SO_SNDBUF in force", &|end| bytes(end.so_sndbuf)),
        ("maximum segment", &|end| bytes(u64::from(end.mss))),
        ("advertised window", &|end| bytes(u64::from(end.rcv_wnd))),
        ("window scale", &|end| end.window_scale.to_string()),
        ("round trip", &|end| figure(end.rtt_us, Unit::Micros)),
        ("retransmitted segments", &|end| count(end.retransmits)),
        ("limited by the peer's window", &|end| {
            share(end.rwnd_limited)
        }),
        ("limited by its send buffer", &|end| {
            share(end.sndbuf_limited)
        }),
    ];
    let sentence = transport.why.as_deref();
    html! {
        section {
            h2 { "Connections according to the kernel" }
            p { (safe(sentence.unwrap_or("Nothing limited the data for a significant part of the time."))) }
            div.scroll.narrow {
                table {
                    caption { "Medians, sums and shares over " (count(transport.sampled as u64)) " connections." }
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
