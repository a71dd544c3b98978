//! Every planted fault is caught by the check that it names and for the planted reason, and every
//! check has a fault that proves it can fail.

mod support;

use std::collections::BTreeSet;

use serde_json::Value;
use support::battery::tcprove;

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
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("matrix.json");
    let output = tcprove()
        .args(["selftest", "--checks", "--json"])
        .arg(&json)
        .output()
        .unwrap();
    let rows: Value = serde_json::from_str(&std::fs::read_to_string(&json).unwrap()).unwrap();
    let rows = rows.as_array().unwrap();
    let missed: Vec<&Value> = rows.iter().filter(|row| row["ok"] != true).collect();
    assert!(missed.is_empty(), "missed: {missed:#?}");
    assert_eq!(rows.len(), for_checks().count());
    assert!(output.status.success());
}

/// The faults that a check must catch; the others take a load or a fuzz campaign.
fn for_checks() -> impl Iterator<Item = &'static tcprove_server::Fault> {
    let all = tcprove_server::fault::all().iter().copied();
    all.filter(|fault| fault.is_for_check())
}
