//! The decisions of the search for the highest rate that meets an objective: which measurement is next, and what the
//! results mean. Pure.
//!
//! 1. A closed loop provides a rough capacity to start from.
//! 2. Short windows bracket the rate: up while the objective is met, down while it is missed, then bisection.
//! 3. Longer windows confirm a rate 5 % above the reported one, because at the limit itself the next measurement may go
//!    either way. If they miss the objective, the search goes down.
//! 4. A full load at the answer decides. If it misses the objective, the search goes down as well.
//!
//! Disturbances make responses slower, never faster. So a disturbed window that meets the objective counts, and one
//! that misses it is repeated.

use super::votes::{Judgement, Votes};
use super::{Ask, Seen, SloReport};

/// Windows per rate of the bracket; the majority decides.
const BRACKET_WINDOWS: usize = 3;
/// Windows that must meet the objective to confirm a rate.
const CONFIRM_WINDOWS: usize = 5;
/// Maximum windows that may miss it meanwhile.
const CONFIRM_MISSES: usize = 1;
/// Ratio of the confirmed to the reported rate.
const HEADROOM: f64 = 1.05;
/// Minimum ratio of a rate that could not be judged to the reported rate. At the client's own limit, the next load may
/// be disturbed just as well as not.
const OUR_HEADROOM: f64 = 1.3;
/// Number of full loads in a row that must meet the objective at the reported rate.
const FULL_LOADS: usize = 2;
/// The bracket is narrow enough once the rate that misses is within this factor of the rate that meets the objective.
const CLOSE: f64 = 1.05;
/// The same for confirmed rates: if the factor is larger, a rate in between is tried.
const CONFIRMED_CLOSE: f64 = 1.15;
/// Maximum rates tried for the bracket.
const BRACKET_STEPS: usize = 20;
/// Maximum rates tried for confirmation.
const CONFIRMATIONS: usize = 10;
/// Maximum full loads that may miss the objective before the search gives up.
const FULL_MISSES: usize = 4;
/// Maximum repetitions of disturbed windows of the bracket: at one rate, and in total.
const BRACKET_REPEATS: (usize, usize) = (3, 24);
/// Maximum repetitions of disturbed windows of the confirmation: at one rate, and in total.
const CONFIRM_REPEATS: (usize, usize) = (6, 40);
/// Maximum retries of an upper end of the bracket that could not be judged.
const SECOND_LOOKS: usize = 2;
/// Maximum repetitions of a full load because it was disturbed.
const FULL_REPEATS: usize = 3;
/// Maximum closed loops run to measure the capacity; the first undisturbed one ends them.
const CAPACITY_TRIES: usize = 3;
/// Minimum capacity from which the search starts, in requests per second; applies if the closed loop got no reply.
const CAPACITY_LEAST: f64 = 10.0;
/// The share of the capacity at which the bracket begins.
const BEGIN_SHARE: f64 = 0.7;
/// The share of the capacity at which the search gives up.
const GIVE_UP_SHARE: f64 = 0.001;

enum Phase {
    Capacity {
        tries: usize,
        best: f64,
        why: Option<String>,
    },
    Bracket {
        rate: f64,
        steps: usize,
    },
    Confirm {
        rate: f64,
    },
    Full {
        rate: f64,
        /// Number of full loads that met the objective.
        met: usize,
        /// Number of full loads repeated because they were disturbed.
        repeats: usize,
    },
    Done,
}

/// The state of the search.
pub(super) struct Search {
    phase: Phase,
    votes: Votes,
    capacity: f64,
    /// The bracket: the highest rate that met the objective in short windows, and the lowest that missed it or could
    /// not be judged.
    low: Option<f64>,
    high: Option<f64>,
    /// The last rate of the bracket that could not be judged, and how often such an upper end was retried.
    doubtful: Option<f64>,
    second_looks: usize,
    /// Highest confirmed rate.
    confirmed: Option<f64>,
    /// Every rate that missed the objective, and why.
    failing: Vec<(f64, String)>,
    /// Every rate that could not be judged, and why.
    unsure: Vec<(f64, String)>,
    /// The rates at which several windows in a row were disturbed: the client may have reached its limit.
    beyond_us: Vec<f64>,
    confirmations: usize,
    /// Number of disturbed windows in the current phase, the bracket or the confirmation.
    repeats: usize,
    /// Number of steps down so far; each step is larger than the one before.
    falls: i32,
    full_misses: usize,
    server_died: bool,
    report: SloReport,
}

impl Search {
    pub(super) fn new() -> Self {
        Self {
            phase: Phase::Capacity {
                tries: 0,
                best: 0.0,
                why: None,
            },
            votes: Votes::default(),
            capacity: 0.0,
            low: None,
            high: None,
            doubtful: None,
            second_looks: 0,
            confirmed: None,
            failing: Vec::new(),
            unsure: Vec::new(),
            beyond_us: Vec::new(),
            confirmations: 0,
            falls: 0,
            full_misses: 0,
            repeats: 0,
            server_died: false,
            report: SloReport::default(),
        }
    }

    /// What to measure next; `None` when the search is over.
    pub(super) fn next(&self) -> Option<Ask> {
        match self.phase {
            Phase::Capacity { .. } => Some(Ask::Capacity),
            Phase::Bracket { rate, .. } => Some(Ask::Window(rate)),
            Phase::Confirm { rate } => Some(Ask::Confirm(rate)),
            Phase::Full { rate, .. } => Some(Ask::Full(rate)),
            Phase::Done => None,
        }
    }

    /// Records a measurement.
    pub(super) fn take(&mut self, seen: Seen) {
        if let Seen::Died(why) = seen {
            self.server_died = true;
            let rate = self.rate();
            self.failing.extend(rate.map(|rate| (rate, why.clone())));
            self.end(None);
            if rate.is_none() {
                self.report.inconclusive = Some(why);
            }
            return;
        }
        match (&mut self.phase, seen) {
            (Phase::Capacity { .. }, Seen::Capacity { per_s, disturbed }) => {
                self.take_capacity(per_s, disturbed);
            }
            (Phase::Bracket { .. }, seen) => {
                self.votes.count(seen);
                let need = BRACKET_WINDOWS / 2 + 1;
                if let Some(judgement) = self.judge(need, need, BRACKET_REPEATS) {
                    self.bracketed(judgement);
                }
            }
            (Phase::Confirm { .. }, seen) => {
                self.votes.count(seen);
                let misses = CONFIRM_MISSES + 1;
                if let Some(judgement) = self.judge(CONFIRM_WINDOWS, misses, CONFIRM_REPEATS) {
                    self.confirmed(judgement);
                }
            }
            (Phase::Full { .. }, seen) => self.take_full(seen),
            (Phase::Capacity { .. } | Phase::Done, _) => {}
        }
    }

    /// The result, complete or not.
    pub(super) fn report(self) -> SloReport {
        self.report
    }

    /// Ends the search because it was interrupted or is out of time.
    pub(super) fn interrupt(&mut self) {
        self.end(None);
        self.report.inconclusive =
            Some("interrupted, or out of time, before an answer was confirmed".into());
    }

    fn rate(&self) -> Option<f64> {
        match self.phase {
            Phase::Bracket { rate, .. } | Phase::Confirm { rate } | Phase::Full { rate, .. } => {
                Some(rate)
            }
            Phase::Capacity { .. } | Phase::Done => None,
        }
    }

    fn take_capacity(&mut self, per_s: f64, disturbed: Option<String>) {
        let Phase::Capacity { tries, best, why } = &mut self.phase else {
            return;
        };
        *tries += 1;
        *best = best.max(per_s);
        *why = disturbed;
        let is_good = why.is_none() && *best > 0.0;
        if !is_good && *tries < CAPACITY_TRIES {
            return;
        }
        self.report.capacity_per_s = *best;
        self.capacity = best.max(CAPACITY_LEAST);
        self.phase = Phase::Bracket {
            rate: rounded(self.capacity * BEGIN_SHARE),
            steps: 0,
        };
    }

    /// Judges the windows at this rate, and records the judgement once there is one.
    fn judge(
        &mut self,
        meet: usize,
        miss: usize,
        (each, all): (usize, usize),
    ) -> Option<Judgement> {
        let repeats = each.min(all.saturating_sub(self.repeats));
        let judgement = self.votes.judge(meet, miss, repeats)?;
        let rate = self.rate()?;
        let votes = std::mem::take(&mut self.votes);
        self.repeats += votes.disturbed();
        self.report.tried.push(votes.tried(rate));
        match &judgement {
            Judgement::Met => {}
            Judgement::Missed(why) => self.failing.push((rate, why.clone())),
            Judgement::Unsure(why) => {
                self.unsure.push((rate, why.clone()));
                self.beyond_us.push(rate);
            }
        }
        Some(judgement)
    }

    /// Goes to the next rate of the bracket, or to the first confirmation.
    fn bracketed(&mut self, judgement: Judgement) {
        let Phase::Bracket { rate, steps } = self.phase else {
            return;
        };
        match judgement {
            Judgement::Met => self.low = Some(rate),
            Judgement::Missed(_) | Judgement::Unsure(_) => self.high = Some(rate),
        }
        if let Judgement::Unsure(_) = judgement {
            self.doubtful = Some(rate);
        }
        let steps = steps + 1;
        let next = match (self.low, self.high) {
            (Some(low), Some(high)) if high <= low * CLOSE => None,
            (Some(low), Some(high)) => Some((low * high).sqrt()),
            // Upwards in growing steps: by 1.5, 3, 6, ...
            (Some(low), None) => Some(low * 1.5 * f64::from(1 << (steps - 1).min(3))),
            (None, Some(high)) if high <= self.capacity * GIVE_UP_SHARE => None,
            // Downwards in growing steps: by 2, 4, 8, ...
            (None, _) => Some(rate / f64::from(1 << steps.min(4))),
        };
        match (next.map(rounded), self.low) {
            (Some(next), _) if steps < BRACKET_STEPS && next != rate => {
                self.phase = Phase::Bracket { rate: next, steps };
            }
            (_, Some(low)) => match self.doubtful_high() {
                Some(rate) => self.phase = Phase::Bracket { rate, steps: 0 },
                None => {
                    self.repeats = 0;
                    self.phase = Phase::Confirm { rate: low };
                }
            },
            (_, None) => self.end(None),
        }
    }

    /// The upper end of the bracket, if it could not be judged because of disturbances, which may have ended.
    fn doubtful_high(&mut self) -> Option<f64> {
        if self.second_looks == SECOND_LOOKS || self.doubtful != self.high {
            return None;
        }
        self.second_looks += 1;
        self.doubtful = None;
        self.high.take()
    }

    /// Goes to the next rate to confirm, or to the full load at the answer.
    fn confirmed(&mut self, judgement: Judgement) {
        let Phase::Confirm { rate } = self.phase else {
            return;
        };
        self.confirmations += 1;
        if let Judgement::Met = judgement {
            self.confirmed = Some(self.confirmed.map_or(rate, |best| best.max(rate)));
        }
        let Some(confirmed) = self.confirmed else {
            return self.fall(rate);
        };
        let missing = lowest_above(&self.failing, confirmed).map(|(rate, _)| *rate);
        let unsure = lowest_above(&self.unsure, confirmed).map(|(rate, _)| *rate);
        let bound = missing.into_iter().chain(unsure).reduce(f64::min);
        let next = match bound {
            Some(bound) if bound <= confirmed * CONFIRMED_CLOSE => None,
            Some(bound) => Some((confirmed * bound).sqrt()),
            None => Some(confirmed * 1.1),
        };
        // Once a full load has missed the objective, shorter windows do not raise the rate again.
        let next = next.filter(|_| self.full_misses == 0);
        match next.map(rounded) {
            Some(next) if self.confirmations < CONFIRMATIONS && next > confirmed => {
                self.phase = Phase::Confirm { rate: next };
            }
            _ => {
                let beyond = self.beyond_us.iter().copied();
                let beyond = beyond.filter(|rate| *rate > confirmed).reduce(f64::min);
                let beyond = beyond.filter(|rate| missing.is_none_or(|missing| *rate < missing));
                let ours = beyond.map_or(f64::MAX, |rate| rate / OUR_HEADROOM);
                self.ask_full(rounded(ours.min(confirmed / HEADROOM)));
            }
        }
    }

    /// Goes down from a rate that was not confirmed; the steps grow.
    fn fall(&mut self, from: f64) {
        if self.confirmations >= CONFIRMATIONS {
            return self.end(None);
        }
        self.falls += 1;
        let step = 1.0 + 0.05 * 1.5_f64.powi(self.falls - 1);
        self.phase = Phase::Confirm {
            rate: rounded(from / step),
        };
    }

    fn ask_full(&mut self, rate: f64) {
        self.phase = Phase::Full {
            rate,
            met: 0,
            repeats: 0,
        };
    }

    fn take_full(&mut self, seen: Seen) {
        let Phase::Full { rate, met, repeats } = &mut self.phase else {
            return;
        };
        let rate = *rate;
        let is_disturbed = matches!(
            seen,
            Seen::Disturbed { .. }
                | Seen::Met {
                    disturbed: true,
                    ..
                }
        );
        // The figures of the last load are reported, so an undisturbed one is preferred.
        if is_disturbed && *repeats < FULL_REPEATS {
            *repeats += 1;
            return;
        }
        let mut tried = super::Tried {
            rate,
            passed: 0,
            windows: 1,
            disturbed: 0,
            value_us: 0.0,
        };
        match seen {
            Seen::Met { value_us, .. } => {
                *met += 1;
                (tried.value_us, tried.passed) = (value_us, 1);
            }
            Seen::Missed { value_us, why } => {
                tried.value_us = value_us;
                self.failing.push((rate, why));
            }
            Seen::Disturbed { value_us, why } => {
                (tried.value_us, tried.disturbed) = (value_us, 1);
                self.unsure.push((rate, why));
            }
            Seen::Capacity { .. } | Seen::Died(_) => return,
        }
        let has_met = tried.passed > 0;
        let is_enough = *met >= FULL_LOADS;
        self.report.tried.push(tried);
        if is_enough {
            return self.end(Some(rate));
        }
        if has_met {
            return;
        }
        self.confirmed = None;
        self.full_misses += 1;
        if self.full_misses >= FULL_MISSES {
            return self.end(None);
        }
        self.fall(rate);
    }

    /// Ends the search. A full load at the rate `answer` has met the objective; `None`: there is no answer.
    fn end(&mut self, answer: Option<f64>) {
        self.phase = Phase::Done;
        let floor = answer.unwrap_or(0.0);
        let failing = lowest_above(&self.failing, floor);
        let unsure = lowest_above(&self.unsure, floor);
        self.report.highest_passing_per_s = answer;
        self.report.confirmed_per_s = self.confirmed.filter(|_| answer.is_some());
        self.report.lowest_failing_per_s = failing.map(|(rate, _)| *rate);
        self.report.gave_way = failing.map(|(_, why)| why.clone());
        let limit = unsure.filter(|(rate, _)| failing.is_none_or(|(failing, _)| rate < failing));
        let limit = limit.map(|(rate, why)| format!("at {rate:.0} requests per second: {why}"));
        match answer {
            Some(_) => self.report.our_limit = limit,
            None if failing.is_none() || limit.is_some() => {
                let without_answer = |limit: String| format!("{limit}{NOT_THE_SERVER}");
                let why = limit.map(without_answer);
                self.report.inconclusive =
                    Some(why.unwrap_or_else(|| "no rate could be judged".into()));
            }
            None => {
                let short = self.low.filter(|_| !self.server_died);
                self.report.inconclusive = short.map(|low| {
                    format!("short windows met the objective at {low:.0} requests per second, longer ones at no rate: the server's speed varies too much")
                });
            }
        }
    }
}

/// What to do if no rate could be judged because of disturbances.
const NOT_THE_SERVER: &str = " (the machine missed the objective there, not the server: search again when the machine does little else, or state a longer objective)";

fn lowest_above(rates: &[(f64, String)], floor: f64) -> Option<&(f64, String)> {
    let above = rates.iter().filter(|(rate, _)| *rate > floor);
    above.min_by(|one, other| one.0.total_cmp(&other.0))
}

/// Rounds down to three significant digits, so that the printed rate is the one that was measured.
fn rounded(rate: f64) -> f64 {
    let digits = 2 - rate.max(1e-3).log10().floor() as i32;
    let (up, down) = (10_f64.powi(digits.max(0)), 10_f64.powi((-digits).max(0)));
    (rate * up / down + 1e-9).floor() * down / up
}
