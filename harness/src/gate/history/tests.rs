//! Tests with simulated histories: how many changes are found, and how many are invented.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use super::level::levels;
use super::*;

/// Numbers of the normal distribution (Box and Muller).
struct Normal(Xoshiro256PlusPlus);

impl Normal {
    fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    fn next(&mut self) -> f64 {
        let mut uniform = || (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let (radius, angle) = (uniform(), uniform());
        (-2.0 * (1.0 - radius).ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }
}

/// The gate with which a step begins, and its size in percent.
const STEPS: [(usize, f64); 6] = [
    (28, 0.8),
    (57, 0.8),
    (86, 3.0),
    (114, 0.8),
    (143, 0.8),
    (171, 0.8),
];
const GATES: usize = 200;
/// How far from a step a change may be reported to count as found.
const NEAR: usize = 10;
const SEEDS: u64 = 200;

/// Levels at 100 plus what `shape` adds, with noise of this standard deviation.
fn simulated(gates: usize, seed: u64, sd: f64, shape: impl Fn(usize) -> f64) -> Vec<(usize, f64)> {
    let mut normal = Normal::new(seed);
    (0..gates)
        .map(|gate| (gate, 100.0 + shape(gate) + sd * normal.next()))
        .collect()
}

fn stairs(gate: usize) -> f64 {
    STEPS
        .iter()
        .filter(|step| step.0 <= gate)
        .map(|step| step.1)
        .sum()
}

/// What is found of [`STEPS`] at a level of noise.
#[derive(Debug, Default)]
struct Tally {
    /// Histories in which each step was found.
    found: [u64; 6],
    /// Histories in which all were found.
    all: u64,
    /// Histories with at most one false change.
    at_most_one_false: u64,
    /// Histories with all steps and at most one false change.
    both: u64,
}

fn tally(sd: f64) -> Tally {
    let mut tally = Tally::default();
    for seed in 0..SEEDS {
        let shifts = levels(&simulated(GATES, seed, sd, stairs), 0.0).shifts;
        let mut found = [false; 6];
        let mut wrong = 0;
        for shift in &shifts {
            let step = (0..6).find(|step| {
                !found[*step]
                    && STEPS[*step].0.abs_diff(shift.gate) <= NEAR
                    && shift.change_pct > 0.0
            });
            match step {
                Some(step) => found[step] = true,
                None => wrong += 1,
            }
        }
        for (count, found) in tally.found.iter_mut().zip(found) {
            *count += u64::from(found);
        }
        let all = found.iter().all(|found| *found);
        tally.all += u64::from(all);
        tally.at_most_one_false += u64::from(wrong <= 1);
        tally.both += u64::from(all && wrong <= 1);
    }
    tally
}

/// One step of 3 % and five of 0.8 %. What separate gates measure differs by 0.1 to 0.2 %; noise as large as the small
/// steps, with 28 gates between them, hides some of them from any method.
#[test]
fn steps_are_found_and_few_are_invented() {
    for (sd, all, each) in [(0.2, 198, 199), (0.4, 190, 195), (0.8, 4, 100)] {
        let seen = tally(sd);
        println!("noise {sd} %: {seen:?} of {SEEDS}");
        assert_eq!(seen.found[2], SEEDS, "the step of 3 % at {sd}");
        assert!(seen.all >= all, "{sd}: {seen:?}");
        assert!(
            seen.found.iter().all(|found| *found >= each),
            "{sd}: {seen:?}"
        );
        assert!(seen.at_most_one_false >= 188, "{sd}: {seen:?}");
    }
}

#[test]
fn histories_without_a_change_rarely_show_one() {
    for gates in [10, 20, 50, 100, 200] {
        let falsely = |seed: &u64| {
            let series = simulated(gates, seed + 1000, 0.8, |_| 0.0);
            !levels(&series, 0.0).shifts.is_empty()
        };
        let wrong = (0..SEEDS).filter(falsely).count();
        println!("{gates} gates without a change: {wrong} of {SEEDS} show one");
        assert!(wrong <= 22, "{gates}: {wrong}");
    }
}

/// 2 % in 200 steps of 0.01 %, none of which is to be seen.
#[test]
fn a_slow_drift_is_found_and_named() {
    let (mut found, mut named) = (0, 0);
    for seed in 0..SEEDS {
        let series = simulated(GATES, seed, 0.8, |gate| gate as f64 * 0.01);
        let seen = levels(&series, 0.0);
        found += u64::from(
            !seen.shifts.is_empty() && seen.shifts.iter().all(|shift| shift.change_pct > 0.0),
        );
        named += u64::from(!seen.drifts.is_empty());
    }
    println!("drift of 2 %: found {found}, named a drift {named}, of {SEEDS}");
    assert!(found >= 190 && named >= 100, "{found} {named}");
    let seen = levels(&simulated(GATES, 3, 0.4, |gate| gate as f64 * 0.02), 0.0);
    let [drift] = seen.drifts[..] else {
        panic!("{seen:?}")
    };
    assert!((drift.change_pct - 4.0).abs() < 0.8, "{drift:?}");
    // A single step is no drift.
    let step = simulated(GATES, 3, 0.4, |gate| if gate < 90 { 0.0 } else { 4.0 });
    let seen = levels(&step, 0.0);
    assert!(seen.drifts.is_empty() && seen.shifts.len() == 1, "{seen:?}");
}

#[test]
fn a_change_has_its_place_and_its_size() {
    let step = simulated(60, 1, 0.5, |gate| if gate < 40 { 0.0 } else { -5.0 });
    let [shift] = levels(&step, 0.0).shifts[..] else {
        panic!("one change")
    };
    assert_eq!(shift.gate, 40);
    assert!(shift.gate_first <= 40 && shift.gate_last >= 40 && shift.gate_last < 43);
    assert!(shift.low_pct < -5.0 && shift.high_pct > -5.0, "{shift:?}");
    // Exact counts, and a change of the fewest values.
    let counts: Vec<(usize, f64)> = (0..20)
        .map(|gate| (gate, if gate < 15 { 4000.0 } else { 4040.0 }))
        .collect();
    let seen = levels(&counts, 0.0);
    assert_eq!(seen.shifts[0].gate, 15);
    assert_eq!(seen.levels.len(), 2);
    assert!((seen.total_pct.unwrap() - 1.0).abs() < 1e-9);
    let small = levels(&counts, 41.0);
    assert_eq!(
        (small.shifts.len(), small.too_small),
        (0, 1),
        "it does not count"
    );
    assert_eq!(levels(&counts[..9], 0.0), Default::default(), "too few");
}

#[test]
fn figures_may_be_zero() {
    let idle: Vec<(usize, f64)> = (0..40)
        .map(|gate| (gate, if gate < 20 { 0.0 } else { 0.5 }))
        .collect();
    let seen = levels(&idle, 0.03);
    assert_eq!(seen.shifts.len(), 1);
    assert!(seen.shifts[0].change_pct.is_finite());
    let never: Vec<(usize, f64)> = (0..40).map(|gate| (gate, 0.0)).collect();
    assert!(levels(&never, 0.03).shifts.is_empty());
}

fn entry(gate: usize, machine: &str, base: Option<&str>, figure: f64) -> Entry {
    Entry {
        schema: SCHEMA.into(),
        run_id: format!("run-{gate}"),
        time: "2026-01-01T00:00:00Z".into(),
        commit: None,
        fingerprint: machine.into(),
        machine: Machine {
            model: "x".into(),
            cpus: 2,
            kernel: "6".into(),
        },
        target: Some("echo".into()),
        base_content: base.map(str::to_owned),
        cells: vec![EntryCell {
            metric: "server-cpu".into(),
            at: None,
            candidate: Some(figure),
            estimate_pct: Some(1.0),
        }],
    }
}

#[test]
fn machines_are_apart_and_one_base_gives_ratios() {
    let entries: Vec<Entry> = (0..40)
        .map(|gate| match gate % 2 {
            0 => entry(gate, "slow", Some("release"), 40.0),
            _ => entry(gate, "fast", None, 10.0),
        })
        .collect();
    let history = history(&entries);
    let [slow, fast] = &history.machines[..] else {
        panic!("{history:?}")
    };
    assert_eq!((slow.gates.len(), fast.gates.len()), (20, 20));
    assert_eq!(slow.trends[0].values, Values::PercentOfBase);
    assert_eq!(slow.trends[0].points[3], (3, 101.0));
    assert_eq!(fast.trends[0].values, Values::Figures);
    assert_eq!(fast.trends[0].points[3], (3, 10.0));
    assert!(slow.trends[0].shifts.is_empty() && fast.trends[0].shifts.is_empty());
    // One gate with another base, and none is comparable by its ratio.
    let mut mixed = entries;
    mixed[4].base_content = Some("next release".into());
    let history = super::history(&mixed);
    assert_eq!(history.machines[0].trends[0].values, Values::Figures);
}

#[test]
fn broken_lines_are_named() {
    let broken = parse("\n{\"schema\": 1}\n").unwrap_err().to_string();
    assert!(broken.starts_with("line 2: "), "{broken}");
    let line = r#"{"schema":"tcprove-history/2","run_id":"r","time":"t","fingerprint":"f",
        "machine":{"model":"m","cpus":1,"kernel":"k"},"target":null,"cells":[]}"#
        .replace('\n', " ");
    let foreign = parse(&line).unwrap_err().to_string();
    assert!(
        foreign.contains("line 1 has the schema `tcprove-history/2`"),
        "{foreign}"
    );
    let read = parse(&line.replace("/2", "/1")).unwrap();
    assert_eq!((read.len(), read[0].commit.is_none()), (1, true));
}

#[test]
fn hashes_are_shortened_and_names_are_not() {
    let gate = |commit: &str| PastGate {
        run_id: String::new(),
        time: "now".into(),
        commit: (!commit.is_empty()).then(|| commit.to_owned()),
    };
    let hash = "0123456789abcdef0123456789abcdef01234567";
    assert_eq!(gate(hash).label(), "0123456789ab");
    assert_eq!(gate("v1.2.3").label(), "v1.2.3");
    assert_eq!(gate("").label(), "now");
}
