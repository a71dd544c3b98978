//! Loads whose figures cannot be trusted are reported as invalid with the reason, and exit with code 5.

use std::process::{Command, Stdio};

use super::{Loaded, SHORT, load, load_in};
use crate::support::Bench;

fn assert_invalid(loaded: &Loaded, reason: &str) {
    assert_eq!(loaded.ended.code, Some(5), "{}", loaded.ended.all());
    assert_eq!(loaded.report["verdict"], "inconclusive");
    assert!(
        loaded.reasons().contains(&reason.to_owned()),
        "{reason}: {}",
        loaded.ended.all()
    );
    assert!(
        loaded.ended.stdout.contains("invalid"),
        "{}",
        loaded.ended.stdout
    );
}

fn planted(fault: &str, duration: &str) -> Loaded {
    let fault = format!("fault={fault}");
    load(&[
        "--embedded",
        "--param",
        &fault,
        "-c",
        "50",
        "--duration",
        duration,
        "--warmup",
        "100ms",
    ])
}

#[test]
fn one_wrong_reply_in_a_thousand() {
    let loaded = planted("wrong-reply-1-in-1000", "1s");
    assert_invalid(&loaded, "wrong-replies");
    let (wrong, ops) = (loaded.metric("wrong_replies"), loaded.metric("ops"));
    assert!(wrong >= 1.0 && wrong < ops / 200.0, "{wrong} of {ops}");
    // The connection survives a wrong byte.
    assert!(!loaded.reasons().contains(&"connections-lost".to_owned()));
}

#[test]
fn one_lost_connection_in_fifty() {
    assert_invalid(
        &planted("drop-connection-1-in-50", "1s"),
        "connections-lost",
    );
}

#[test]
fn a_server_that_dies_half_way() {
    // The load ends with the server, long before its planned end.
    let loaded = planted("die-after-10000", "60s");
    assert_invalid(&loaded, "server-died");
    assert!(
        loaded.ended.stdout.contains("exit"),
        "{}",
        loaded.ended.stdout
    );
}

/// The other 49 sent a request in the warm-up and wait until the end.
#[test]
fn one_served_client_of_fifty() {
    let loaded = load(&[
        "--embedded",
        "--param",
        "model=sequential",
        "-c",
        "50",
        "--duration",
        "300ms",
        "--warmup",
        "200ms",
    ]);
    assert_invalid(&loaded, "unanswered");
    assert_eq!(loaded.metric("unanswered"), 49.0);
}

#[test]
fn a_rate_beyond_reach() {
    let loaded = load(&[
        "--embedded",
        "--rate",
        "5000k",
        "-c",
        "10",
        "--duration",
        "500ms",
        "--warmup",
        "0",
    ]);
    assert_invalid(&loaded, "rate-not-reached");
    assert!(
        loaded.report["validity"]["achieved_ratio"]
            .as_f64()
            .unwrap()
            < 0.95
    );
}

/// Each reply takes 200 ms on a single connection: of 100 due requests per second, five are answered.
#[test]
fn a_server_that_is_too_slow_for_the_rate() {
    let base = [
        "--embedded",
        "--param",
        "delay=fixed:200ms",
        "--rate",
        "100",
        "-c",
        "1",
        "--pipeline",
        "1",
    ];
    let loaded = load(&[&base[..], &["--duration", "1s", "--warmup", "0"]].concat());
    assert_invalid(&loaded, "rate-not-reached");
    // The percentiles include unanswered requests with their waiting time.
    let at_least = loaded.report["metrics"]["response_us"]["at_least"]
        .as_array()
        .unwrap();
    assert!(at_least.contains(&"p99".into()), "{at_least:?}");
}

/// More connections than the process may open are refused before the server starts.
#[test]
fn a_descriptor_limit_that_is_too_low() {
    let bench = Bench::new();
    let mut command = Command::new("sh");
    let binary = crate::support::program();
    command.current_dir(bench.path(".")).args([
        "-c",
        "ulimit -n 100 && exec \"$0\" load --json load.json --embedded -c 300 --duration 300ms --warmup 0",
        binary,
    ]);
    let ended = bench.end(command);
    assert_eq!(ended.code, Some(2), "{}", ended.all());
    let report = bench.json("load.json");
    assert_eq!(report["error"]["code"], "usage");
    assert!(report["metrics"].is_null(), "{report}");
    for part in ["--connections 300", "may open 100", "ulimit -n 364"] {
        assert!(ended.stderr.contains(part), "{}", ended.stderr);
    }
}

/// Two busy loops per core compete with the engine.
#[test]
fn a_client_that_is_starved() {
    let bench = Bench::new();
    let spinner = || {
        let mut command = Command::new("sh");
        command
            .args(["-c", "while :; do :; done"])
            .stdin(Stdio::null());
        command.spawn().unwrap()
    };
    let processors = std::thread::available_parallelism().unwrap().get();
    let mut spinners: Vec<_> = (0..2 * processors).map(|_| spinner()).collect();
    let loaded = load_in(&bench, &[&["--embedded", "-c", "10"][..], &SHORT].concat());
    for spinner in &mut spinners {
        spinner.kill().unwrap();
        spinner.wait().unwrap();
    }
    assert_invalid(&loaded, "client-starved");
}
