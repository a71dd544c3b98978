//! Sample results for the tests of the pages.

use std::collections::BTreeMap;

use super::Page;
use crate::bench::{
    AxisVerdict, Estimate, Recommendation, Setting, SweepAxis, SweepCell, SweepResult,
};
use crate::data::{Direction, Unit};
use crate::load::recorder::times;
use crate::load::{
    End, Latency, LoadResult, Metrics, Note, Reason, Remark, Transport, Validity, WindowSummary,
};
use crate::report::Environment;
use crate::stats::Interval;

pub(in crate::report) fn environment() -> Environment {
    Environment {
        tcprove: "0.1.0",
        kernel: "6.8.0-45-generic".into(),
        cpus: 8,
        model: "AMD EPYC 7763 64-Core Processor".into(),
        nofile: 1_048_576,
        steal: Some(0.42),
        throttled: Some(0),
    }
}

/// The body of a page as XML: void elements are closed, and attributes without a value are left out.
pub(in crate::report) fn body_as_xml(page: &str) -> String {
    let begin = page.find("<body>").unwrap();
    let end = page.find("</body>").unwrap() + "</body>".len();
    let mut parts = page[begin..end].split("<input ");
    let mut body = parts.next().unwrap().to_owned();
    for part in parts {
        let (input, rest) = part.split_once('>').unwrap();
        body += &format!("<input {}/>{rest}", input.trim_end_matches(" checked"));
    }
    body.replace(" open>", ">")
}

pub(in crate::report) fn page(environment: &Environment) -> Page<'_> {
    Page {
        title: "bench of an echo server",
        verdict: Some("pass"),
        target: "./echo-server --model epoll --port {port}",
        command_lines: vec![
            "tcprove bench echo.toml --sweep server.recv_buffer=0,64,128 --seed 7".into(),
        ],
        environment,
        duration_s: 754.0,
        seed: 7,
        interrupted: false,
    }
}

/// Deterministic noise between -1 and 1.
fn noise(place: usize) -> f64 {
    (place as f64 * 12.9898).sin()
}

fn estimate(estimate: f64, spread: f64, unit: Unit, direction: Direction) -> Estimate {
    Estimate {
        estimate,
        low: estimate * (1.0 - spread),
        high: estimate * (1.0 + spread * 1.2),
        unit,
        direction,
    }
}

/// Receive buffers of 64 B to 256 KiB and the kernel's default, by payloads of 64 B to 64 KiB.
pub(in crate::report) fn sweep() -> SweepResult {
    let payloads = [64.0, 1_024.0, 16_384.0, 65_536.0];
    let buffers: Vec<f64> = std::iter::once(0.0)
        .chain((6..=18).map(|power| f64::from(1u32 << power)))
        .collect();
    let mut cells = Vec::new();
    for payload in payloads {
        for buffer in &buffers {
            cells.push(cell(cells.len(), payload, *buffer));
        }
    }
    let words = |values: &[f64]| values.iter().map(|value| format!("{value:.0}")).collect();
    let axis = |name: &str, values: &[f64]| SweepAxis {
        name: name.into(),
        values: words(values),
        is_bytes: true,
    };
    SweepResult {
        axes: vec![
            axis("payload", &payloads),
            axis("server.recv_buffer", &buffers),
        ],
        rounds: 7,
        cells,
        recommendation: recommendation(),
    }
}

fn cell(place: usize, payload: f64, buffer: f64) -> SweepCell {
    let size = if buffer == 0.0 { 131_072.0 } else { buffer };
    // Each read costs a system call, and each byte costs time.
    let reads = (payload / size).ceil().max(1.0);
    let cost_us = 4.0 + reads * 1.1 + payload / 6_000.0;
    let rate = 1e6 / cost_us * (1.0 + 0.015 * noise(place));
    let spread = 0.012 + 0.012 * noise(place + 3).abs();
    let p50 = 50.0 * cost_us * (1.0 + 0.02 * noise(place + 7));
    let p99 = p50 * (2.2 + 0.3 * noise(place + 11));
    let is_invalid = place == 20 || place == 44;
    let is_merged = buffer == 64.0;
    let metrics = [
        (
            "ops_per_s",
            estimate(rate, spread, Unit::PerSecond, Direction::HigherIsBetter),
        ),
        (
            "bytes_per_s",
            estimate(
                rate * payload * 2.0,
                spread,
                Unit::BytesPerSecond,
                Direction::HigherIsBetter,
            ),
        ),
        (
            "p50_us",
            estimate(p50, spread, Unit::Micros, Direction::LowerIsBetter),
        ),
        (
            "p99_us",
            estimate(p99, spread * 3.0, Unit::Micros, Direction::LowerIsBetter),
        ),
        (
            "server_cpu_us_per_op",
            estimate(
                cost_us * 0.9,
                spread,
                Unit::Micros,
                Direction::LowerIsBetter,
            ),
        ),
    ];
    let setting = |value: f64, effective: Option<String>| Setting {
        requested: format!("{value:.0}"),
        effective,
    };
    let effective = (buffer > 0.0 && buffer <= 1024.0).then(|| "2304".to_owned());
    SweepCell {
        axes: vec![
            ("payload".into(), setting(payload, None)),
            ("server.recv_buffer".into(), setting(buffer, effective)),
        ],
        metrics: if is_merged { BTreeMap::new() } else { metrics.into() },
        valid: !is_invalid,
        reasons: if is_invalid {
            vec![Remark::from(&Reason::ClientStarved { share: 0.093 })]
        } else {
            Vec::new()
        },
        notes: notes(place, buffer),
        same_as: is_merged.then_some(place + 1),
        why: (payload > 10_000.0 && buffer > 0.0 && buffer < 1024.0).then(|| {
            "82 % of the time in which requests waited to be sent, the server's receive window was full (SO_RCVBUF 2304 in force there)".into()
        }),
        curve: if is_merged { Vec::new() } else { curve(p50, p99) },
    }
}

fn notes(place: usize, buffer: f64) -> Vec<Remark> {
    let mut notes = Vec::new();
    if buffer > 0.0 && buffer <= 1024.0 {
        notes.push(Remark {
            word: "narrow-window".into(),
            sentence: "a receive window of 1152 bytes holds less than two segments".into(),
        });
    }
    if place.is_multiple_of(9) {
        notes.push(Remark::from(&Note::ClientSaturated {
            busy: 0.97 + (place / 9 % 3) as f64 / 100.0,
            server_cores: Some(0.61),
        }));
    }
    notes
}

fn curve(p50: f64, p99: f64) -> Vec<(f64, f64)> {
    let quantile = |step: u32| 1.0 - 10f64.powf(-f64::from(step) / 10.0);
    let growth = (p99 / p50).ln() / 1.7;
    (0..=42)
        .map(|step| {
            let nines = f64::from(step) / 10.0;
            (quantile(step), p50 * (growth * (nines - 0.3)).exp())
        })
        .collect()
}

fn recommendation() -> Recommendation {
    let verdict = |payload: &str, value: Option<&str>, sentence: &str| AxisVerdict {
        axis: "server.recv_buffer".into(),
        class: vec![("payload".into(), payload.into())],
        value: value.map(str::to_owned),
        baseline: "0".into(),
        metric: "ops_per_s",
        change_percent: value.map(|_| Interval {
            estimate: 2.3,
            low: 1.1,
            high: 3.4,
        }),
        sentence: sentence.into(),
    };
    Recommendation {
        headline: "Leave server.recv_buffer to the kernel: only at 64 KiB payload a value is measurably better".into(),
        verdicts: vec![
            verdict("64", None, "payload 64: no receive buffer is measurably better than the kernel's default; the best, 4096, is within 1.4 % of it."),
            verdict("1024", None, "payload 1024: no receive buffer is measurably better than the kernel's default."),
            verdict("16384", None, "payload 16384: every receive buffer of at least 16384 does as well as the kernel's default."),
            verdict("65536", Some("131072"), "payload 65536: 131072 gives 2.3 % more operations per second than the kernel's default (1.1 to 3.4 %)."),
        ],
    }
}

/// A sweep along names instead of sizes.
pub(in crate::report) fn models() -> SweepResult {
    let names = ["epoll", "thread-per-connection", "tokio-multi-thread"];
    let mut result = sweep();
    result.axes.truncate(1);
    result.axes[0].values.truncate(2);
    result.axes.push(SweepAxis {
        name: "server.model".into(),
        values: names.map(str::to_owned).to_vec(),
        is_bytes: false,
    });
    let mut cells = Vec::new();
    for (row, payload) in ["64", "1024"].into_iter().enumerate() {
        for (place, name) in names.into_iter().enumerate() {
            let mut one = cell(
                row * 14 + place * 4 + 2,
                64.0,
                4_096.0 / (place as f64 + 1.0),
            );
            one.axes[0].1.requested = payload.into();
            one.axes[1] = (
                "server.model".into(),
                Setting {
                    requested: name.into(),
                    effective: None,
                },
            );
            one.valid = (row, place) != (1, 2);
            one.reasons.clear();
            if !one.valid {
                one.reasons
                    .push(Remark::from(&Reason::Throttled { times: 3 }));
            }
            cells.push(one);
        }
    }
    result.cells = cells;
    result.recommendation.verdicts.clear();
    result
}

pub(in crate::report) fn load(valid: bool) -> LoadResult {
    let mut response = times();
    let mut service = times();
    for place in 0..200_000usize {
        let tail = 1.0 / (1.0 - (place as f64 + 0.5) / 200_000.0);
        let nanos = 180_000.0 * tail.powf(0.35);
        service.saturating_record(nanos as u64);
        response.saturating_record((nanos * (1.0 + 0.02 * tail.sqrt())) as u64);
    }
    let steps = (0..40).map(|place| WindowSummary {
        start_s: place as f64 * 0.25,
        ops_per_s: 81_000.0 * (1.0 + 0.03 * noise(place)),
        p50_us: 230.0 * (1.0 + 0.05 * noise(place + 1)),
        p99_us: 900.0 * (1.0 + 0.2 * noise(place + 2)),
        max_us: 9_000.0 * (1.3 + noise(place + 3)),
    });
    let latency = |scale: f64| Latency {
        count: 200_000,
        mean: 300.0 * scale,
        p50: 230.0 * scale,
        p90: 403.0 * scale,
        p99: 903.0 * scale,
        p999: 2_030.0 * scale,
        max: 18_000.0 * scale,
        intervals: BTreeMap::from([
            ("p50", (226.0, 235.0)),
            ("p90", (397.0, 411.0)),
            ("p99", (861.0, 951.0)),
        ]),
        at_least: if valid { vec![] } else { vec!["p99", "p999"] },
        too_few: vec!["p999"],
    };
    LoadResult {
        metrics: Metrics {
            measured_s: 30.0,
            ops: 810_331,
            ops_per_s: 81_033.1,
            bytes_per_s: 10_372_236.0,
            response_us: latency(1.0),
            service_us: latency(0.97),
            client_cpu_us_per_op: 3.4,
            server_cpu_us_per_op: Some(9.1),
            server_cores: Some(0.74),
            server_rss_peak_bytes: Some(5_242_880),
            unanswered: if valid { 0 } else { 17 },
            connects: 50,
            ..Metrics::default()
        },
        validity: validity(valid),
        intervals: steps.collect(),
        transport: Some(transport()),
        histogram: response,
        service_histogram: service,
    }
}

fn validity(valid: bool) -> Validity {
    Validity {
        valid,
        reasons: if valid {
            Vec::new()
        } else {
            vec![Reason::Unanswered {
                requests: 17,
                first: Some("<b>reset</b>".into()),
            }]
        },
        notes: vec![Note::ClientSaturated {
            busy: 0.98,
            server_cores: Some(0.74),
        }],
        client_busy: 0.98,
        client_starved: 0.004,
        achieved_ratio: (!valid).then_some(0.93),
        troubles: if valid {
            vec![]
        } else {
            vec!["connection 3: reset by peer".into()]
        },
        ..Validity::default()
    }
}

fn transport() -> Transport {
    let end = End {
        so_rcvbuf: 131_072,
        so_sndbuf: 2_626_560,
        mss: 32_768,
        rcv_wnd: 65_536,
        window_scale: 7,
        rtt_us: 21.5,
        retransmits: 0,
        rwnd_limited: 0.31,
        sndbuf_limited: 0.0,
    };
    Transport {
        sampled: 8,
        client: end,
        server: Some(End {
            so_rcvbuf: 2_304,
            ..end
        }),
        why: Some("31 % of the time in which requests waited to be sent, the server's receive window was full (SO_RCVBUF 2304 in force there)".into()),
    }
}
