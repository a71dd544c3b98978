//! Tests of the decision rule.

use proptest::prelude::*;

use super::*;

const RULE: Rule = Rule { budget: 0.02 };

/// Log ratios around a change in percent, spread by about 0.5 %.
fn around(pct: f64, n: usize) -> Vec<f64> {
    let centre = (pct / 100.0).ln_1p();
    (0..n)
        .map(|place| centre + 0.008 * ((place as f64 + 0.5) / n as f64 - 0.5))
        .collect()
}

#[test]
fn the_usual_numbers_of_sessions() {
    let given: Vec<usize> = [0, 7, 20, 21, 40].map(second_sessions).to_vec();
    assert_eq!(given, [12, 12, 12, 13, 24]);
}

#[test]
fn a_bound_that_cannot_be_had_decides_nothing() {
    assert_eq!(RULE.first(&around(10.0, 6)), FirstStage::Inconclusive);
    assert_eq!(RULE.first(&around(10.0, 7)), FirstStage::Suspect);
    assert_eq!(RULE.first(&around(0.0, 4)), FirstStage::Inconclusive);
    assert_eq!(RULE.first(&around(0.0, 5)), FirstStage::Pass);
    assert_eq!(RULE.second(&around(10.0, 4)), CellVerdict::Inconclusive);
    assert_eq!(RULE.second(&around(10.0, 5)), CellVerdict::Fail);
    assert_eq!(RULE.first(&[]), FirstStage::Inconclusive);
}

#[test]
fn an_estimate_above_the_budget_is_not_enough() {
    // Around 3 %: lower bounds of 95 and 99 % are 2.23 and 1.92 % of values that spread over 6 %, then
    // 1.34 and 0.68 % over 13 %, then 0.96 and 0.16 % over 16 %.
    let judged = |width: f64| {
        let centre = f64::ln_1p(0.03);
        let wide = |ratio: f64| centre + (ratio - centre) * width / 0.008;
        let ratios: Vec<f64> = around(3.0, 20).into_iter().map(wide).collect();
        (RULE.first(&ratios), RULE.second(&ratios))
    };
    assert_eq!(judged(0.06), (FirstStage::Suspect, CellVerdict::Fail));
    assert_eq!(judged(0.13), (FirstStage::Inconclusive, CellVerdict::Fail));
    assert_eq!(
        judged(0.16),
        (FirstStage::Inconclusive, CellVerdict::Inconclusive)
    );
}

#[test]
fn a_session_without_a_number_decides_nothing() {
    for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let with = |pct: f64| [around(pct, 20), vec![odd]].concat();
        assert_eq!(RULE.first(&with(0.0)), FirstStage::Inconclusive, "{odd}");
        assert_eq!(RULE.first(&with(9.0)), FirstStage::Inconclusive, "{odd}");
        assert_eq!(RULE.second(&with(9.0)), CellVerdict::Inconclusive, "{odd}");
        assert_eq!(RULE.control(&with(2.0)).void, Some(Void::NoNumber), "{odd}");
        let cell = RULE.compare(&with(0.0), &[]);
        assert_eq!((cell.low_pct, cell.mde_pct), (None, None), "{odd}");
    }
}

#[test]
fn the_control_has_to_see_what_was_planted() {
    let void = |pct: f64| RULE.control(&around(pct, CONTROL_SESSIONS)).void;
    assert_eq!(void(2.0), None);
    assert_eq!((void(1.05), void(5.9)), (None, None));
    assert_eq!(void(0.95), Some(Void::TooLittle));
    assert_eq!(void(6.2), Some(Void::TooMuch));
    assert_eq!(RULE.control(&around(2.0, 5)).void, None);
    assert_eq!(RULE.control(&around(2.0, 4)).void, Some(Void::TooFew));
    let none = RULE.control(&[]);
    assert_eq!((none.void, none.seen_pct), (Some(Void::TooFew), None));
    let seen = RULE.control(&around(2.0, CONTROL_SESSIONS));
    assert!((seen.seen_pct.unwrap() - 2.0).abs() < 1e-9 && seen.planted_pct == 2.0);
}

#[test]
fn a_cell_says_what_decided() {
    let passed = RULE.compare(&around(0.0, 20), &around(9.0, 12));
    assert_eq!(
        (passed.verdict, passed.fresh_sessions),
        (CellVerdict::Pass, 0)
    );
    assert!(passed.estimate_pct.unwrap().abs() < 1e-9);
    assert!(passed.high_pct.unwrap() < 2.0 && passed.sessions_to_settle.is_none());
    let failed = RULE.compare(&around(4.0, 20), &around(3.0, 12));
    assert_eq!(
        (failed.verdict, failed.fresh_sessions),
        (CellVerdict::Fail, 12)
    );
    assert!((failed.estimate_pct.unwrap() - 3.0).abs() < 1e-9);
    let chance = RULE.compare(&around(4.0, 20), &around(1.0, 12));
    assert_eq!(chance.verdict, CellVerdict::Inconclusive);
    assert!(chance.sessions_to_settle.unwrap() > 20);
    let unasked = RULE.compare(&around(4.0, 20), &[]);
    assert_eq!(unasked.verdict, CellVerdict::Inconclusive);
    let json = serde_json::to_value(&failed).unwrap();
    assert_eq!(
        (&json["verdict"], &json["budget_pct"]),
        (&"fail".into(), &2.0.into())
    );
}

#[test]
fn a_clear_change_takes_twelve_sessions_beyond_ten_budgets() {
    assert!(RULE.is_clear(&around(21.0, 12)));
    assert!(!RULE.is_clear(&around(21.0, 11)) && !RULE.is_clear(&around(19.9, 40)));
    for odd in [0.1, f64::NAN, f64::INFINITY] {
        let one_is_odd = [around(90.0, 20), vec![odd]].concat();
        assert!(!RULE.is_clear(&one_is_odd), "{odd}");
    }
    let judged = |ratios: &[f64]| {
        let judged = RULE.compare_early(ratios);
        (judged.verdict, judged.sessions, judged.fresh_sessions)
    };
    assert_eq!(judged(&around(100.0, 12)), (CellVerdict::Fail, 7, 5));
    assert_eq!(judged(&around(100.0, 7)), (CellVerdict::Fail, 7, 0));
    assert_eq!(judged(&around(100.0, 6)), (CellVerdict::Inconclusive, 6, 0));
    // Less than ten budgets take fresh sessions.
    assert_eq!(judged(&around(9.0, 20)), (CellVerdict::Inconclusive, 20, 0));
    assert_eq!(judged(&around(0.0, 20)), (CellVerdict::Pass, 20, 0));
    let cut = |pct: f64| RULE.compare_cut(&around(pct, 8), &around(pct, 3)).verdict;
    assert_eq!(
        (cut(100.0), cut(9.0)),
        (CellVerdict::Fail, CellVerdict::Inconclusive)
    );
    // Many sessions without time for fresh ones: one half confirms the other.
    let halves = RULE.compare_cut(&around(9.0, 20), &around(9.0, 1));
    assert_eq!(
        (halves.verdict, halves.sessions, halves.fresh_sessions),
        (CellVerdict::Fail, 11, 10)
    );
    let chance = RULE.compare_cut(&[around(9.0, 11), around(0.0, 9)].concat(), &[]);
    assert_eq!(chance.verdict, CellVerdict::Inconclusive);
}

/// Severity.
fn rank(verdict: CellVerdict) -> u8 {
    match verdict {
        CellVerdict::Pass => 0,
        CellVerdict::Inconclusive => 1,
        CellVerdict::Fail => 2,
    }
}

fn ratios() -> impl Strategy<Value = Vec<f64>> {
    (
        -0.03..0.08_f64,
        prop::collection::vec(-0.02..0.02_f64, 0..24),
    )
        .prop_map(|(centre, around)| around.iter().map(|by| centre + by).collect())
}

proptest! {
    #[test]
    fn worse_sessions_never_make_a_better_verdict(
        first in ratios(),
        fresh in ratios(),
        by in prop::collection::vec(0.0..0.05_f64, 48),
    ) {
        let raised = |values: &[f64], by: &[f64]| -> Vec<f64> {
            values.iter().zip(by).map(|(value, by)| value + by).collect()
        };
        let here = RULE.compare(&first, &fresh).verdict;
        let there = RULE.compare(&raised(&first, &by[..24]), &raised(&fresh, &by[24..])).verdict;
        prop_assert!(rank(there) >= rank(here), "{here:?} became {there:?}");
    }

    #[test]
    fn a_clear_change_fails_and_was_clear_before(
        ratios in prop::collection::vec(0.1..0.3_f64, 12..30),
        heavy in prop::collection::vec(0.0..9.0_f64, 30),
    ) {
        let ratios: Vec<f64> = ratios.iter().zip(&heavy).map(|(ratio, more)| ratio + more).collect();
        if RULE.is_clear(&ratios) {
            prop_assert_eq!(RULE.compare_early(&ratios).verdict, CellVerdict::Fail);
            prop_assert!((CLEAR_SESSIONS..ratios.len()).all(|n| RULE.is_clear(&ratios[..n])));
        }
    }

    #[test]
    fn a_larger_budget_never_makes_a_worse_verdict(first in ratios(), fresh in ratios(), more in 0.0..0.1_f64) {
        let here = RULE.compare(&first, &fresh).verdict;
        let there = Rule { budget: RULE.budget + more }.compare(&first, &fresh).verdict;
        prop_assert!(rank(there) <= rank(here), "{here:?} became {there:?}");
    }

    #[test]
    fn the_order_of_sessions_means_nothing(first in ratios(), fresh in ratios(), seed in any::<u64>()) {
        let shuffled = |values: &[f64]| {
            let mut keyed: Vec<(u64, f64)> = values
                .iter()
                .enumerate()
                .map(|(place, value)| ((place as u64 + 1).wrapping_mul(seed | 1).rotate_left(17), *value))
                .collect();
            keyed.sort_by_key(|(key, _)| *key);
            keyed.into_iter().map(|(_, value)| value).collect::<Vec<f64>>()
        };
        let (first_too, fresh_too) = (shuffled(&first), shuffled(&fresh));
        prop_assert_eq!(RULE.compare(&first, &fresh), RULE.compare(&first_too, &fresh_too));
        prop_assert_eq!(RULE.control(&first), RULE.control(&first_too));
    }

    #[test]
    fn what_is_symmetric_around_nothing_is_never_suspect(half in prop::collection::vec(0.0..0.5_f64, 0..12), budget in 0.0..0.1_f64) {
        let both: Vec<f64> = half.iter().flat_map(|value| [*value, -*value]).collect();
        let rule = Rule { budget };
        prop_assert_ne!(rule.first(&both), FirstStage::Suspect);
        prop_assert_ne!(rule.second(&both), CellVerdict::Fail);
    }

    #[test]
    fn what_is_said_fits_together(first in ratios(), fresh in ratios()) {
        let cell = RULE.compare(&first, &fresh);
        if let (Some(low), Some(estimate), Some(high)) = (cell.low_pct, cell.estimate_pct, cell.high_pct) {
            prop_assert!(low <= estimate && estimate <= high);
        }
        match cell.verdict {
            CellVerdict::Pass => prop_assert!(cell.high_pct.unwrap() < cell.budget_pct),
            CellVerdict::Fail => prop_assert!(cell.estimate_pct.unwrap() > 2.0 && cell.low_pct.unwrap() > 1.0),
            CellVerdict::Inconclusive => {}
        }
        prop_assert!(cell.sessions_to_settle.is_none_or(|n| n > first.len()));
        prop_assert!(cell.verdict == CellVerdict::Inconclusive || cell.sessions_to_settle.is_none());
    }
}
