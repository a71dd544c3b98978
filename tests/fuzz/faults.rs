//! Every planted fault that a fuzzer can reach is found from the plain talk, confirmed on five fresh servers
//! and made as small as a person would write it.

use serde_json::Value;

use super::{fuzz, rounds};
use crate::support::Bench;

/// A planted fault: its kind, how many steps and bytes a person needs, and how long it takes.
struct Planted {
    name: &'static str,
    kind: &'static str,
    steps: u64,
    bytes: u64,
    /// From which number of `TCPROVE_SLOW` it is looked for.
    slow: u64,
}

const fn planted(name: &'static str, kind: &'static str, steps: u64, bytes: u64) -> Planted {
    Planted {
        name,
        kind,
        steps,
        bytes,
        slow: 0,
    }
}

/// Steps and bytes: a line with what it takes in it; a turn and its reply where the reply is what is wrong.
const PLANTED: &[Planted] = &[
    planted("exit-on-decode-error", "crash", 1, 4),
    planted("panic-on-length-313", "panic", 1, 315),
    planted("format-string", "crash", 1, 3),
    planted("lossy-decode", "conformance", 2, 24),
    planted("nul-cut", "conformance", 2, 24),
    planted("shift-for-all", "conformance", 1, 1),
    // Two oracles see it: whichever comes first.
    planted("full-buffer-byte-lost", "divergence|conformance", 2, 1040),
    planted("three-cases", "crash", 6, 9),
    Planted {
        slow: 1,
        ..planted("fd-leak-on-reset", "leak", 3, 2)
    },
    Planted {
        slow: 1,
        ..planted("hang-on-half-message", "hang", 2, 4)
    },
    Planted {
        slow: 2,
        ..planted("quadratic-parse", "complexity", 1, 70_000)
    },
    Planted {
        slow: 2,
        ..planted("global-lock-while-slow", "starvation", 2, 16)
    },
];

fn find(planted: &Planted, seed: u64) {
    let bench = Bench::new();
    let (fault, seed) = (format!("fault={}", planted.name), seed.to_string());
    let fuzzed = fuzz(
        &bench,
        &[
            "--embedded",
            "--param",
            &fault,
            "--seed",
            &seed,
            "--duration",
            "60s",
            "--stop-on-first",
        ],
    );
    let told = || format!("{}, seed {seed}: {}", planted.name, fuzzed.ended.all());
    assert_eq!(fuzzed.ended.code, Some(1), "{}", told());
    let kinds: Vec<&str> = planted.kind.split('|').collect();
    let of_kind = |finding: &&Value| {
        finding["kind"]
            .as_str()
            .is_some_and(|kind| kinds.contains(&kind))
    };
    let finding = fuzzed.findings().iter().find(of_kind);
    let finding = finding.unwrap_or_else(|| panic!("not as {}: {}", planted.kind, told()));
    assert_eq!(finding["confirmed"], "5/5", "{}", told());
    let (steps, bytes) = (finding["steps"].as_u64(), finding["bytes"].as_u64());
    assert!(steps.unwrap() <= planted.steps, "{}", told());
    assert!(bytes.unwrap() <= planted.bytes, "{}", told());
    for file in ["case.json", "reproduce.py", "reproduce.rs", "README.md"] {
        let place = bench
            .path(finding["reproducer"].as_str().unwrap())
            .join(file);
        assert!(place.is_file(), "{}", place.display());
    }
}

#[test]
fn quick_ones() {
    for planted in PLANTED.iter().filter(|planted| planted.slow == 0) {
        find(planted, 1);
    }
}

/// Seconds of waiting for a server that hangs, hundreds of runs for one that leaks.
#[test]
fn slow_ones() {
    if rounds() == 0 {
        println!("skipped: minutes of campaigns; TCPROVE_SLOW=1 runs some, TCPROVE_SLOW=2 all");
        return;
    }
    let within = |planted: &&Planted| (1..=rounds()).contains(&planted.slow);
    for planted in PLANTED.iter().filter(within) {
        find(planted, 1);
    }
}

#[test]
fn all_of_them_with_other_seeds() {
    if rounds() < 2 {
        println!("skipped: minutes of campaigns; TCPROVE_SLOW=N runs them with N seeds, from 2");
        return;
    }
    for seed in 0..rounds() {
        PLANTED.iter().for_each(|planted| find(planted, 100 + seed));
    }
}

/// A fault that no campaign is asked to find would prove nothing.
#[test]
fn every_fault_for_fuzzing_is_in_the_list() {
    for fault in tcprove_server::fault::all() {
        let listed = PLANTED.iter().find(|planted| planted.name == fault.name);
        assert!(!fault.is_for_fuzz() || listed.is_some(), "{}", fault.name);
        if let (Some(listed), true) = (listed, fault.is_for_fuzz()) {
            assert_eq!(listed.kind, fault.kind, "{}", fault.name);
        }
    }
}
