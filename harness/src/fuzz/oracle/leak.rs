//! Leak: every run of a case leaves a descriptor or a thread behind.
//!
//! The case runs in three batches. With all connections closed and some time to settle, the second and the third batch
//! must each have left at least one descriptor or thread per two runs. Pools, caches and idle threads fill up within
//! the first batch. What the server then releases by a timer, such as one for connections that nobody takes over, is no leak.

use std::time::{Duration, Instant};

use super::claim::Rigour;
use crate::fuzz::Case;
use crate::fuzz::epoch::Epoch;
use crate::fuzz::symptom::{FindingKind, Symptom};
use crate::process::Vital;

/// Minimum runs per batch.
const RUNS_MIN: u32 = 20;
/// Maximum duration of a batch, for cases that wait for replies that never come.
const BATCH_MAX: Duration = Duration::from_secs(4);
/// Minimum descriptors or threads left behind per run.
const SLOPE: f64 = 0.5;
/// The same minimum for a quick look, so that what passes it will also be confirmed.
const SLOPE_QUICK: f64 = 0.8;

/// Time for the server to settle after a batch. What it releases later is looked for once, after the last batch.
const SETTLING: Duration = Duration::from_millis(200);
/// Maximum wait for a server that releases by a timer what seems to be left behind: more than a second, the usual round number.
pub(crate) const TIMER: Duration = Duration::from_millis(1200);

/// Something that may be left behind: its name, and the number of them.
type Counted = (&'static str, fn(&Vital) -> u64);
const DESCRIPTORS: Counted = ("descriptors", |vital| vital.descriptors);
const THREADS: Counted = ("threads", |vital| vital.threads);

/// Runs the case in three batches.
pub(crate) fn test(epoch: &mut Epoch<'_>, case: &Case, rigour: Rigour) -> Option<Symptom> {
    let (runs, least) = match rigour {
        Rigour::Full => (200, SLOPE),
        Rigour::Quick => (20, SLOPE_QUICK),
    };
    let begin = epoch.vitals();
    // The first batch does not count: it may fill a pool.
    let (runs, before) = batch(epoch, case, runs)?;
    let runs = runs.min(room(
        epoch,
        before.0.saturating_sub(begin.descriptors),
        runs,
    ));
    let (first_runs, middle) = batch(epoch, case, runs)?;
    let (second_runs, after) = batch(epoch, case, runs)?;
    let runs = first_runs.max(second_runs);
    let slope = |from: u64, to: u64| to.saturating_sub(from) as f64 / f64::from(runs);
    for ((what, count), [first, second, third]) in [
        (DESCRIPTORS, [before.0, middle.0, after.0]),
        (THREADS, [before.1, middle.1, after.1]),
    ] {
        let (one, other) = (slope(first, second), slope(second, third));
        if one >= least && other >= least {
            // The server may release at least half of what the two batches have left behind.
            let half = u64::midpoint(first, third);
            if epoch.until(TIMER, |epoch| count(&epoch.vitals()) <= half) {
                return None;
            }
            let each = one.min(other);
            let title = format!("every run leaves {what} behind: {each:.1} each");
            return Some(
                Symptom::new(FindingKind::Leak, what, title)
                    .with("what", what)
                    .with("runs_per_batch", runs)
                    .with("counts", vec![first, second, third]),
            );
        }
    }
    None
}

/// Runs per batch for the next two batches, so that the server does not run out of descriptors. `left` is the number
/// of descriptors that the first `runs` left behind.
fn room(epoch: &Epoch<'_>, left: u64, runs: u32) -> u32 {
    let limits = epoch.server().nofile();
    let Some(soft) = limits.iter().map(|limit| limit.soft).min() else {
        return runs;
    };
    let free = soft.saturating_sub(epoch.vitals().descriptors) as f64;
    let each = left as f64 / f64::from(runs);
    if each <= 0.0 {
        return runs;
    }
    // Two batches, and a margin for other clients.
    ((free / each / 2.5) as u32).max(RUNS_MIN)
}

/// Runs one batch, with fewer runs if they are slow. Returns the number of runs, and the descriptors and threads of
/// the server after it has settled.
fn batch(epoch: &mut Epoch<'_>, case: &Case, runs: u32) -> Option<(u32, (u64, u64))> {
    let (before, begun) = (epoch.vitals(), Instant::now());
    let mut done = 0;
    while done < runs && (done < RUNS_MIN || begun.elapsed() < BATCH_MAX) {
        let ran = epoch.run(case).ok()?;
        if ran.vital.ended.is_some() {
            return None;
        }
        done += 1;
    }
    epoch.until(SETTLING, |epoch| {
        let now = epoch.vitals();
        now.descriptors <= before.descriptors && now.threads <= before.threads
    });
    let now = epoch.vitals();
    Some((done, (now.descriptors, now.threads)))
}
