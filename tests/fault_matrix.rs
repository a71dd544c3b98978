//! Every planted fault is caught by the check that it names and for the planted reason, and every check has a fault
//! that proves it can fail.
//!
//! Without `TCPROVE_SLOW=1`, one check of each group stands for the others, and with it those that take most of a minute are
//! left out, which `TCPROVE_SLOW=2` adds.

use std::collections::BTreeSet;

use serde_json::Value;
use tcprove::check::{Check, Runs};

use crate::support::alone;
use crate::support::battery::tcprove;
use crate::support::skip::rounds;

/// Checks that take most of a minute on a faulty server.
const LONG: [&str; 4] = [
    "silent-reader",
    "soak-drift",
    "overload-recovery",
    "accept-short",
];

#[test]
fn every_check_can_fail() {
    let planted: BTreeSet<&str> = for_checks().map(|fault| fault.caught_by).collect();
    let checks: BTreeSet<&str> = tcprove::check::all().map(|check| check.id).collect();
    assert_eq!(
        checks, planted,
        "checks, and checks that a planted fault names"
    );
}

#[test]
fn every_fault_is_caught_for_the_planted_reason() {
    let _alone = (rounds() > 0).then(alone);
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("matrix.json");
    let mut groups = BTreeSet::new();
    let mut stands_for_its_group =
        |check: &&Check| !is_alone(check) && groups.insert(check.group());
    let checks = tcprove::check::all();
    let checks = checks.filter(|check| match rounds() {
        0 => !LONG.contains(&check.id) && stands_for_its_group(check),
        1 => !LONG.contains(&check.id),
        _ => true,
    });
    let taken: BTreeSet<&str> = checks.map(|check| check.id).collect();
    let output = tcprove()
        .args(["selftest", "--json"])
        .arg(&json)
        .args(taken.iter().flat_map(|id| ["--only", id]))
        .output()
        .unwrap();
    let rows: Value = serde_json::from_str(&std::fs::read_to_string(&json).unwrap()).unwrap();
    let rows = rows.as_array().unwrap();
    let missed: Vec<&Value> = rows
        .iter()
        .filter(|row| row["ok"] != true && row["applies"] == true)
        .collect();
    assert!(missed.is_empty(), "missed: {missed:#?}");
    let planted = for_checks().filter(|fault| taken.contains(fault.caught_by));
    assert_eq!(rows.len(), planted.count());
    assert!(output.status.success());
}

fn is_alone(check: &Check) -> bool {
    check.runs == Runs::AloneOnMachine
}

/// The faults that a check must catch. The others are caught by loads, fuzz campaigns or gates.
fn for_checks() -> impl Iterator<Item = &'static tcprove_server::Fault> {
    let all = tcprove_server::fault::all().iter().copied();
    all.filter(|fault| fault.is_for_check())
}
