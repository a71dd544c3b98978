//! More instructions fail a gate where they are the cost of an operation, and are shown where they are not.

use serde_json::Value;

use super::cell;
use crate::support::battery::{compiled, have};
use crate::support::skip::is_slow;
use crate::support::{Bench, Ended, alone};

/// A gate of `spare_line.c` that runs so many loops for each line.
fn gated(base: u32, candidate: u32) -> Option<(Ended, Value)> {
    if !have("valgrind") || !is_slow("a minute and a half of a gate") {
        return None;
    }
    let bench = Bench::new();
    let program = compiled("spare_line.c", &bench.path(""), &[])?;
    let _alone = alone();
    let server = |loops: u32| format!("{program} {{port}} {loops}");
    let words = ["gate", "--talk", "line", "--turn", "0", "--json", "r.json"];
    let mut command = bench.tcprove();
    command.args(words).arg("--no-progress");
    // Enough for a busy machine, and too little for allocations and loads.
    command.args(["--max-time", "89s", "--sessions", "20"]);
    command.args(["--base", &server(base), "--candidate", &server(candidate)]);
    let ended = bench.end(command);
    let report = bench.json("r.json");
    Some((ended, report))
}

/// Several times as many instructions, and less than a tenth of a microsecond.
#[test]
fn instructions_that_cost_no_time_are_shown_only() {
    let Some((ended, report)) = gated(0, 30) else {
        return;
    };
    let instructions = cell(&report, "instructions");
    assert_eq!(instructions["verdict"], "fail", "{}", ended.all());
    assert!(
        instructions["low_pct"].as_f64().unwrap() > 50.0,
        "{}",
        ended.all()
    );
    assert_eq!(instructions["decides"], false, "{}", ended.all());
    assert!(
        ended
            .stdout
            .contains("instructions per operation: shown only")
    );
    assert_ne!(report["verdict"], "fail", "{}", ended.all());
}

#[test]
fn a_tenth_more_work_of_a_server_that_computes_fails() {
    let Some((ended, report)) = gated(30_000, 33_000) else {
        return;
    };
    let instructions = cell(&report, "instructions");
    assert_eq!(instructions["verdict"], "fail", "{}", ended.all());
    assert_eq!(instructions["decides"], true, "{}", ended.all());
    assert_eq!(ended.code, Some(1), "{}", ended.all());
}
