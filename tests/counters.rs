//! Counts under valgrind, on the reference server: they are the same in every run and show planted work exactly.
//!
//! With `TCPROVE_SLOW=N`, every model runs N times and the ranges are printed.

use std::sync::Arc;
use std::time::Duration;

use tcprove::gate::Pair;
use tcprove::gate::counters::{
    CountError, CountPlan, OperationCounts, PerOp, Span, allocations_of_both, count, count_both,
};
use tcprove::load::Workload;
use tcprove::process::Launch;
use tcprove::subject::{Interrupt, Origin, Subject};

use crate::support::battery::have;
use crate::support::skip::{is_slow, is_thorough, slow_rounds};
use crate::support::{alone, share};

/// Time limit of a run, generous enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(100);

/// The reference server with these arguments.
fn server(arguments: &[&str]) -> Subject {
    let binary = crate::support::program();
    let mut command = vec![binary, "serve", "--protocol", "line", "--port", "{port}"];
    command.extend(arguments);
    subject(Launch::new(binary, command))
}

fn subject(launch: Launch) -> Subject {
    let file = tcprove::file::builtin("line").expect("a built-in talk");
    Subject {
        origin: Origin::Spawn(Box::new(launch)),
        talk: Arc::new(file.talk),
        promise: file.promise,
        seed: 1,
    }
}

fn workload() -> Workload {
    Workload {
        connections: 1,
        ..Workload::default()
    }
}

/// A plan with few runs and few requests.
fn short() -> CountPlan {
    CountPlan {
        requests: vec![32, 160],
        ..CountPlan::of(&workload(), 32, 160, PATIENCE)
    }
}

/// Maximum attempts to count without a disturbance by other processes.
const TRIES: usize = 3;

fn change(base: &PerOp, candidate: &PerOp) -> f64 {
    candidate.estimate - base.estimate
}

#[test]
fn a_measurement_again_agrees_and_one_more_system_call_is_seen() {
    if !is_thorough() {
        return;
    }
    if !have("valgrind") {
        return;
    }
    share();
    let sound = server(&["--model", "sequential"]);
    let planted = server(&["--fault", "extra-syscall", "--model", "sequential"]);
    let (plan, interrupt) = (short(), Interrupt::default());
    let count = |subject| count(subject, &plan, None, None, &interrupt).expect("counts");
    let three = || -> Vec<OperationCounts> {
        std::thread::scope(|scope| {
            let threads = [&sound, &sound, &planted].map(|subject| scope.spawn(|| count(subject)));
            let joined = threads.into_iter().map(|thread| thread.join());
            joined.map(|counts| counts.expect("no panic")).collect()
        })
    };
    // On a busy machine a run takes longer than a tenth of a second, and the server makes an additional system call to
    // read the clock. Then the runs are counted again.
    let alike = |counted: &[OperationCounts]| {
        let [one, again, more] = [0, 1, 2].map(|place| &counted[place].syscalls);
        one == again && change(one, more) == 1.0
    };
    let mut counted = three();
    for _ in 1..TRIES {
        if alike(&counted) {
            break;
        }
        counted = three();
    }
    let [one, again, more] = &counted[..] else {
        panic!("three were counted")
    };
    let off = change(&one.instructions, &again.instructions) / one.instructions.estimate;
    assert!(off.abs() <= 0.000_5, "{one:?}\n{again:?}");
    assert_eq!(one.syscalls, again.syscalls, "{one:?}\n{again:?}");
    assert!(one.syscalls.estimate >= 2.0, "{one:?}");
    assert_eq!(change(&one.syscalls, &more.syscalls), 1.0, "{more:?}");
    assert!(change(&one.instructions, &more.instructions) > 1.0);
    assert!(one.by.tool.starts_with("callgrind-"), "{one:?}");
    assert_eq!(one.by.notes, [""; 0]);
}

#[test]
fn one_more_allocation_is_seen() {
    if !have("valgrind") || !is_slow("ten seconds of counting allocations") {
        return;
    }
    share();
    let sound = server(&["--model", "sequential"]);
    let planted = server(&["--fault", "extra-allocation", "--model", "sequential"]);
    let allocations = allocations_of_both(
        Pair {
            base: &sound,
            candidate: &planted,
        },
        &short(),
        &Interrupt::default(),
    );
    let Pair { base, candidate } = allocations.expect("counts");
    assert_eq!(change(&base.blocks, &candidate.blocks), 1.0);
    assert_eq!(change(&base.bytes, &candidate.bytes), 4_096.0);
}

#[test]
fn what_cannot_be_counted_says_why() {
    if !have("valgrind") {
        return;
    }
    share();
    let binary = crate::support::program();
    let (plan, interrupt) = (short(), Interrupt::default());
    let trouble = |launch| {
        let counted = count(&subject(launch), &plan, None, None, &interrupt);
        counted.expect_err("no counts")
    };
    let nothing = trouble(Launch::new(binary, ["/nowhere/server"]));
    assert!(matches!(nothing, CountError::Start { .. }), "{nothing}");
    assert!(nothing.to_string().contains("/nowhere/server"), "{nothing}");
    interrupt.set();
    let ended = trouble(Launch::new(binary, ["sleep", "60"]));
    assert!(matches!(ended, CountError::Interrupted), "{ended}");
}

/// The range over repeated measurements is small in every model. The work of a single thread is always the same. With
/// several threads it depends on which of them the kernel wakes, and on random numbers of the runtime.
#[test]
fn ranges_over_whole_measurements() {
    let rounds = slow_rounds(1, "minutes of measurements");
    if rounds == 0 || !have("valgrind") {
        return;
    }
    let _alone = alone();
    let models = [
        ("sequential", 0.02, 0.002),
        ("threads", 0.02, 0.002),
        ("tokio-current", 0.1, 0.002),
        ("tokio-multi", 1.0, 0.05),
    ];
    for (model, instructions_pct, syscalls) in models {
        let subject = server(&["--model", model]);
        let span = Span {
            aim: Duration::from_secs(10),
            limit: PATIENCE,
        };
        let counted: Vec<OperationCounts> = (0..rounds.max(2))
            .flat_map(|_| {
                let sides = Pair::both(&subject);
                let both = count_both(sides, &workload(), span, &Interrupt::default());
                let Pair { base, candidate } = both.expect("counts").1;
                [base, candidate]
            })
            .collect();
        let range = |of: fn(&OperationCounts) -> &PerOp| {
            let estimates = counted.iter().map(|counts| of(counts).estimate);
            let (low, high) = estimates.fold((f64::MAX, f64::MIN), |(low, high), one| {
                (low.min(one), high.max(one))
            });
            (low, high - low)
        };
        let (low, range_of_instructions) = range(|counts| &counts.instructions);
        let off_pct = range_of_instructions / low * 100.0;
        let (calls, range_of_calls) = range(|counts| &counts.syscalls);
        println!(
            "{model}: {low:.1} instructions, range {off_pct:.4} %; {calls:.4} system calls, range {range_of_calls:.5}"
        );
        assert!(off_pct <= instructions_pct, "{model}: {off_pct} %");
        assert!(range_of_calls <= syscalls, "{model}: {range_of_calls}");
    }
}
