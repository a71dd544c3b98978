//! What becomes of a check that fails once: it is repeated on fresh servers until it fails again, or often enough.

use crate::support::battery::{Checked, have, small_server};
use crate::support::skip::is_thorough;

/// Splits a line, on a server of which these lives take such a line for something else. A life counts once it has met one.
fn checked(how: &str, lives: &str) -> Option<Checked> {
    checked_for("split-delimiter", how, lives)
}

fn checked_for(check: &str, how: &str, lives: &str) -> Option<Checked> {
    if !have("python3") {
        return None;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = format!("folder={}", folder.path().display());
    let params = [&format!("how={how}"), &format!("lives={lives}"), &folder];
    let params = params.map(String::as_str);
    Some(small_server("intermittent", &params, &[check]))
}

fn reason(checked: &Checked) -> &str {
    let outcome = checked.outcome("split-delimiter");
    outcome["reason"].as_str().unwrap_or_default()
}

#[test]
fn a_failure_that_occurs_twice_is_a_failure() {
    for (lives, attempts) in [("1,2", 2), ("1,3", 3), ("1,5", 5)] {
        let Some(checked) = checked("wrong", lives) else {
            return;
        };
        checked.assert("split-delimiter", "fail", "wrong-reply");
        assert_eq!(checked.outcome("split-delimiter")["attempts"], attempts);
        let rate = format!("it failed in 2 of {attempts} attempts");
        assert_eq!(
            reason(&checked).contains(&rate),
            attempts > 2,
            "{}",
            checked.shown()
        );
    }
}

/// It may be a race in the server.
#[test]
fn a_failure_that_does_not_occur_again_warns() {
    let Some(checked) = checked("wrong", "1") else {
        return;
    };
    checked.assert("split-delimiter", "warn", "wrong-reply");
    assert_eq!(checked.outcome("split-delimiter")["attempts"], 5);
    let expected = "it failed once, and not in 4 more attempts";
    assert!(reason(&checked).contains(expected), "{}", checked.shown());
}

/// What took too long once, and never again, is the machine's doing.
#[test]
fn a_delay_that_does_not_occur_again_passes() {
    let Some(checked) = checked("late", "1") else {
        return;
    };
    assert_eq!(
        checked.ids("pass"),
        ["split-delimiter"],
        "{}",
        checked.shown()
    );
    let expected = "it failed once, and not in 4 more attempts";
    assert!(reason(&checked).contains(expected), "{}", checked.shown());
}

/// Other clients of such a server wait as well.
#[test]
fn a_delay_that_the_check_does_not_cause_passes() {
    if !is_thorough() {
        return;
    }
    let Some(checked) = checked_for("fin-after-request", "17th", "0") else {
        return;
    };
    assert_eq!(
        checked.ids("pass"),
        ["fin-after-request"],
        "{}",
        checked.shown()
    );
}

#[test]
fn a_death_is_a_fact() {
    let Some(checked) = checked("dies", "1") else {
        return;
    };
    checked.assert("split-delimiter", "fail", "died");
    assert!(
        reason(&checked).contains("it failed once"),
        "{}",
        checked.shown()
    );
}
