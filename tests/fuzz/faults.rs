//! Every planted fault that a fuzzer can reach is found from the plain talk, confirmed on five fresh servers
//! and made as small as a person would write it.

use serde_json::Value;

use super::fuzz;
use crate::support::Bench;
use crate::support::skip::{is_thorough, slow_rounds};

/// A planted fault: its kind, how many steps and bytes a person needs, and how long it takes.
struct Planted {
    name: &'static str,
    kind: &'static str,
    steps: u64,
    bytes: u64,
    /// From which number of `TCPROVE_SLOW` it is looked for.
    slow: usize,
    feedback: &'static str,
    /// Whether it takes a result of a system call that no client can cause.
    inject: bool,
}

const fn planted(name: &'static str, kind: &'static str, steps: u64, bytes: u64) -> Planted {
    Planted {
        name,
        kind,
        steps,
        bytes,
        slow: 0,
        feedback: "shape",
        inject: false,
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
        // Breakpoints in this big program, built without optimization, take seconds to prepare.
        slow: 1,
        feedback: "breakpoints",
        ..planted("six-messages", "crash", 11, 42)
    },
    Planted {
        // What else a campaign with injections has to do is in `injected`.
        slow: 2,
        inject: true,
        ..planted("read-error-in-one-state", "crash", 3, 1)
    },
    Planted {
        slow: 2,
        ..planted("quadratic-parse", "complexity", 1, 70_000)
    },
    Planted {
        slow: 1,
        ..planted("logs-each-space", "flood", 1, 10_000)
    },
    Planted {
        slow: 2,
        ..planted("global-lock-while-slow", "starvation", 2, 16)
    },
];

fn find(planted: &Planted, seed: u64) {
    let bench = Bench::new();
    let (fault, seed) = (format!("fault={}", planted.name), seed.to_string());
    let mut arguments = vec![
        "--embedded",
        "--param",
        &fault,
        "--seed",
        &seed,
        "--duration",
        "100s",
        "--stop-on-first",
        "--feedback",
        planted.feedback,
    ];
    arguments.extend(planted.inject.then_some("--inject"));
    let fuzzed = fuzz(&bench, &arguments);
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
    // No program can inject.
    let programs = (!planted.inject).then_some(["reproduce.py", "reproduce.rs"]);
    for file in ["case.json", "README.md"]
        .into_iter()
        .chain(programs.into_iter().flatten())
    {
        let place = bench
            .path(finding["reproducer"].as_str().unwrap())
            .join(file);
        assert!(place.is_file(), "{}", place.display());
    }
}

/// Those that may take more than ten seconds to be found and made small.
const THOROUGH: &[&str] = &[
    "panic-on-length-313",
    "full-buffer-byte-lost",
    "three-cases",
];

/// A test for each fault that is found within seconds, so that they run beside each other.
macro_rules! quick {
    ($($test:ident: $fault:literal,)*) => {
        const QUICK: &[&str] = &[$($fault),*];

        $(
            #[test]
            fn $test() {
                if THOROUGH.contains(&$fault) && !is_thorough() {
                    return;
                }
                let planted = PLANTED.iter().find(|planted| planted.name == $fault);
                find(planted.unwrap(), 1);
            }
        )*
    };
}

quick! {
    exit_on_decode_error: "exit-on-decode-error",
    panic_on_length_313: "panic-on-length-313",
    format_string: "format-string",
    lossy_decode: "lossy-decode",
    nul_cut: "nul-cut",
    shift_for_all: "shift-for-all",
    full_buffer_byte_lost: "full-buffer-byte-lost",
    three_cases: "three-cases",
}

#[test]
fn every_quick_one_has_a_test() {
    let quick = PLANTED.iter().filter(|planted| planted.slow == 0);
    assert!(quick.map(|planted| planted.name).eq(QUICK.iter().copied()));
}

/// Seconds of waiting for a server that hangs, hundreds of runs for one that leaks.
#[test]
fn slow_ones() {
    let rounds = slow_rounds(1, "minutes of campaigns, TCPROVE_SLOW=2 for all");
    let within = |planted: &&Planted| (1..=rounds).contains(&planted.slow);
    for planted in PLANTED.iter().filter(within) {
        find(planted, 1);
    }
}

#[test]
fn all_of_them_with_other_seeds() {
    for seed in 0..slow_rounds(2, "minutes of campaigns, with N seeds for TCPROVE_SLOW=N") {
        let seed = 100 + seed as u64;
        PLANTED.iter().for_each(|planted| find(planted, seed));
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
