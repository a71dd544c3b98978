//! Resources of small servers: what counts as a waste of them, and what does not.

use crate::support::battery::{Checked, have, passes, small_server, variant};
use crate::support::skip;
use crate::support::skip::is_thorough;

/// Runs checks of resources on a line server that wakes up `hz` times per second.
fn ticking(hz: u32, checks: &[&str]) -> Option<Checked> {
    have("python3").then(|| small_server("ticking", &[&format!("hz={hz}")], checks))
}

#[test]
fn a_poll_every_10_ms_is_found() {
    if let Some(checked) = ticking(100, &["idle-wakeups"]) {
        checked.assert("idle-wakeups", "warn", "spin");
        let actual = checked.outcome("idle-wakeups")["actual"].as_str().unwrap();
        assert!(actual.contains("thread \"python3\""), "{actual}");
    }
}

#[test]
fn a_timer_of_10_hz_is_usual() {
    let checks = ["idle-wakeups", "log-flood", "churn", "herd", "rss-slope"];
    if let Some(checked) = ticking(10, &checks) {
        let passed = checked.ids("pass").len();
        assert_eq!(passed, checks.len(), "{}", checked.shown());
    }
}

#[test]
fn only_a_keepalive_or_a_promise_ends_the_connection_of_a_vanished_client() {
    if let Some(checked) = ticking(10, &["keepalive"]) {
        checked.assert("keepalive", "warn", "not-closed");
    }
}

/// A message may be in a log file, if that is in the server's folder.
#[test]
fn a_message_in_a_log_is_a_message() {
    if !is_thorough() {
        return;
    }
    for (params, outcome) in [(&[][..], "pass"), (&["log=none"], "fail")] {
        if !have("python3") {
            return;
        }
        let checked = small_server("keeps-quiet", params, &["emfile-start"]);
        assert_eq!(
            checked.ids(outcome),
            ["emfile-start"],
            "{}",
            checked.shown()
        );
    }
}

/// Of a slow server the kernels of both ends take all replies for a while: until they take no more, its memory says nothing.
#[test]
fn replies_that_a_slow_server_keeps_are_found() {
    if !have("python3") || !skip::is_slow("floods of 20 s") {
        return;
    }
    variant("slow-replies", "keeps", &["never-read"]).assert("never-read", "fail", "growth");
    passes("slow-replies", "waits", &["never-read"]);
}
