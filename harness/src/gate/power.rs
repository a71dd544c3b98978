//! The statistical power of a gate: the smallest change it can detect, and how many sessions a verdict takes. Pure.
//!
//! With n sessions whose log ratios have standard deviation s, the estimate is approximately normal with a standard
//! error e that falls as 1 / sqrt(n). The error is derived from the sessions: the two one-sided 95 % bounds are about
//! 2 * t standard errors apart (Lehmann, Nonparametric Confidence Intervals for a Shift Parameter, 1963), where t is
//! Student's quantile; outliers hardly widen them. A stage that requires an estimate above b and a lower bound above h
//! requires an estimate above max(b, h + t * w), where w is the standard error that the stage will observe: e with a
//! standard deviation of e / sqrt(2 * (n - 1)).

use super::rule::{Comparison, LEVEL, Rule, percent, second_sessions};
use crate::stats::{normal_cdf, one_sided};

/// Quantiles of the standard normal distribution at 95 % and 99 %.
const Z_95: f64 = 1.644_854;
const Z_99: f64 = 2.326_348;
/// Required probability of detecting an effect, or of reaching a verdict.
const POWER: f64 = 0.8;
/// Maximum factor of additional sessions that is still reported.
const SESSIONS_FACTOR_MAX: usize = 100;
/// Minimum number of sessions for a 99 % bound.
const LEAST_99: usize = 7;
/// Number of bisection steps.
const HALVINGS: usize = 60;

/// Estimate and spread of log ratios.
struct Distribution {
    estimate: f64,
    /// Standard error of the estimate times the square root of the number of sessions.
    spread: f64,
}

impl Distribution {
    fn of(log_ratios: &[f64]) -> Option<Self> {
        let bounds = one_sided(log_ratios, LEVEL)?;
        let error = (bounds.high - bounds.low) / (2.0 * student(Z_95, log_ratios.len()));
        Some(Self {
            estimate: bounds.estimate,
            spread: error * (log_ratios.len() as f64).sqrt(),
        })
    }
}

impl Comparison {
    /// The standard deviation of the sessions that decided, in percent, derived from the width of the interval, which
    /// outliers hardly change.
    pub(super) fn spread_pct(&self) -> Option<f64> {
        let sessions = match self.fresh_sessions {
            0 => self.sessions,
            fresh => fresh,
        };
        let error = (self.high_pct? - self.low_pct?) / (2.0 * Z_95);
        Some(error * (sessions as f64).sqrt())
    }
}

impl Rule {
    /// The minimum detectable effect in percent: the smallest true change that a run with this first stage detects
    /// with a power of about 80 %, given the spread of the log ratios and [`second_sessions`] fresh sessions. In
    /// simulations the power was 74 to 79 % (`tests/statistics/rates.rs`), and lower where the spread exceeds the
    /// budget. `None` with fewer than seven sessions, which cannot make a metric suspect.
    pub fn mde_pct(self, first: &[f64]) -> Option<f64> {
        self.mde_of_stages_pct(first, first.len(), second_sessions(first.len()))
    }

    /// The same for two stages of this many sessions, given the spread of `log_ratios`.
    pub(super) fn mde_of_stages_pct(
        self,
        log_ratios: &[f64],
        first: usize,
        second: usize,
    ) -> Option<f64> {
        let seen = (first >= LEAST_99)
            .then(|| Distribution::of(log_ratios))
            .flatten()?;
        let chance = |effect| self.chance_to_fail(effect, seen.spread, first, second);
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

    /// The total number of first-stage sessions that give a verdict with a probability of about 80 %, if the true
    /// change is the estimate of `log_ratios` and their spread stays the same; fresh sessions grow with them, see
    /// [`second_sessions`]. In simulations 73 to 77 % of such runs gave a verdict. Always more than the `done`
    /// sessions that did not.
    ///
    /// `None` if 100 times as many sessions would not suffice, since the estimate is at the budget, or if fewer than
    /// five log ratios leave the spread unknown.
    pub fn sessions_to_settle(self, log_ratios: &[f64], done: usize) -> Option<usize> {
        let seen = Distribution::of(log_ratios)?;
        (done + 1..=done.saturating_mul(SESSIONS_FACTOR_MAX)).find(|sessions| {
            let pass = self.chance_to_pass(seen.estimate, seen.spread, *sessions);
            let fresh = second_sessions(*sessions);
            let fail = self.chance_to_fail(seen.estimate, seen.spread, *sessions, fresh);
            pass >= POWER || fail >= POWER
        })
    }

    /// The probability that both stages detect a true `effect`, a log ratio.
    fn chance_to_fail(self, effect: f64, spread: f64, first: usize, second: usize) -> f64 {
        if first < LEAST_99 {
            return 0.0;
        }
        let stage = |sessions: usize, z: f64| {
            chance(spread, sessions, z, |reach| {
                effect - self.limit().max(self.half() + reach)
            })
        };
        stage(first, Z_99) * stage(second, Z_95)
    }

    /// The probability that the first stage passes at a true `effect`, a log ratio.
    fn chance_to_pass(self, effect: f64, spread: f64, first: usize) -> f64 {
        chance(spread, first, Z_95, |reach| self.limit() - reach - effect)
    }
}

/// The probability that the error of the estimate stays below a margin, averaged over the distance of the bound at
/// `z` from the estimate, on which the margin depends (three-point Gauss-Hermite quadrature).
fn chance(spread: f64, sessions: usize, z: f64, margin: impl Fn(f64) -> f64) -> f64 {
    let error = spread / (sessions as f64).sqrt();
    let reach = student(z, sessions) * error;
    let unsure = 3.0_f64.sqrt() / (2.0 * freedom(sessions)).sqrt();
    [
        (1.0 / 6.0, 1.0 - unsure),
        (2.0 / 3.0, 1.0),
        (1.0 / 6.0, 1.0 + unsure),
    ]
    .iter()
    .map(|(weight, factor)| weight * chance_within(margin(reach * factor.max(0.0)), error))
    .sum()
}

/// Student's quantile for a number of values, given the normal quantile `z` (first term of Abramowitz and Stegun
/// 26.7.5).
fn student(z: f64, values: usize) -> f64 {
    z + (z.powi(3) + z) / (4.0 * freedom(values))
}

/// Degrees of freedom.
fn freedom(values: usize) -> f64 {
    values.saturating_sub(1).max(1) as f64
}

/// The probability that a normal deviation with this standard error stays below `margin`.
fn chance_within(margin: f64, error: f64) -> f64 {
    if error > 0.0 {
        normal_cdf(margin / error)
    } else if margin > 0.0 {
        1.0
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULE: Rule = Rule { budget: 0.02 };

    /// Log ratios evenly spread over a width around a centre.
    fn around(centre: f64, width: f64, n: usize) -> Vec<f64> {
        (0..n)
            .map(|place| centre + width * ((place as f64 + 0.5) / n as f64 - 0.5))
            .collect()
    }

    #[test]
    fn sessions_that_do_not_differ_show_all_above_the_budget() {
        let mde = RULE.mde_pct(&[0.001; 20]).unwrap();
        assert!((mde - 2.0).abs() < 1e-6, "{mde}");
        assert_eq!(RULE.mde_pct(&[0.001; 6]), None);
        // Exactly at the budget no number of sessions suffices; below it the first bound does.
        assert_eq!(RULE.sessions_to_settle(&[RULE.limit(); 20], 20), None);
        assert_eq!(RULE.sessions_to_settle(&[0.0; 20], 20), Some(21));
    }

    #[test]
    fn what_is_at_the_budget_cannot_be_settled() {
        assert_eq!(
            RULE.sessions_to_settle(&around(RULE.limit(), 0.05, 20), 20),
            None
        );
        assert_eq!(RULE.sessions_to_settle(&around(0.0, 0.05, 4), 4), None);
        assert_eq!(RULE.sessions_to_settle(&[], 0), None);
    }

    #[test]
    fn an_absurd_spread_is_no_trouble() {
        assert_eq!(RULE.mde_pct(&around(0.0, 1e200, 20)), None);
        assert_eq!(RULE.sessions_to_settle(&around(0.0, 1e200, 20), 20), None);
    }

    proptest! {
        #[test]
        fn more_spread_hides_more(width in 1e-4..0.2_f64, n in 7_usize..40, centre in -0.1..0.1_f64) {
            let mde = |width: f64, n: usize| RULE.mde_pct(&around(centre, width, n)).unwrap();
            prop_assert!(mde(width, n) >= 2.0);
            prop_assert!(mde(width * 1.5, n) > mde(width, n));
            // The estimate does not influence the minimum detectable effect.
            let elsewhere = RULE.mde_pct(&around(0.0, width, n)).unwrap();
            prop_assert!((mde(width, n) - elsewhere).abs() < 1e-6);
        }

        #[test]
        fn the_nearer_to_the_budget_the_longer_it_takes(off in 0.001..0.02_f64, side in prop::bool::ANY, width in 0.01..0.2_f64) {
            let off = if side { off } else { -off };
            let far = RULE.sessions_to_settle(&around(RULE.limit() + off, width, 20), 20);
            let near = RULE.sessions_to_settle(&around(RULE.limit() + off / 2.0, width, 20), 20);
            prop_assert!(near.unwrap_or(usize::MAX) >= far.unwrap_or(usize::MAX));
            prop_assert!(far.is_none_or(|sessions| sessions > 20 && sessions <= 2000));
        }
    }
}
