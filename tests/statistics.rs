//! The statistics against independent references: published tables, and `data/statistics.json`, which
//! `data/statistics.py` computes with scipy. If scipy is installed, the script runs again and must give the same values.
//! `TCPROVE_PYTHON` sets its interpreter; the default is `python3`.

mod gates;
mod rates;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tcprove::stats::{
    Interval, clopper_pearson, clopper_pearson_one_sided, hodges_lehmann, normal_cdf, one_sided,
    rank_sum_p,
};

use crate::support::python_with;

/// Maximum absolute difference from the values of scipy.
const NEAR: f64 = 1e-9;
/// Maximum absolute difference where the normal distribution is approximated (Abramowitz and Stegun 26.2.17).
const NEAR_NORMAL: f64 = 2e-7;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/data")
        .join(name)
}

fn committed() -> Value {
    serde_json::from_slice(&std::fs::read(data("statistics.json")).unwrap()).unwrap()
}

fn list(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    let numbers = list(value).iter();
    numbers.map(|number| number.as_f64().unwrap()).collect()
}

fn assert_near(got: f64, expected: &Value, within: f64, what: &str) {
    let expected = expected.as_f64().unwrap();
    assert!(
        (got - expected).abs() < within,
        "{what}: {got}, expected {expected}"
    );
}

/// The number of pairwise means of `n` values below the confidence bound at `1 - tail`. The values are powers of a
/// number, so that all pairs have different means.
fn cut(n: u64, tail: f64) -> Option<u64> {
    let values: Vec<f64> = (1..=n).map(|place| 1.37_f64.powi(place as i32)).collect();
    let low = one_sided(&values, 1.0 - tail)?.low;
    let mut below = 0;
    for (place, value) in values.iter().enumerate() {
        let others = values[place..].iter();
        below += others
            .filter(|other| f64::midpoint(*value, **other) < low)
            .count() as u64;
    }
    Some(below)
}

#[test]
fn bounds_cut_off_what_a_published_table_says() {
    // The largest k with P(W <= k) <= 0.025: On-Line Encyclopedia of Integer Sequences A226330, n from 6.
    // (Some printed tables list the k with the nearest probability instead.)
    let one_in_40 = [
        0, 2, 3, 5, 8, 10, 13, 17, 21, 25, 29, 34, 40, 46, 52, 58, 65, 73, 81, 89, 98, 107, 116,
        126, 137, 147, 159, 170, 182, 195, 208, 221, 235, 249, 264, 279, 294, 310, 327, 343, 361,
        378, 396, 415, 434, 453, 473, 494, 514, 536, 557, 579, 602, 625, 648,
    ];
    for (n, most) in (6..).zip(one_in_40) {
        assert_eq!(cut(n, 0.025), Some(most), "{n} values");
    }
    assert_eq!(cut(5, 0.025), None);
}

#[test]
fn bounds_cut_off_what_scipy_says() {
    for entry in list(&committed()["critical_values"]) {
        let tail = entry["tail"].as_f64().unwrap();
        for (n, most) in (1..).zip(list(&entry["of"])) {
            assert_eq!(cut(n, tail), most.as_u64(), "{n} values at {tail}");
        }
    }
}

#[test]
fn centres_and_their_bounds_are_those_of_scipy() {
    let committed = committed();
    let centres = list(&committed["centres"]);
    assert!(centres.len() > 10);
    for centre in centres {
        let (name, values) = (centre["name"].as_str().unwrap(), numbers(&centre["values"]));
        for expected in list(&centre["bounds"]) {
            let level = expected["level"].as_f64().unwrap();
            let what = format!("{name} at {level}");
            let two_sided = hodges_lehmann(&values, 2.0 * level - 1.0).unwrap();
            assert_near(two_sided.estimate, &centre["estimate"], NEAR, &what);
            match one_sided(&values, level) {
                None => assert!(
                    expected["low"].is_null() && expected["high"].is_null(),
                    "{what}"
                ),
                Some(got) => {
                    assert_near(got.estimate, &centre["estimate"], NEAR, &what);
                    assert_near(got.low, &expected["low"], NEAR, &what);
                    assert_near(got.high, &expected["high"], NEAR, &what);
                    assert_near(two_sided.low, &expected["low"], NEAR, &what);
                }
            }
        }
    }
}

#[test]
fn a_textbook_example_comes_out() {
    // Hollander and Wolfe, 3.2 and 3.3: estimate -0.46, and -0.786 to -0.010 at 96.1 %.
    let committed = committed();
    let depression = &list(&committed["centres"])[0];
    assert_eq!(depression["name"], "depression");
    let got = hodges_lehmann(&numbers(&depression["values"]), 0.96).unwrap();
    for (got, expected) in [(got.estimate, -0.46), (got.low, -0.786), (got.high, -0.010)] {
        assert!((got - expected).abs() < 1e-9, "{got}, not {expected}");
    }
}

#[test]
fn exact_intervals_of_shares_are_those_of_scipy_and_of_the_books() {
    for entry in list(&committed()["binomial"]) {
        let (k, n) = (entry["k"].as_u64().unwrap(), entry["n"].as_u64().unwrap());
        let level = entry["level"].as_f64().unwrap();
        let what = format!("{k} of {n} at {level}");
        let both = clopper_pearson(k, n, level).unwrap();
        let one = clopper_pearson_one_sided(k, n, level).unwrap();
        for (got, expected) in [(both, &entry["two_sided"]), (one, &entry["one_sided"])] {
            assert_near(got.low, &expected[0], NEAR, &what);
            assert_near(got.high, &expected[1], NEAR, &what);
        }
    }
    // At 95 %. Newcombe, Statistics in Medicine 17, 1998, table I, method 5; and the bound of none of 60.
    for (k, n, low, high) in [
        (81, 263, 0.2527, 0.3676),
        (15, 148, 0.0578, 0.1617),
        (0, 20, 0.0, 0.1684),
        (1, 29, 0.0009, 0.1776),
        (0, 60, 0.0, 0.0596),
    ] {
        let Interval {
            low: l, high: h, ..
        } = clopper_pearson(k, n, 0.95).unwrap();
        assert!(
            (l - low).abs() < 5e-5 && (h - high).abs() < 5e-5,
            "{k} of {n}: {l} to {h}"
        );
    }
}

#[test]
fn rank_sums_and_the_normal_distribution_are_those_of_scipy() {
    for entry in list(&committed()["rank_sums"]) {
        let p = rank_sum_p(&numbers(&entry["a"]), &numbers(&entry["b"]));
        assert_near(p, &entry["p"], NEAR_NORMAL, "rank sum");
    }
    for entry in list(&committed()["normal"]) {
        let z = entry["z"].as_f64().unwrap();
        assert_near(normal_cdf(z), &entry["cdf"], NEAR_NORMAL, "normal");
    }
}

#[test]
fn scipy_still_says_what_is_committed() {
    let python = match python_with("scipy") {
        Ok(python) => python,
        Err(reason) => {
            crate::support::skip::needs(&reason);
            return;
        }
    };
    let mut command = Command::new(python);
    let output = command.arg(data("statistics.py")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the script fails: {said}");
    let again: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_alike(&again, &committed(), "statistics.json");
}

/// Asserts that two JSON values are equal, except for tiny differences between numbers.
fn assert_alike(one: &Value, other: &Value, place: &str) {
    match (one, other) {
        (Value::Array(ones), Value::Array(others)) => {
            assert_eq!(ones.len(), others.len(), "{place}");
            for (index, (one, other)) in ones.iter().zip(others).enumerate() {
                assert_alike(one, other, &format!("{place}[{index}]"));
            }
        }
        (Value::Object(ones), Value::Object(others)) => {
            assert!(ones.keys().eq(others.keys()), "{place}");
            for (key, one) in ones {
                assert_alike(one, &others[key], &format!("{place}.{key}"));
            }
        }
        (Value::Number(one), Value::Number(_)) => {
            assert_near(one.as_f64().unwrap(), other, NEAR, place);
        }
        _ => assert_eq!(one, other, "{place}"),
    }
}
