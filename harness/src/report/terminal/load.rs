//! The report of a load: throughput, response times, costs, and validity.

use std::fmt::Write as _;

use super::latency::table;
use super::style::{BOLD, DIM, MAGENTA, RED, RESET, YELLOW};
use super::{histogram, verdict_line};
use crate::load::{Loop, Metrics, OverloadReport, Part, SloReport, Workload};
use crate::report::number::{bytes, count, digits, micros};
use crate::report::parts::parts;
use crate::report::wrap::wrap;
use crate::report::{LoadReport, Report};
use crate::text::escape_text;

/// Width of the first column.
const LABEL: usize = 10;

pub(super) fn render(
    text: &mut String,
    report: &Report,
    load: &LoadReport,
    columns: Option<usize>,
) {
    let (workload, result) = (&load.workload, &load.result);
    let metrics = &result.metrics;
    let _ = writeln!(text, "{}", wrap(&described(workload), 0, columns));
    let rate = format!("{} replies/s", count(metrics.ops_per_s));
    let _ = writeln!(
        text,
        "\n{BOLD}{rate}{RESET}  {DIM}{}{RESET}",
        wrap(&amounts(metrics), rate.chars().count() + 2, columns)
    );
    table(text, metrics, columns);
    let sum = &load.result.histogram;
    histogram::draw(text, "response times", sum, columns);
    costs(text, load, columns);
    trust(text, load, columns);
    if let Some(slo) = &load.slo {
        objective(text, slo, columns);
    }
    if let Some(over) = &load.overload {
        beyond(text, over, columns);
    }
    if report.header.interrupted {
        let _ = writeln!(
            text,
            "{YELLOW}interrupted{RESET}: the figures cover the time until then"
        );
    }
    verdict_line(text, report, &answer(load), columns);
}

/// The answer in a few words: the rate of an objective, the knee, or the replies of a single load.
fn answer(load: &LoadReport) -> String {
    let replies = || format!("{} replies/s", count(load.result.metrics.ops_per_s));
    match (&load.slo, &load.overload) {
        (Some(slo), _) => format!("{} {}", slo.objective, met(slo)),
        (None, Some(over)) => format!("knee {}", knee(over)),
        (None, None) => replies(),
    }
}

/// How many replies and bytes there were.
fn amounts(metrics: &Metrics) -> String {
    format!(
        "({} replies; {}/s sent, {}/s received)",
        metrics.ops,
        bytes(a_second(metrics.bytes_sent, metrics)),
        bytes(a_second(metrics.bytes_received, metrics))
    )
}

fn a_second(bytes: u64, metrics: &Metrics) -> f64 {
    (bytes as f64 / metrics.measured_s.max(f64::MIN_POSITIVE)).round()
}

/// The load in one line.
pub(in crate::report) fn described(workload: &Workload) -> String {
    let pace = match workload.pace {
        Loop::Closed => format!("closed loop, {} in flight on each", workload.pipeline),
        Loop::Open { rate, rate_to, .. } if rate != rate_to => {
            format!(
                "open loop, {} to {} requests/s",
                count(rate),
                count(rate_to)
            )
        }
        Loop::Open { rate, arrivals, .. } => format!(
            "open loop, {} requests/s ({arrivals:?} arrivals)",
            count(rate)
        )
        .to_lowercase(),
    };
    let depth = match (workload.is_open(), workload.pipeline) {
        (false, _) => String::new(),
        (true, 1) => ", one at a time on each".into(),
        (true, depth) => format!(", up to {depth} at a time on each"),
    };
    let churn = workload.churn.map_or(String::new(), |churn| {
        format!(", a new connection after {churn} requests")
    });
    let part = match workload.part {
        Part { count: 1, .. } => String::new(),
        Part { index, count } => format!("part {} of {count} of ", index + 1),
    };
    format!(
        "{part}{} connections, {pace}{depth}{churn}; payload {}; {:.1} s after {:.1} s of warm-up; {} engine {}{}",
        workload.connections,
        bytes(workload.payload_bytes as f64),
        workload.duration.as_secs_f64(),
        workload.warmup.as_secs_f64(),
        workload.threads,
        if workload.threads == 1 {
            "thread"
        } else {
            "threads"
        },
        if workload.pin { ", pinned" } else { "" },
    )
}

fn costs(text: &mut String, load: &LoadReport, columns: Option<usize>) {
    let metrics = &load.result.metrics;
    let mut row = |label: &str, value: &str| {
        let _ = writeln!(
            text,
            "{DIM}{label:<LABEL$}{RESET} {}",
            wrap(value, LABEL + 1, columns)
        );
    };
    let server = match (metrics.server_cpu_us_per_op, metrics.server_cores) {
        (Some(each), Some(cores)) => format!(
            "CPU {} µs per reply ({cores:.2} cores), {:.2} context switches per reply, {} resident at peak",
            digits(each),
            metrics.server_context_switches_per_op.unwrap_or(0.0),
            bytes(metrics.server_rss_peak_bytes.unwrap_or(0) as f64)
        ),
        _ if load.parts.is_some() => {
            "not measured by any part (pass --pid to a part on its machine)".into()
        }
        _ => "not measured (pass --pid for a server that tcprove did not start)".into(),
    };
    row("server", &server);
    let client = match metrics.measured_s > 0.0 {
        true => format!(
            "CPU {} µs per reply, busy {:.0} % of the time, {:.2} context switches per reply",
            digits(metrics.client_cpu_us_per_op),
            load.result.validity.client_busy * 100.0,
            metrics.client_context_switches_per_op
        ),
        false => "nothing was measured".into(),
    };
    row("client", &client);
    if let Some(of) = &load.parts {
        row("parts", &parts(of));
    }
    if metrics.planned_closes > 0 {
        row(
            "closes",
            &format!(
                "{} connections opened, {} closed as planned, {} of these announced by the server",
                metrics.connects, metrics.planned_closes, metrics.announced_closes
            ),
        );
    }
    if let Some(why) = load
        .result
        .transport
        .as_ref()
        .and_then(|transport| transport.why.as_ref())
    {
        row("held back", why);
    }
    let lag = load.result.validity.send_lag_us;
    if load.workload.is_open() {
        row(
            "send lag",
            &format!(
                "p50 {}, p99 {}, max {}",
                micros(lag.p50),
                micros(lag.p99),
                micros(lag.max)
            ),
        );
    }
}

/// The highest rate that meets the objective, as an interval.
fn objective(text: &mut String, slo: &SloReport, columns: Option<usize>) {
    let _ = writeln!(text, "{BOLD}{}{RESET}: {}", slo.objective, met(slo));
    if let Some(rate) = slo.confirmed_per_s {
        let _ = writeln!(
            text,
            "{DIM}confirmed{RESET}   by shorter loads at {} requests/s",
            count(rate)
        );
    }
    if let Some(why) = &slo.gave_way {
        let why = wrap(&escape_text(why, 600), 11, columns);
        let _ = writeln!(text, "{DIM}gave way{RESET}   {why}");
    }
    if let Some(why) = &slo.our_limit {
        let why = wrap(&escape_text(why, 600), 11, columns);
        let _ = writeln!(text, "{YELLOW}our limit{RESET}:  {why}");
    }
    if let Some(why) = &slo.inconclusive {
        let why = wrap(&escape_text(why, 600), 14, columns);
        let _ = writeln!(text, "{MAGENTA}inconclusive{RESET}: {why}");
    }
}

/// The highest rate that meets the objective.
fn met(slo: &SloReport) -> String {
    match (slo.highest_passing_per_s, slo.lowest_failing_per_s) {
        (Some(low), Some(high)) => format!(
            "met up to {} requests/s, not at {}",
            count(low),
            count(high)
        ),
        (Some(low), None) => format!("met up to {} requests/s; no higher rate failed", count(low)),
        (None, _) if slo.inconclusive.is_some() => "not confirmed at any rate".into(),
        (None, Some(high)) => format!("not met, even at {} requests/s", count(high)),
        (None, None) => "no rate could be judged".into(),
    }
}

fn knee(over: &OverloadReport) -> String {
    over.knee_per_s
        .map_or("below the lightest load".into(), |knee| {
            format!("at {} requests/s", count(knee))
        })
}

/// Goodput and response times from a light load to overload.
fn beyond(text: &mut String, over: &OverloadReport, columns: Option<usize>) {
    let _ = writeln!(
        text,
        "\n{DIM}{:>9}{:>12}{:>12}{:>13}{:>13}{RESET}",
        "capacity", "offered/s", "goodput/s", "p50", "p99"
    );
    for step in &over.steps {
        let p99 = micros(step.p99_us);
        let p99 = if step.at_least {
            format!(">= {p99}")
        } else {
            p99
        };
        let _ = writeln!(
            text,
            "{:>8.1}x{:>12}{:>12}{:>13}{p99:>13}",
            step.factor,
            count(step.offered_per_s),
            count(step.goodput_per_s),
            micros(step.p50_us)
        );
    }
    let recovery = match over.recovery_s {
        Some(seconds) => format!(
            "recovered {seconds:.1} s after a surge of 0.5 s at 3x (its backlog takes at least {:.1} s)",
            over.recovery_ideal_s
        ),
        None => "not recovered 4.5 s after a surge of 0.5 s at 3x".into(),
    };
    let waiting = over.waiting_from_per_s.map_or(String::new(), |rate| {
        format!("; long waits from {} requests/s on", count(rate))
    });
    let _ = writeln!(
        text,
        "{BOLD}knee{RESET} {}{waiting}; {recovery}",
        knee(over)
    );
    if let Some(why) = &over.inconclusive {
        let why = wrap(&escape_text(why, 600), 14, columns);
        let _ = writeln!(text, "{MAGENTA}inconclusive{RESET}: {why}");
    }
}

/// What brackets mean.
const FEW: &str =
    "(in brackets: fewer than 100 samples beyond the percentile, or fewer than 10 windows)";
/// What a closed loop does not show.
const CLOSED: &str = "closed loop: a slow server gets fewer requests, so the tail is not suitable for a service-level objective (use --rate)";

/// Notes and reasons of invalidity: what limits the figures, and what makes them useless.
fn trust(text: &mut String, load: &LoadReport, columns: Option<usize>) {
    let validity = &load.result.validity;
    let _ = writeln!(text);
    for note in &validity.notes {
        let _ = writeln!(
            text,
            "{YELLOW}note{RESET}: {}",
            wrap(&escape_text(&note.to_string(), 600), 6, columns)
        );
    }
    if !load.result.metrics.response_us.too_few.is_empty() {
        let _ = writeln!(text, "{DIM}{}{RESET}", wrap(FEW, 0, columns));
    }
    if !load.workload.is_open() {
        let _ = writeln!(text, "{DIM}{}{RESET}", wrap(CLOSED, 0, columns));
    }
    for reason in &validity.reasons {
        let reason = wrap(&escape_text(&reason.to_string(), 600), 9, columns);
        let _ = writeln!(text, "{RED}{BOLD}invalid{RESET}: {reason}");
    }
}
