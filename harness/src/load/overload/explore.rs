//! The decisions of an overload run: what to measure next, where the knee is, when the server has recovered. Pure.

use super::{Ask, CALM, OverloadReport, OverloadStep, SURGE, SURGE_LENGTH, Seen};

/// The offered rates, as multiples of the capacity.
const FACTORS: [f64; 9] = [0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0, 3.0];
/// Factor by which the rate is raised while the server keeps up even with the last of [`FACTORS`].
const RAISE: f64 = 1.5;
/// Maximum number of such raises.
const RAISES: usize = 3;
/// Number of rates measured between the highest that keeps up and the next one.
const REFINEMENTS: usize = 3;
/// Maximum repetitions of a disturbed step.
const REPEATS: usize = 2;
/// The server keeps up if its goodput is at least this share of the offered rate.
const KEEPS_UP: f64 = 0.95;
/// Requests wait long if their 99th percentile exceeds that of the lightest load by this factor.
const WAITING: f64 = 10.0;
/// A 99th percentile up to this one, in microseconds, never counts as a long wait.
const WAITING_LEAST_US: f64 = 5_000.0;
/// The server has recovered once the median is below this multiple of the median before the surge.
const RECOVERED: f64 = 3.0;

enum Phase {
    Capacity,
    /// The rates of [`FACTORS`], then higher rates.
    Rates {
        rate: f64,
        done: usize,
    },
    Refine {
        rate: f64,
        left: usize,
    },
    Surge,
    Done,
}

/// The state of the exploration.
pub(super) struct Exploration {
    phase: Phase,
    /// Number of measurements of the current step, and the best of them.
    tries: usize,
    best: Option<Seen>,
    pub(super) report: OverloadReport,
}

impl Exploration {
    pub(super) fn new() -> Self {
        Self {
            phase: Phase::Capacity,
            tries: 0,
            best: None,
            report: OverloadReport::default(),
        }
    }

    pub(super) fn next(&self) -> Option<Ask> {
        match self.phase {
            Phase::Capacity => Some(Ask::Capacity),
            Phase::Rates { rate, .. } | Phase::Refine { rate, .. } => Some(Ask::Rate(rate)),
            Phase::Surge => Some(Ask::Surge),
            Phase::Done => None,
        }
    }

    /// Records a measurement. A disturbed one is repeated, and the best counts: disturbances make a server look worse,
    /// never better.
    pub(super) fn take(&mut self, seen: Seen) {
        if let Some(why) = &seen.died {
            return self.end(&why.clone());
        }
        let is_better = |best: &Seen| seen.goodput_per_s > best.goodput_per_s;
        let is_disturbed = seen.disturbed.is_some();
        if !is_disturbed || self.best.as_ref().is_none_or(is_better) {
            self.best = Some(seen);
        }
        self.tries += 1;
        if is_disturbed && !self.best_keeps_up() && self.tries <= REPEATS {
            return;
        }
        self.tries = 0;
        if let Some(seen) = self.best.take() {
            self.step(&seen);
        }
    }

    fn best_keeps_up(&self) -> bool {
        let Some(Ask::Rate(rate)) = self.next() else {
            return false;
        };
        let goodput = self.best.as_ref().map_or(0.0, |best| best.goodput_per_s);
        goodput >= KEEPS_UP * rate
    }

    fn step(&mut self, seen: &Seen) {
        match self.phase {
            Phase::Capacity => {
                self.report.capacity_per_s = seen.goodput_per_s;
                if seen.goodput_per_s <= 0.0 {
                    return self.end("no reply arrived in a closed loop");
                }
                let rate = seen.goodput_per_s * FACTORS[0];
                self.phase = Phase::Rates { rate, done: 0 };
            }
            Phase::Rates { rate, done } => {
                self.record(rate, seen);
                self.phase = self.after(rate, done + 1);
            }
            Phase::Refine { rate, left } => {
                self.record(rate, seen);
                self.phase = self.refine(left - 1);
            }
            Phase::Surge => {
                self.report.recovery_s = seen.recovery_s;
                self.distrust("in the surge", seen);
                self.phase = Phase::Done;
            }
            Phase::Done => {}
        }
    }

    fn record(&mut self, rate: f64, seen: &Seen) {
        let step = OverloadStep {
            factor: rate / self.report.capacity_per_s,
            offered_per_s: rate,
            goodput_per_s: seen.goodput_per_s,
            p50_us: seen.p50_us,
            p99_us: seen.p99_us,
            at_least: seen.at_least,
        };
        if !keeps_up(&step) {
            self.distrust(&format!("at {:.1} of the capacity", step.factor), seen);
        }
        self.report.steps.push(step);
    }

    fn distrust(&mut self, place: &str, seen: &Seen) {
        if let Some(why) = &seen.disturbed {
            self.report
                .inconclusive
                .get_or_insert(format!("{place}: {why}"));
        }
    }

    /// The next phase after `done` rates, the last of which was `rate`.
    fn after(&self, rate: f64, done: usize) -> Phase {
        if let Some(factor) = FACTORS.get(done) {
            let rate = self.report.capacity_per_s * factor;
            return Phase::Rates { rate, done };
        }
        let keeps_up = self.report.steps.last().is_some_and(keeps_up);
        if keeps_up && done < FACTORS.len() + RAISES {
            return Phase::Rates {
                rate: rate * RAISE,
                done,
            };
        }
        self.refine(REFINEMENTS)
    }

    /// The midpoint between the highest rate that keeps up and the next rate above it.
    fn refine(&self, left: usize) -> Phase {
        let steps = &self.report.steps;
        let Some(knee) = knee(steps).filter(|_| left > 0) else {
            return Phase::Surge;
        };
        let above = steps.iter().map(|step| step.offered_per_s);
        let above = above.filter(|rate| *rate > knee).reduce(f64::min);
        above.map_or(Phase::Surge, |above| Phase::Refine {
            rate: f64::midpoint(knee, above),
            left,
        })
    }

    pub(super) fn end(&mut self, why: &str) {
        self.report.inconclusive.get_or_insert(why.to_owned());
        self.phase = Phase::Done;
    }

    pub(super) fn report(self) -> OverloadReport {
        let mut report = self.report;
        report
            .steps
            .sort_by(|one, other| one.offered_per_s.total_cmp(&other.offered_per_s));
        report.knee_per_s = knee(&report.steps);
        report.waiting_from_per_s = waiting_from(&report.steps);
        let goodput = report.steps.iter().map(|step| step.goodput_per_s);
        let best = goodput.fold(report.capacity_per_s, f64::max);
        report.recovery_ideal_s = ideal(report.capacity_per_s, best);
        report
    }
}

fn keeps_up(step: &OverloadStep) -> bool {
    step.goodput_per_s >= KEEPS_UP * step.offered_per_s
}

/// The highest rate at which the server keeps up. A server cannot keep up by chance, but may fall short by chance at a
/// lower rate.
fn knee(steps: &[OverloadStep]) -> Option<f64> {
    let rates = steps.iter().filter(|step| keeps_up(step));
    rates.map(|step| step.offered_per_s).reduce(f64::max)
}

/// The lowest rate at and above which requests wait long. `steps` are in ascending order.
fn waiting_from(steps: &[OverloadStep]) -> Option<f64> {
    let light = steps.first()?.p99_us;
    let limit = (light * WAITING).max(WAITING_LEAST_US);
    let waits = steps.iter().rev().take_while(|step| step.p99_us > limit);
    waits.last().map(|step| step.offered_per_s)
}

/// Seconds that a server with a maximum of `best` replies per second needs to clear the backlog of the surge.
fn ideal(capacity: f64, best: f64) -> f64 {
    let backlog = SURGE_LENGTH.as_secs_f64() * (SURGE * capacity - best).max(0.0);
    backlog / (best - CALM * capacity).max(f64::MIN_POSITIVE)
}

/// Seconds from `surge_end` to the first window after which all medians are as before the surge.
pub(super) fn recovered(medians: &[(f64, f64)], surge_begin: f64, surge_end: f64) -> Option<f64> {
    let before: Vec<f64> = medians
        .iter()
        .filter(|(start, _)| *start < surge_begin * 0.9)
        .map(|(_, median)| *median)
        .collect();
    let limit = (crate::stats::median(&before)? * RECOVERED).max(1_000.0);
    let last_slow = medians.iter().rposition(|(_, median)| *median > limit);
    match last_slow {
        None => Some(0.0),
        Some(place) => medians
            .get(place + 1)
            .map(|(start, _)| (start - surge_end).max(0.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers up to `most` requests per second.
    fn seen(ask: Ask, most: f64) -> Seen {
        let offered = match ask {
            Ask::Capacity => f64::INFINITY,
            Ask::Rate(rate) => rate,
            Ask::Surge => 0.5 * most,
        };
        Seen {
            goodput_per_s: offered.min(most),
            p50_us: 100.0,
            p99_us: if offered <= most { 900.0 } else { 3e5 },
            at_least: false,
            recovery_s: Some(0.7),
            disturbed: None,
            died: None,
        }
    }

    fn explored(mut measure: impl FnMut(Ask) -> Seen) -> (OverloadReport, usize) {
        let mut exploration = Exploration::new();
        let mut count = 0;
        while let Some(ask) = exploration.next() {
            exploration.take(measure(ask));
            count += 1;
            assert!(count < 100, "the exploration does not end");
        }
        (exploration.report(), count)
    }

    #[test]
    fn the_knee_is_the_highest_rate_that_keeps_up() {
        let (report, count) = explored(|ask| seen(ask, 1000.0));
        // With 1,000 replies per second it keeps up at 1,050 requests per second, but not at 1,100.
        let knee = report.knee_per_s.unwrap();
        assert!((1000.0..=1052.0).contains(&knee), "{knee}");
        assert_eq!(count, 1 + FACTORS.len() + REFINEMENTS + 1);
        assert!(
            report
                .steps
                .is_sorted_by(|one, other| one.offered_per_s < other.offered_per_s)
        );
        assert!(report.waiting_from_per_s.unwrap() > 1000.0);
        assert_eq!((report.recovery_s, report.inconclusive), (Some(0.7), None));
    }

    #[test]
    fn a_step_that_falls_short_by_chance_does_not_hide_higher_ones() {
        let (report, _) = explored(|ask| {
            let mut seen = seen(ask, 1000.0);
            if ask == Ask::Rate(400.0) {
                (seen.goodput_per_s, seen.p99_us) = (300.0, 1e6);
            }
            seen
        });
        assert!(report.knee_per_s.unwrap() >= 1000.0, "{report:?}");
        assert!(report.waiting_from_per_s.unwrap() > 1000.0, "{report:?}");
    }

    /// Long waits alone do not lower the knee while the goodput keeps up.
    #[test]
    fn long_waits_do_not_count_as_lost_goodput() {
        let (report, _) = explored(|ask| {
            let mut seen = seen(ask, 1000.0);
            if matches!(ask, Ask::Rate(rate) if rate >= 600.0) {
                seen.p99_us = 4e4;
            }
            seen
        });
        assert!(report.knee_per_s.unwrap() >= 1000.0, "{report:?}");
        assert_eq!(report.waiting_from_per_s, Some(600.0));
    }

    #[test]
    fn rates_rise_beyond_an_underestimated_capacity() {
        let (report, _) = explored(|ask| {
            let mut seen = seen(ask, 5000.0);
            if ask == Ask::Capacity {
                seen.goodput_per_s = 1000.0;
            }
            seen
        });
        let knee = report.knee_per_s.unwrap();
        assert!((4500.0..=5270.0).contains(&knee), "{knee}");
    }

    #[test]
    fn disturbed_steps_are_repeated_and_the_best_counts() {
        let mut times = 0;
        let (report, _) = explored(|ask| {
            let mut seen = seen(ask, 1000.0);
            if ask == Ask::Rate(800.0) {
                times += 1;
                if times < 3 {
                    seen.goodput_per_s = 100.0 * f64::from(times);
                    seen.disturbed = Some("steal: 9 %".into());
                }
            }
            seen
        });
        assert_eq!((times, report.inconclusive), (3, None));
        let (report, count) = explored(|ask| Seen {
            disturbed: Some("steal: 9 %".into()),
            ..seen(ask, 1000.0)
        });
        assert!(report.knee_per_s.unwrap() >= 1000.0);
        assert!(report.inconclusive.unwrap().contains("steal"));
        assert!(count < 40, "{count}");
    }

    #[test]
    fn a_server_that_dies_or_never_replies_ends_the_exploration() {
        let (report, count) = explored(|ask| Seen {
            died: (ask != Ask::Capacity).then(|| "server-died: x".into()),
            ..seen(ask, 1000.0)
        });
        assert_eq!((count, report.knee_per_s), (2, None));
        assert!(report.inconclusive.unwrap().contains("server-died"));
        let (report, count) = explored(|ask| seen(ask, 0.0));
        assert!(count == 1 && report.inconclusive.is_some());
    }

    #[test]
    fn the_ideal_recovery_depends_on_the_spare_capacity() {
        // 0.5 s at 3,000 requests and 1,000 replies per second leave 1,000; the spare capacity is 500 per second.
        assert_eq!(ideal(1000.0, 1000.0), 2.0);
        // A server that is faster than the measured capacity has a smaller backlog.
        assert_eq!(ideal(1000.0, 2000.0), 500.0 / 1500.0);
        assert_eq!(ideal(1000.0, 4000.0), 0.0);
    }

    #[test]
    fn the_server_has_recovered_once_medians_stay_as_before() {
        let calm = |from: usize, to: usize| (from..to).map(|n| (n as f64 / 10.0, 200.0));
        let slow = |from: usize, to: usize| (from..to).map(|n| (n as f64 / 10.0, 2e5));
        let some: Vec<_> = calm(0, 10)
            .chain(slow(10, 30))
            .chain(calm(30, 60))
            .collect();
        assert_eq!(recovered(&some, 1.0, 1.5), Some(1.5));
        let never: Vec<_> = calm(0, 10).chain(slow(10, 60)).collect();
        assert_eq!(recovered(&never, 1.0, 1.5), None);
        let unmoved: Vec<_> = calm(0, 60).collect();
        assert_eq!(recovered(&unmoved, 1.0, 1.5), Some(0.0));
    }
}
