//! Closed and open loops, churn, ramps, and every kind of frame.

use rustix::process::Signal;

use super::{SHORT, load};
use crate::support::skip::rounds;
use crate::support::{Bench, Ended, until};

#[test]
fn every_protocol_of_the_reference_server_in_a_closed_loop() {
    for protocol in ["tutorial", "echo", "line", "frame"] {
        let protocol = format!("protocol={protocol}");
        let base = [
            "--embedded",
            "--param",
            &protocol,
            "-c",
            "10",
            "--payload",
            "1KiB",
        ];
        let loaded = load(&[&base[..], &SHORT].concat());
        loaded.assert_sound();
        let each = &loaded.report["metrics"];
        assert!(each["server_cpu_us_per_op"].as_f64().unwrap() > 0.0);
        assert!(each["client_cpu_us_per_op"].as_f64().unwrap() > 0.0);
        assert!(each["bytes_sent"].as_f64().unwrap() >= 1024.0 * loaded.metric("ops") * 0.9);
    }
}

#[test]
fn the_figures_agree_with_each_other() {
    let loaded = load(&[&["--embedded", "-c", "8"][..], &SHORT].concat());
    loaded.assert_sound();
    let (ops, rate) = (loaded.metric("ops"), loaded.metric("ops_per_s"));
    assert!(
        (rate * 0.5 / ops - 1.0).abs() < 0.01,
        "{rate} per second, {ops} in half a second"
    );
    let response = &loaded.report["metrics"]["response_us"];
    let at = |name: &str| response[name].as_f64().unwrap();
    assert!(at("p50") <= at("p90") && at("p90") <= at("p99") && at("p999") <= at("max"));
    // Requests count by due time, replies by arrival: they differ by the requests in flight at both ends of the period.
    assert!((response["count"].as_f64().unwrap() - ops).abs() <= 8.0);
    let windows = loaded.report["intervals"].as_array().unwrap();
    let sum: f64 = windows
        .iter()
        .map(|step| step["ops_per_s"].as_f64().unwrap())
        .sum();
    assert!((sum / windows.len() as f64 / rate - 1.0).abs() < 0.01);
    assert_eq!(histogram(&loaded.report["histogram"]), response["count"]);
    let plan = &loaded.report["plan"];
    assert_eq!(
        (&plan["connections"], &plan["pace"]["loop"]),
        (&8.into(), &"closed".into())
    );
    assert!(
        loaded.report["transport"]["server"]["so_rcvbuf"]
            .as_u64()
            .unwrap()
            > 0
    );
}

/// Decodes a V2 histogram and returns its number of samples.
fn histogram(text: &serde_json::Value) -> u64 {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(text.as_str().unwrap())
        .unwrap();
    let read: hdrhistogram::Histogram<u64> = hdrhistogram::serialization::Deserializer::new()
        .deserialize(&mut bytes.as_slice())
        .unwrap();
    read.len()
}

#[test]
fn pipelining_keeps_order() {
    let loaded = load(
        &[
            &[
                "--embedded",
                "-c",
                "4",
                "--pipeline",
                "16",
                "--payload",
                "100",
            ][..],
            &SHORT,
        ]
        .concat(),
    );
    loaded.assert_sound();
}

#[test]
fn an_open_loop_sends_at_its_rate() {
    for arrivals in ["constant", "poisson"] {
        let base = [
            "--embedded",
            "-c",
            "5",
            "--rate",
            "400",
            "--arrivals",
            arrivals,
        ];
        let loaded = load(&[&base[..], &["--duration", "1s", "--warmup", "100ms"]].concat());
        loaded.assert_sound();
        let count = loaded.report["metrics"]["response_us"]["count"]
            .as_f64()
            .unwrap();
        // Poisson: 400 with a standard deviation of 20.
        let off = if arrivals == "constant" { 1.0 } else { 120.0 };
        assert!((count - 400.0).abs() <= off, "{arrivals}: {count}");
    }
}

#[test]
fn ramps_integrate_their_rate_and_reach_their_connections() {
    let base = [
        "--embedded",
        "-c",
        "4",
        "--ramp",
        "rate=100..300",
        "--duration",
        "2s",
        "--warmup",
        "0",
    ];
    let loaded = load(&base);
    loaded.assert_sound();
    let count = loaded.report["metrics"]["response_us"]["count"]
        .as_f64()
        .unwrap();
    assert!((count - 400.0).abs() <= 1.0, "{count}");
    let base = ["--embedded", "--ramp", "connections=2..40"];
    let loaded = load(&[&base[..], &["--duration", "1s", "--warmup", "0"]].concat());
    loaded.assert_sound();
    let connects = loaded.metric("connects");
    assert!((30.0..=40.0).contains(&connects), "{connects}");
}

#[test]
fn only_equal_loads_have_equal_hashes() {
    let hash = |more: &[&str]| {
        let base = [
            "--embedded",
            "-c",
            "1",
            "--duration",
            "60ms",
            "--warmup",
            "0",
        ];
        load(&[&base[..], more].concat()).report["plan_hash"].to_string()
    };
    assert_eq!(hash(&["--seed", "1"]), hash(&["--seed", "2"]));
    assert_ne!(hash(&[]), hash(&["--pipeline", "2"]));
}

#[test]
fn churn_reopens_connections_after_a_few_requests() {
    let base = ["--embedded", "-c", "4", "--churn", "3"];
    let loaded = load(&[&base[..], &SHORT].concat());
    loaded.assert_sound();
    let (ops, closes) = (loaded.metric("ops"), loaded.metric("planned_closes"));
    assert!(
        closes * 3.0 >= ops && closes > 10.0,
        "{ops} replies, {closes} closes"
    );
}

#[test]
fn verification_can_be_set_and_threads_added() {
    for verify in ["all", "none"] {
        let base = [
            "--embedded",
            "--verify",
            verify,
            "-c",
            "6",
            "--threads",
            "2",
        ];
        load(&[&base[..], &SHORT].concat()).assert_sound();
    }
}

#[test]
fn turns_can_be_mixed() {
    let base = [
        "--embedded",
        "--turn",
        "0",
        "--turn",
        "1",
        "--payload",
        "2000",
        "-c",
        "3",
    ];
    load(&[&base[..], &SHORT].concat()).assert_sound();
}

#[test]
fn third_party_servers() {
    use crate::support::battery::have;
    let redis = [
        "--talk",
        "redis",
        "--payload",
        "10KiB",
        "--pipeline",
        "4",
        "-c",
        "5",
    ];
    if have("redis-server") {
        let server = [
            "--",
            "redis-server",
            "--port",
            "{port}",
            "--save",
            "",
            "--dir",
            "{tmp}",
        ];
        load(&[&redis[..], &SHORT, &server].concat()).assert_sound();
    }
    if have("memcached") {
        let server = [
            "--",
            "memcached",
            "-l",
            "127.0.0.1",
            "-p",
            "{port}",
            "-U",
            "0",
            "-u",
            "nobody",
        ];
        load(&[&["--talk", "memcached", "-c", "5"][..], &SHORT, &server].concat()).assert_sound();
    }
    if have("beanstalkd") {
        let server = ["--", "beanstalkd", "-l", "127.0.0.1", "-p", "{port}"];
        load(&[&["--talk", "beanstalkd", "-c", "5"][..], &SHORT, &server].concat()).assert_sound();
    }
}

/// nginx announces that it closes a connection after 1,000 requests, which does not count as a lost connection.
#[test]
fn announced_closes_are_not_lost_connections() {
    if !std::path::Path::new("/usr/sbin/nginx").exists() && !crate::support::battery::have("nginx")
    {
        return;
    }
    let bench = Bench::new();
    let written = bench.run(["init", "--talk", "http", "-o", "tcprove.toml"]);
    assert_eq!(written.code, Some(0), "{}", written.all());
    let loaded = super::load_in(
        &bench,
        &["-c", "2", "--duration", "2s", "--warmup", "100ms"],
    );
    loaded.assert_sound();
    assert!(
        loaded.metric("announced_closes") > 0.0,
        "{}",
        loaded.ended.all()
    );
}

#[test]
fn an_interrupted_load_keeps_what_it_measured() {
    let (ended, report) = interrupted(&["--duration", "60s", "--warmup", "0"]);
    assert!(
        report["metrics"]["ops"].as_u64().unwrap() > 0,
        "{}",
        ended.all()
    );
    let busy = report["validity"]["client_busy"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&busy), "{busy}");
}

/// A load interrupted in its warm-up has no measured period, so it reports no busy share.
#[test]
fn a_load_interrupted_in_its_warm_up_reports_no_figures() {
    let (ended, report) = interrupted(&["--duration", "1s", "--warmup", "60s"]);
    assert_eq!(report["metrics"]["ops"], 0);
    assert_eq!(report["validity"]["client_busy"], 0.0);
    assert!(
        ended.stdout.contains("nothing was measured") && !ended.stdout.contains("busy"),
        "{}",
        ended.stdout
    );
}

/// `--max-time` ends a search as an interrupt does, but nobody interrupted it.
#[test]
fn a_search_that_is_out_of_time_has_no_answer() {
    let bench = Bench::new();
    let words = [
        "load",
        "--embedded",
        "--slo",
        "p99<10s",
        "--max-time",
        "1s",
        "--json",
        "r.json",
    ];
    let ended = bench.run(words);
    assert_eq!(ended.code, Some(5), "{}", ended.all());
    assert!(ended.stderr.contains("--max-time ended"), "{}", ended.all());
    let report = bench.json("r.json");
    assert_eq!(report["interrupted"], false);
    let why = report["slo"]["inconclusive"].as_str().unwrap();
    assert!(why.contains("out of time"), "{why}");
}

#[test]
fn an_interrupted_search_has_no_answer() {
    let (ended, report) = interrupted(&["--slo", "p99<10s"]);
    let slo = &report["slo"];
    assert!(slo["highest_passing_per_s"].is_null(), "{}", ended.all());
    assert!(
        slo["inconclusive"]
            .as_str()
            .unwrap()
            .contains("interrupted"),
        "{slo}"
    );
}

/// Runs a load with these arguments and interrupts it once the server has sent many replies.
fn interrupted(arguments: &[&str]) -> (Ended, serde_json::Value) {
    let bench = Bench::new();
    let mut command = bench.tcprove();
    command.args(["load", "--embedded", "-c", "4", "--json", "load.json"]);
    command.args(arguments);
    // The server logs each reply, which shows the progress.
    let log = format!("delay_log={}", bench.path("replies.log").display());
    command.args(["--param", &log]);
    let running = bench.start(command);
    let replies = || std::fs::read(bench.path("replies.log")).unwrap_or_default();
    until("replies come", || replies().len() > 10_000);
    running.signal(Signal::INT);
    let ended = running.end();
    assert_eq!(ended.code, Some(130), "{}", ended.all());
    let report = bench.json("load.json");
    assert_eq!(report["interrupted"], true);
    (ended, report)
}

/// Four connections with one request in flight each and replies after 20 ms: 200 requests per second on any machine.
#[test]
fn the_search_and_the_overload_find_the_capacity_of_a_slow_server() {
    if rounds() == 0 {
        return;
    }
    let base = [
        "--embedded",
        "--param",
        "delay=fixed:20ms",
        "-c",
        "4",
        "--pipeline",
        "1",
    ];
    let found = load(&[&base[..], &["--slo", "p90<100ms", "--duration", "2s"]].concat());
    let slo = &found.report["slo"];
    if let Some(rate) = slo["highest_passing_per_s"].as_f64() {
        assert!((120.0..200.0).contains(&rate), "{slo}");
        assert!(
            found.report["metrics"]["response_us"]["p90"]
                .as_f64()
                .unwrap()
                < 100e3
        );
        let asked = found.metric("ops_per_s");
        assert!((asked / rate - 1.0).abs() < 0.1, "{asked} of {rate}");
    } else {
        assert!(slo["inconclusive"].is_string(), "{slo}");
    }
    let over = load(&[&base[..], &["--overload", "--duration", "1s"]].concat());
    let knee = over.report["overload"]["knee_per_s"].as_f64().unwrap();
    assert!(
        (150.0..215.0).contains(&knee),
        "{}",
        over.report["overload"]
    );
    assert!(
        over.ended.stdout.contains("knee at"),
        "{}",
        over.ended.stdout
    );
}
