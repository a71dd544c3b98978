//! What a run of the gate could have seen, and how long it would have to be. Pure.
//!
//! Of n sessions whose log ratios spread by s, the estimate is about normal with a standard error e that
//! falls as 1 / sqrt(n). It is read off the sessions themselves: the two one-sided 95 % bounds lie 2 * 1.645
//! standard errors apart (Lehmann, Nonparametric Confidence Intervals for a Shift Parameter, 1963), and wild
//! sessions hardly widen them. A stage that asks for an estimate above b and a lower bound above h is then
//! one that asks for an estimate above max(b, h + z * e).

use super::rule::{LEVEL, Rule, percent, second_sessions};
use crate::stats::{normal_cdf, one_sided};

/// Quantiles of the standard normal distribution at 95 % and 99 %.
const Z_95: f64 = 1.644_854;
const Z_99: f64 = 2.326_348;
/// With which chance a run is to see an effect, or to settle a question.
const POWER: f64 = 0.8;
/// No more than so many times the sessions are worth naming.
const MOST: usize = 100;
/// No bound at 99 % without so many sessions.
const LEAST_99: usize = 7;
/// Halvings of a bisection.
const HALVINGS: usize = 60;

/// How log ratios lie.
struct Seen {
    estimate: f64,
    /// Standard error of the estimate, times the root of the number of sessions.
    spread: f64,
}

impl Seen {
    fn of(log_ratios: &[f64]) -> Option<Self> {
        let bounds = one_sided(log_ratios, LEVEL)?;
        let error = (bounds.high - bounds.low) / (2.0 * Z_95);
        Some(Self {
            estimate: bounds.estimate,
            spread: error * (log_ratios.len() as f64).sqrt(),
        })
    }
}

impl Rule {
    /// The smallest true change, in percent, that a run with a first stage of these log ratios would fail
    /// with about 80 %, given their spread and [`second_sessions`] fresh ones: the minimum detectable
    /// effect. `None` with fewer than seven sessions, which can suspect nothing.
    pub fn mde_pct(self, first: &[f64]) -> Option<f64> {
        let seen = (first.len() >= LEAST_99)
            .then(|| Seen::of(first))
            .flatten()?;
        let chance = |effect| self.chance_to_fail(effect, seen.spread, first.len());
        let (mut low, mut high) = (self.limit(), self.limit() + 1e-6);
        while chance(high) < POWER {
            high += high - low;
            if !high.is_finite() {
                return None;
            }
        }
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            if chance(middle) < POWER {
                low = middle;
            } else {
                high = middle;
            }
        }
        Some(percent(high)).filter(|percent| percent.is_finite())
    }

    /// How many sessions of the first stage, in all, a run would need to pass or to fail with about 80 %
    /// if the true change is the estimate of `log_ratios` and their spread stays; fresh sessions grow with
    /// them, see [`second_sessions`]. More than the `done` ones that did not settle it.
    ///
    /// `None` if 100 times as many would not do, since the estimate is at the budget, and if fewer than five
    /// log ratios leave the spread unknown.
    pub fn sessions_to_settle(self, log_ratios: &[f64], done: usize) -> Option<usize> {
        let seen = Seen::of(log_ratios)?;
        (done + 1..=done.saturating_mul(MOST)).find(|sessions| {
            let pass = self.chance_to_pass(seen.estimate, seen.spread, *sessions);
            let fail = self.chance_to_fail(seen.estimate, seen.spread, *sessions);
            pass >= POWER || fail >= POWER
        })
    }

    /// The chance that both stages find a true `effect`, a log ratio.
    fn chance_to_fail(self, effect: f64, spread: f64, first: usize) -> f64 {
        if first < LEAST_99 {
            return 0.0;
        }
        let stage = |sessions: usize, z: f64| {
            let error = spread / (sessions as f64).sqrt();
            let least = self.limit().max(self.half() + z * error);
            chance_above(effect - least, error)
        };
        stage(first, Z_99) * stage(second_sessions(first), Z_95)
    }

    /// The chance that the first stage passes at a true `effect`, a log ratio.
    fn chance_to_pass(self, effect: f64, spread: f64, first: usize) -> f64 {
        let error = spread / (first as f64).sqrt();
        chance_above(self.limit() - Z_95 * error - effect, error)
    }
}

/// The chance that a normal deviation with this standard error stays within `margin`.
fn chance_above(margin: f64, error: f64) -> f64 {
    if error > 0.0 {
        normal_cdf(margin / error)
    } else if margin > 0.0 {
        1.0
    } else {
        0.0
    }
}
