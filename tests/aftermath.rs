//! What a check leaves behind on its server counts against the server, though every client was served: a busy loop, open
//! connections, a worker that crashed and was replaced. Servers that fork, or replace a process in the ordinary way, pass.

use crate::support::battery::{Checked, have, small_server};
use crate::support::skip::{is_slow, is_thorough, may_lack};

/// After half a request, which every server reads.
const CHECK: &str = "rst-mid-request";

fn checked(how: &str) -> Option<Checked> {
    have("python3").then(|| small_server("aftermath", &[&format!("how={how}")], &[CHECK]))
}

#[track_caller]
fn fails(how: &str, kind: &str, part: &str) {
    let Some(checked) = checked(how) else {
        return;
    };
    checked.assert(CHECK, "fail", kind);
    let outcome = checked.outcome(CHECK);
    let actual = outcome["actual"].as_str().unwrap();
    assert!(actual.contains(part), "{actual}");
    assert_eq!(outcome["attempts"], 2, "{outcome:#}");
    assert_eq!(
        outcome["control"], "the reference server passes this check",
        "{outcome:#}"
    );
}

#[track_caller]
fn passes(how: &str) {
    if let Some(checked) = checked(how) {
        assert_eq!(checked.ids("pass"), [CHECK], "{}", checked.shown());
    }
}

/// Whether the kernel reports the ends of all processes to this one: to root in the first PID namespace.
fn sees_crashes() -> bool {
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap();
    rustix::process::geteuid().is_root() && namespace.ends_with("pid:[4026531836]")
}

#[test]
fn a_worker_that_crashes_and_is_replaced() {
    if sees_crashes() {
        fails("abort", "worker-died", "was killed by SIGABRT (6)");
    } else {
        may_lack("root, to see the ends of the server's processes");
    }
}

#[test]
fn connections_that_stay_open() {
    if is_slow("two times ten seconds of waiting") {
        fails("keep", "leak", "that were reset, 0 in CLOSE_WAIT");
    }
}

#[test]
fn a_busy_loop() {
    if is_slow("two times five seconds of a busy loop") {
        fails("spin", "spin", "in python3 (pid ");
    }
}

#[test]
fn sound_workers() {
    passes("sound");
}

#[test]
fn a_process_for_each_connection() {
    passes("fork");
}

/// A connection that is kept until the next client comes is no leak of each check.
#[test]
fn the_connection_of_the_last_client() {
    if let Some(checked) = checked("last") {
        assert_eq!(checked.ids("pass"), [CHECK], "{}", checked.shown());
        let kept = &checked.outcome(CHECK)["evidence"]["connections_kept_until_the_next_client"];
        assert_eq!(*kept, 1, "{}", checked.shown());
    }
}

/// A server that closes no connection has one fault, and not one in each check.
#[test]
fn no_connection_is_ever_closed() {
    if !is_thorough() {
        return;
    }
    if !have("python3") {
        return;
    }
    let checks = [CHECK, "zero-length", "crosstalk", "fd-leak"];
    let checked = small_server("aftermath", &["how=all"], &checks);
    checked.assert("fd-leak", "fail", "leak");
    assert_eq!(checked.ids("fail"), ["fd-leak"], "{}", checked.shown());
    assert_eq!(checked.report["rehearsal"]["keeps_connections"], true);
    assert!(
        checked
            .shown()
            .contains("keeps the connections of clients that have left"),
        "{}",
        checked.shown()
    );
}
