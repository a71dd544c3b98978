//! What was put on the server, what it took, and what the kernel knows of the connections.

use maud::{Markup, html};

use super::super::number::{Unit, count, figure, share};
use super::super::{pair, safe};
use crate::load::{Arrivals, End, Metrics, Pace, Transport, Validity, Verify, Workload};

pub(super) fn section(workload: &Workload, metrics: &Metrics, validity: &Validity) -> Markup {
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
        Verify::Sample => {
            "every byte up to 4 KiB; of longer replies the token, and every byte of one in sixteen"
        }
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

/// A row of the table: its name, and the figure of one end.
type Row<'a> = (&'static str, &'a dyn Fn(&End) -> String);

/// What the kernel knows of the connections, at both ends.
pub(super) fn wires(transport: &Transport) -> Markup {
    let bytes = |size: u64| figure(size as f64, Unit::Bytes);
    let rows: [Row; 9] = [
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
