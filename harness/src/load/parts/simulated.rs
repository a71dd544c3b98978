//! Loads of 8, 64 and 1,000 parts, without machines: what their arrivals are if their clocks differ, and whether the intervals
//! of a merged load cover the truth.

use std::collections::BTreeMap;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use crate::load::pacer::{Pacer, Segment};
use crate::load::parts_reason::APART_MAX;
use crate::load::workload::Arrivals;
use crate::stats::{ValueCounts, kolmogorov_smirnov, quantile_interval};

const PARTS: [usize; 3] = [8, 64, 1000];
const RATE: f64 = 2000.0;
const SECONDS: f64 = 2.0;
/// Below this probability, arrivals are not those of the plan.
const P_MIN: f64 = 0.01;

/// The arrivals of a part, in nanoseconds.
fn of_part(arrivals: Arrivals, part: usize, parts: usize) -> Vec<u64> {
    let flat = Segment {
        seconds: SECONDS,
        from: RATE,
        to: RATE,
    };
    let mut pacer = Pacer::new(vec![flat], arrivals, part, parts, 3);
    std::iter::from_fn(|| pacer.next()).collect()
}

/// The arrivals of all parts, each moved by its `moved(part, due)`.
fn union(arrivals: Arrivals, parts: usize, mut moved: impl FnMut(usize, u64) -> i64) -> Vec<u64> {
    let mut all: Vec<u64> = (0..parts)
        .flat_map(|part| {
            let due = of_part(arrivals, part, parts).into_iter();
            due.map(|due| due.saturating_add_signed(moved(part, due)))
                .collect::<Vec<_>>()
        })
        .collect();
    all.sort_unstable();
    all
}

fn gaps(arrivals: &[u64]) -> Vec<f64> {
    let pairs = arrivals.windows(2);
    pairs.map(|pair| (pair[1] - pair[0]) as f64).collect()
}

/// Whether the intervals between these arrivals may be those of the plan.
fn follow_the_plan(arrivals: Arrivals, union: &[u64]) -> bool {
    let plan = gaps(&of_part(arrivals, 0, 1));
    kolmogorov_smirnov(&gaps(union), &plan).unwrap().1 >= P_MIN
}

/// A random offset for each part, uniform up to `most` nanoseconds either way.
fn offsets(parts: usize, most: u64) -> Vec<i64> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(parts as u64);
    let mut one = || (random.next_u64() % (2 * most + 1)) as i64 - most as i64;
    (0..parts).map(|_| one()).collect()
}

#[test]
fn parts_whose_clocks_agree_send_the_plan() {
    for arrivals in [Arrivals::Constant, Arrivals::Poisson] {
        let plan = of_part(arrivals, 0, 1);
        for parts in PARTS {
            assert_eq!(union(arrivals, parts, |_, _| 0), plan, "{parts} parts");
        }
    }
}

/// Nobody coordinates the parts: each starts by its own clock. That leaves Poisson arrivals as random as they were, even with
/// clocks that differ by far more than is accepted.
#[test]
fn clocks_that_differ_do_not_change_poisson_arrivals() {
    for parts in PARTS {
        for most in [APART_MAX.as_nanos() as u64 / 2, 100_000_000] {
            let offsets = offsets(parts, most);
            let moved = union(Arrivals::Poisson, parts, |part, _| offsets[part]);
            assert_eq!(moved.len(), of_part(Arrivals::Poisson, 0, 1).len());
            assert!(
                follow_the_plan(Arrivals::Poisson, &moved),
                "{parts} parts, {most} ns"
            );
        }
    }
}

/// Equal intervals need clocks that differ by much less than an interval: 0.5 ms here.
#[test]
fn equal_intervals_need_better_clocks() {
    for parts in PARTS {
        let spread = |most| {
            let offsets = offsets(parts, most);
            let moved = union(Arrivals::Constant, parts, |part, _| offsets[part]);
            let gaps = gaps(&moved);
            gaps.iter()
                .fold(0.0_f64, |most, gap| most.max((gap - 5e5).abs()))
        };
        assert!(spread(10_000) <= 20_001.0, "{parts} parts");
        assert!(spread(2_500_000) > 250_000.0, "{parts} parts");
    }
}

/// A part that starts late sends at once what is overdue. Of 8 parts one is seen in the arrivals; of 1,000 it is not: that is
/// why each part says when it started.
#[test]
fn a_late_part_is_seen_in_the_arrivals_of_a_few() {
    let late = |parts: usize| {
        let begins = (SECONDS * 1e9 / 2.0) as u64;
        let moved = union(Arrivals::Poisson, parts, |part, due| match part {
            0 => begins.saturating_sub(due) as i64,
            _ => 0,
        });
        follow_the_plan(Arrivals::Poisson, &moved)
    };
    assert!(!late(8));
    assert!(late(1000));
}

/// Windows of the simulated load, and its experiments.
const WINDOWS: usize = 20;
const EXPERIMENTS: u64 = 60;
/// Replies of a window over all parts.
const REPLIES: usize = 1000;

/// The response time, in units of 1/40 of its mean in an average window, of a reply in a window of this level.
fn reply(random: &mut Xoshiro256PlusPlus, level: f64) -> u64 {
    let uniform = ((random.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    (-uniform.ln() * level * 40.0) as u64
}

/// The level of a window: the server is slower in some, for all parts alike.
fn level(random: &mut Xoshiro256PlusPlus) -> f64 {
    0.5 + (random.next_u64() % 1001) as f64 / 1000.0
}

fn counted(values: impl IntoIterator<Item = u64>) -> ValueCounts {
    let mut counts = BTreeMap::new();
    values
        .into_iter()
        .for_each(|value| *counts.entry(value).or_insert(0) += 1);
    counts.into_iter().collect()
}

/// How the windows of the parts become those of the whole.
#[derive(Clone, Copy)]
enum Windows {
    /// Those of the same time are added, as a merge does.
    Added,
    /// Each part keeps its own, as if they were independent.
    Apart,
}

/// How often the interval of the median covers the truth.
fn coverage(parts: usize, windows: Windows) -> f64 {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(parts as u64);
    let mut truth: Vec<u64> = (0..40_000)
        .map(|_| {
            let level = level(&mut random);
            reply(&mut random, level)
        })
        .collect();
    truth.sort_unstable();
    let truth = truth[truth.len() / 2];
    let mut covered = 0_u32;
    for experiment in 0..EXPERIMENTS {
        let mut counts = Vec::new();
        for _ in 0..WINDOWS {
            let level = level(&mut random);
            let mut of_part = || -> Vec<u64> {
                let replies = 0..REPLIES / parts;
                replies.map(|_| reply(&mut random, level)).collect()
            };
            let of_parts: Vec<Vec<u64>> = (0..parts).map(|_| of_part()).collect();
            match windows {
                Windows::Added => counts.push(counted(of_parts.into_iter().flatten())),
                Windows::Apart => counts.extend(of_parts.into_iter().map(counted)),
            }
        }
        let interval = quantile_interval(&counts, 0.5, 0.95, experiment);
        covered += u32::from(interval.is_some_and(|(low, high)| (low..=high).contains(&truth)));
    }
    f64::from(covered) / EXPERIMENTS as f64
}

/// A merged interval covers the truth as often as that of a single process, however many parts there are: windows of the same
/// time are added, because the parts saw the same server then.
#[test]
fn merged_intervals_cover_the_truth() {
    for parts in PARTS {
        let covered = coverage(parts, Windows::Added);
        assert!(covered >= 0.85, "{parts} parts: {covered}");
    }
    let covered = coverage(8, Windows::Apart);
    assert!(covered < 0.8, "windows taken for independent: {covered}");
}
