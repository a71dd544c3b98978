//! What a run of the gate could have seen, and how long it would have to be. Pure.
//!
//! Of n sessions whose log ratios spread by s, the estimate is about normal with a standard error e that
//! falls as 1 / sqrt(n). It is read off the sessions themselves: the two one-sided 95 % bounds lie about 2 * t
//! standard errors apart (Lehmann, Nonparametric Confidence Intervals for a Shift Parameter, 1963), t being
//! Student's quantile, and a few wild sessions hardly widen them. A stage that asks for an estimate above b and
//! a lower bound above h asks for an estimate above max(b, h + t * w), where w is the standard error as the
//! stage will see it: about e, give or take e / sqrt(2 * (n - 1)).

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
        let error = (bounds.high - bounds.low) / (2.0 * student(Z_95, log_ratios.len()));
        Some(Self {
            estimate: bounds.estimate,
            spread: error * (log_ratios.len() as f64).sqrt(),
        })
    }
}

impl Rule {
    /// The smallest true change, in percent, that a run with a first stage of these log ratios would fail
    /// with about 80 %, given their spread and [`second_sessions`] fresh ones: the minimum detectable
    /// effect. Simulated runs with it failed in 74 to 79 % (`tests/statistics/rates.rs`), fewer where the
    /// sessions spread by more than the budget. `None` with fewer than seven sessions, which can suspect
    /// nothing.
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
    /// them, see [`second_sessions`]. Simulated runs of that many were settled in 73 to 77 %. Always more than
    /// the `done` ones that did not settle it.
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
            chance(spread, sessions, z, |reach| {
                effect - self.limit().max(self.half() + reach)
            })
        };
        stage(first, Z_99) * stage(second_sessions(first), Z_95)
    }

    /// The chance that the first stage passes at a true `effect`, a log ratio.
    fn chance_to_pass(self, effect: f64, spread: f64, first: usize) -> f64 {
        chance(spread, first, Z_95, |reach| self.limit() - reach - effect)
    }
}

/// The chance that the estimate of so many sessions is not off by more than a margin, which hangs on how far a
/// bound at `z` will reach from it: the mean over that (Gauss and Hermite's rule with three points).
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

/// Student's quantile for so many values where the normal one is `z` (first term of Abramowitz and Stegun
/// 26.7.5).
fn student(z: f64, values: usize) -> f64 {
    z + (z.powi(3) + z) / (4.0 * freedom(values))
}

/// Degrees of freedom.
fn freedom(values: usize) -> f64 {
    values.saturating_sub(1).max(1) as f64
}

/// The chance that a normal deviation with this standard error stays within `margin`.
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
        // Exactly at the budget no number of them decides; below it, as soon as there is a bound.
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
            // What a change is does not matter for which could be seen.
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
