//! Batteries on real servers: no false alarms, and the known faults of a server are reported.
//!
//! Whole batteries need `TCPROVE_SLOW=N` and run N times. Servers that are not installed are skipped.

use crate::support::battery::{Checked, check, data, have, initialized};
use crate::support::skip::slow_rounds;

/// Runs the battery `TCPROVE_SLOW` times and asserts the same result each time: exactly these failures and warnings, and
/// no inconclusive check. A warning that ends with `?` depends on a race and may be absent.
fn judged(program: &str, arguments: &[&str], fails: &[&str], warns: &[&str]) -> Option<Checked> {
    let rounds = slow_rounds(1, "a whole battery");
    if rounds == 0 || !have(program) {
        return None;
    }
    let mut last = None;
    for run in 0..rounds {
        let checked = check(arguments);
        assert_eq!(checked.ids("fail"), fails, "run {run}\n{}", checked.shown());
        let (races, sure): (Vec<&str>, Vec<&str>) = warns.iter().partition(|id| id.ends_with('?'));
        let mut warned = checked.ids("warn");
        warned.retain(|id| !races.iter().any(|race| race.trim_end_matches('?') == *id));
        assert_eq!(warned, sure, "run {run}\n{}", checked.shown());
        assert_eq!(
            checked.ids("inconclusive"),
            [""; 0],
            "run {run}\n{}",
            checked.shown()
        );
        assert!(
            checked.ids("pass").len() >= 20,
            "run {run}: too few checks passed\n{}",
            checked.shown()
        );
        last = Some(checked);
    }
    last
}

/// The file that `tcprove init` writes, unchanged.
fn file(talk: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = initialized(talk, folder.path());
    let path = path.to_str().expect("a path in UTF-8").to_owned();
    (folder, path)
}

#[test]
fn redis_grows_for_a_client_that_never_reads() {
    let (_folder, file) = file("redis");
    let checked = judged(
        "redis-server",
        &["-f", &file],
        &["never-read"],
        &["term-inflight"],
    );
    if let Some(checked) = checked {
        checked.assert("never-read", "fail", "growth");
    }
}

#[test]
fn memcached_is_sound() {
    let (_folder, file) = file("memcached");
    judged("memcached", &["-f", &file], &[], &["term-inflight?"]);
}

#[test]
fn nginx_is_sound_but_for_its_workers() {
    let (_folder, file) = file("http");
    // It closes idle connections after 75 s, which it does not promise here.
    judged(
        "nginx",
        &["-f", &file],
        &[],
        &["restart-orphan", "keepalive"],
    );
}

#[test]
fn beanstalkd_spins_on_an_urgent_byte() {
    let (_folder, file) = file("beanstalkd");
    let checked = judged(
        "beanstalkd",
        &["-f", &file],
        // A line with a lone CR never ends for it: it looks for the first CR only.
        &["eol-variants", "oob-byte", "emfile-live"],
        &["term-inflight"],
    );
    if let Some(checked) = checked {
        checked.assert("oob-byte", "fail", "spin");
    }
}

#[test]
fn an_asyncio_server_is_sound_but_for_what_it_has_begun() {
    let script = data("asyncio_line.py");
    let script = script.to_str().expect("a path in UTF-8");
    judged(
        "python3",
        &["--talk", "line", "--", "python3", script, "{port}"],
        &[],
        // What one read brings is worked off before the next client's turn. A connection whose options cannot be set is
        // never closed.
        &["term-inflight", "fair-hog?", "keepalive", "options-refused"],
    );
}
