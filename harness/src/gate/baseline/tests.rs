//! Tests of stored baselines.

use std::time::Duration;

use super::*;
use crate::gate::counters::{CountMethod, Graph};
use crate::load::Workload;

const CPUINFO: &str = "processor\t: 0\nmodel name\t: Sample CPU @ 2 GHz\nflags\t\t: fpu avx2 arat avx\n\nprocessor\t: 1\nmodel name\t: Other\nflags\t\t: fpu\n";
const OS: &str = "PRETTY_NAME=\"Sample 12\"\nVERSION_ID=\"12\"\nID=sample\n";

fn exactly(count: f64) -> PerOp {
    PerOp {
        estimate: count,
        low: count,
        high: count,
    }
}

fn subject(name: &str) -> Subject {
    let file = crate::file::builtin(name).unwrap();
    Subject {
        origin: crate::subject::Origin::Spawn(Box::new(Launch::new("tcprove", ["sh", "{port}"]))),
        talk: std::sync::Arc::new(file.talk),
        promise: file.promise,
        seed: 1,
    }
}

fn plan() -> CountPlan {
    CountPlan::of(&Workload::default(), 256, 4_096, Duration::from_secs(9))
}

fn baseline(name: &str, plan: &CountPlan) -> Baseline {
    let counts = OperationCounts {
        instructions: exactly(1_234.0),
        syscalls: exactly(5.0),
        by: CountMethod {
            tool: "callgrind-3.19.0".to_owned(),
            runs: Vec::new(),
            notes: Vec::new(),
        },
        functions: Graph::default(),
    };
    Baseline {
        machine: BaselineMachine::parse(&counts.by.tool, "x86_64", CPUINFO, OS),
        ..Baseline::of(&subject(name), plan, &counts, None)
    }
}

#[test]
fn what_is_stored_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("baseline.json");
    let stored = baseline("line", &plan());
    stored.save(&path).unwrap();
    assert_eq!(Baseline::load(&path).unwrap(), stored);
    assert_eq!(stored.server.cmd, ["sh", "{port}"]);
    assert_eq!(stored.server.program.as_ref().unwrap().len(), 16);
    assert_eq!(stored.machine.cpu, "Sample CPU @ 2 GHz");
    assert_eq!(stored.machine.system, "sample 12");
    let features = ["avx", "avx2"].map(str::to_owned);
    assert_eq!(stored.machine.cpu_features, BTreeSet::from(features));
}

#[test]
fn what_is_no_baseline_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("baseline.json");
    let trouble = |text: &str| {
        std::fs::write(&path, text).unwrap();
        Baseline::load(&path).unwrap_err()
    };
    let missing = Baseline::load(&folder.path().join("none")).unwrap_err();
    assert!(matches!(missing, BaselineError::Missing(_)), "{missing}");
    let none = trouble("{");
    assert!(
        none.to_string().contains("is not a baseline: EOF"),
        "{none}"
    );
    let other = trouble("{\"schema\": \"tcprove-report/1\"}");
    assert!(other.to_string().contains("`schema` is not"), "{other}");
    let half = trouble(&format!("{{\"schema\": \"{SCHEMA}\"}}"));
    assert!(half.to_string().contains("missing field"), "{half}");
    let newer = trouble("{\"schema\": \"tcprove-baseline/2\"}");
    assert!(matches!(newer, BaselineError::Version { .. }), "{newer}");
    assert!(newer.to_string().contains("tcprove-baseline/2"), "{newer}");
    let folder_itself = Baseline::load(folder.path()).unwrap_err();
    assert!(matches!(folder_itself, BaselineError::Read { .. }));
    let unwritten = baseline("line", &plan()).save(folder.path()).unwrap_err();
    assert!(matches!(unwritten, BaselineError::Write { .. }));
}

#[test]
fn the_same_on_an_equal_machine_can_be_compared() {
    let stored = baseline("line", &plan());
    let mut now = baseline(
        "line",
        &CountPlan::of(&Workload::default(), 32, 99, Duration::ZERO),
    );
    now.server.program = None;
    assert_eq!(stored.comparable(&now), Ok(Vec::new()));
    now.machine.cpu = "Another CPU".to_owned();
    now.tcprove = "9.9.9".to_owned();
    now.server.cmd.push("-v".to_owned());
    let notes = stored.comparable(&now).unwrap();
    assert_eq!(notes.len(), 3, "{notes:?}");
    assert!(notes[0].contains("Another CPU"));
    let same = stored.comparable(&stored.clone()).unwrap();
    assert!(same[0].contains("is the same"), "{same:?}");
}

#[test]
fn what_stands_in_the_way_is_named() {
    let stored = baseline("line", &plan());
    let forbids = |change: fn(&mut Baseline), word: &str| {
        let mut now = stored.clone();
        change(&mut now);
        let reasons = stored.comparable(&now).unwrap_err();
        assert_eq!(reasons.len(), 1, "{reasons:?}");
        assert!(reasons[0].contains(word), "{reasons:?}");
    };
    forbids(|now| now.machine.tool = "callgrind-3.22.0".into(), "3.22.0");
    forbids(|now| now.machine.system = "sample 13".into(), "sample 13");
    forbids(|now| now.talk.pace_s = Some(0.001), "per 1000 µs");
    forbids(
        |now| now.machine.cpu_features = ["avx".to_owned()].into(),
        "the baseline has avx2, this machine has none",
    );
    forbids(|now| now.machine.arch = "aarch64".into(), "aarch64");
}

#[test]
fn other_requests_are_another_talk() {
    let line = baseline("line", &plan());
    let redis = baseline("redis", &plan());
    let reasons = line.comparable(&redis).unwrap_err();
    assert!(reasons[0].contains("redis"), "{reasons:?}");
    let mut other = plan();
    other.workload.payload_bytes += 1;
    let reasons = line.comparable(&baseline("line", &other)).unwrap_err();
    assert!(reasons[0].contains("different requests"), "{reasons:?}");
    let mut other = plan();
    other.workload.turns = vec![1];
    assert!(line.comparable(&baseline("line", &other)).is_err());
}
