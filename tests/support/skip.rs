//! Tests that are skipped: one list, printed when the binary ends, after the line that counts the tests.
//!
//! A test lacks something of its surroundings (a program, IPv6), which is a failure where `TCPROVE_REQUIRE_ALL`
//! is set, or it takes so long that only `TCPROVE_SLOW=N` runs it.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::panic::Location;
use std::sync::{Mutex, PoisonError};

/// Tests and the reasons for which they were skipped.
static SKIPPED: Mutex<BTreeSet<(String, String)>> = Mutex::new(BTreeSet::new());

/// Records that the running test is skipped since it lacks something, for the reason "needs {what}".
#[track_caller]
pub fn needs(what: &str) {
    let required = std::env::var_os("TCPROVE_REQUIRE_ALL").is_some();
    assert!(
        !required,
        "TCPROVE_REQUIRE_ALL is set, and this needs {what}"
    );
    record(format!("needs {what}"));
}

/// The same of what nobody is asked to have, even where `TCPROVE_REQUIRE_ALL` is set.
#[track_caller]
pub fn may_lack(what: &str) {
    record(format!("needs {what}"));
}

/// How often a slow test runs: the number in `TCPROVE_SLOW`. 0 if it is not set or below `from`; the running test
/// is then recorded as skipped, with what it would take.
#[track_caller]
pub fn slow_rounds(from: usize, takes: &str) -> usize {
    let rounds = rounds();
    if rounds < from {
        record(format!("needs TCPROVE_SLOW={from}: {takes}"));
        return 0;
    }
    rounds
}

/// Whether slow tests are asked for; if not, the running test is recorded as skipped.
#[track_caller]
pub fn is_slow(takes: &str) -> bool {
    slow_rounds(1, takes) > 0
}

/// The number in `TCPROVE_SLOW`, for tests that do less without it; 0 where it is not set.
pub fn rounds() -> usize {
    let asked = std::env::var("TCPROVE_SLOW").ok();
    asked.map_or(0, |rounds| {
        rounds.parse().expect("TCPROVE_SLOW is a number of rounds")
    })
}

#[track_caller]
fn record(reason: String) {
    // The test harness names the thread after the test, but for one that runs on the main thread.
    let thread = std::thread::current();
    let test = match thread.name() {
        Some(name) if name != "main" => name.to_owned(),
        _ => Location::caller().to_string(),
    };
    let mut skipped = SKIPPED.lock().unwrap_or_else(PoisonError::into_inner);
    skipped.insert((test, reason));
}

/// The test harness has no hook for its end, and captures what tests print.
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
