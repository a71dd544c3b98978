//! Records skipped tests and prints them as one list when the test binary ends.
//!
//! A test is skipped if a program or a feature of the system is missing, which is a failure if `TCPROVE_REQUIRE_ALL` is
//! set, or if it is slow and `TCPROVE_SLOW=N` is not set. `TCPROVE_SLOW=0` adds the tests that take more than ten seconds, and
//! 1 and more add those that take a minute and more.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};

/// Skipped tests and the reasons.
static SKIPPED: Mutex<BTreeSet<(String, String)>> = Mutex::new(BTreeSet::new());

/// Records that the running test is skipped because it needs `what`. Panics if `TCPROVE_REQUIRE_ALL` is set.
#[track_caller]
pub fn needs(what: &str) {
    let required = std::env::var_os("TCPROVE_REQUIRE_ALL").is_some();
    assert!(
        !required,
        "TCPROVE_REQUIRE_ALL is set, and this needs {what}"
    );
    record(format!("needs {what}"));
}

/// As [`needs`], for optional things: does not panic if `TCPROVE_REQUIRE_ALL` is set.
#[track_caller]
pub fn may_lack(what: &str) {
    record(format!("needs {what}"));
}

/// The number of rounds of a slow test: the value of `TCPROVE_SLOW`. If it is not set or below `from`, records the
/// running test as skipped, with the time that it takes, and returns 0.
#[track_caller]
pub fn slow_rounds(from: usize, takes: &str) -> usize {
    let rounds = rounds();
    if rounds < from {
        record(format!("needs TCPROVE_SLOW={from}: {takes}"));
        return 0;
    }
    rounds
}

/// Whether slow tests run. If not, records the running test as skipped.
#[track_caller]
pub fn is_slow(takes: &str) -> bool {
    slow_rounds(1, takes) > 0
}

/// Whether tests of more than ten seconds run. If not, records the running test as skipped.
#[track_caller]
pub fn is_thorough() -> bool {
    let is_asked = std::env::var_os("TCPROVE_SLOW").is_some();
    if !is_asked {
        record("needs TCPROVE_SLOW=0: more than ten seconds".to_owned());
    }
    is_asked
}

/// The value of `TCPROVE_SLOW`, or 0 if it is not set; for tests that do less without it.
pub fn rounds() -> usize {
    let asked = std::env::var("TCPROVE_SLOW").ok();
    asked.map_or(0, |rounds| {
        rounds.parse().expect("TCPROVE_SLOW is a number of rounds")
    })
}

#[track_caller]
fn record(reason: String) {
    // The test harness names a test's thread after it, unless the test runs on the main thread.
    let thread = std::thread::current();
    let test = match thread.name() {
        Some(name) if name != "main" => name.to_owned(),
        _ => Location::caller().to_string(),
    };
    let mut skipped = SKIPPED.lock().unwrap_or_else(PoisonError::into_inner);
    skipped.insert((test, reason));
}

/// Prints the list when the process exits, because the test harness has no hook for its end and captures the output of
/// tests.
#[dtor::dtor(unsafe)]
fn list() {
    let skipped = SKIPPED.lock().unwrap_or_else(PoisonError::into_inner);
    if skipped.is_empty() {
        return;
    }
    let lines: String = skipped
        .iter()
        .map(|(test, reason)| format!("  {test}: {reason}\n"))
        .collect();
    let tests: BTreeSet<&String> = skipped.iter().map(|(test, _)| test).collect();
    let _ = write!(
        std::io::stderr(),
        "{} of these tests were skipped or cut short:\n{lines}\n",
        tests.len()
    );
}
