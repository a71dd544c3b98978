//! Tests against published results, and against another implementation.

use super::*;

/// The annual flow of the Nile at Aswan, 1871 to 1970, in 10^8 cubic metres (Cobb, The problem of the Nile, Biometrika 65, 1978).
const NILE: [f64; 100] = [
    1120., 1160., 963., 1210., 1160., 1160., 813., 1230., 1370., 1140., 995., 935., 1110., 994.,
    1020., 960., 1180., 799., 958., 1140., 1100., 1210., 1150., 1250., 1260., 1220., 1030., 1100.,
    774., 840., 874., 694., 940., 833., 701., 916., 692., 1020., 1050., 969., 831., 726., 456.,
    824., 702., 1120., 1100., 832., 764., 821., 768., 845., 864., 862., 698., 845., 744., 796.,
    1040., 759., 781., 865., 845., 944., 984., 897., 822., 1010., 771., 676., 649., 846., 812.,
    742., 801., 1040., 860., 874., 848., 890., 744., 749., 838., 1050., 918., 986., 797., 923.,
    975., 815., 1020., 906., 901., 1170., 912., 746., 919., 718., 714., 740.,
];

/// The flow has one change, after 1898 (Cobb; Zeileis et al., Testing and dating of structural changes in practice, CSDA 44,
/// 2003).
#[test]
fn the_nile_changes_in_1898() {
    let sigma = noise(&NILE);
    assert!((sigma - 118.316_388_031).abs() < 1e-6, "{sigma}");
    let penalty = 2.0 * (NILE.len() as f64).ln() * sigma.powi(2);
    assert_eq!(change_points(&NILE, penalty, 5), [28]);
    let (first, last) = cut_range(&NILE, (0, 28, 100), 6.0 * sigma.powi(2));
    assert!(
        (26..=28).contains(&first) && (28..=31).contains(&last),
        "{first} {last}"
    );
}

/// The same as `KernelCPD(kernel="linear", min_size=2)` of ruptures 1.1, with penalties that cut the series often.
#[test]
fn small_penalties_give_the_cuts_of_another_implementation() {
    let penalty = 2.0 * (NILE.len() as f64).ln() * noise(&NILE).powi(2);
    assert_eq!(
        change_points(&NILE, 0.3 * penalty, 2),
        [7, 9, 17, 19, 28, 37, 40, 45, 47, 83, 95]
    );
    assert_eq!(
        change_points(&NILE, 0.15 * penalty, 2),
        [
            5, 7, 9, 17, 19, 26, 28, 37, 41, 43, 45, 47, 63, 68, 75, 80, 83, 93, 95
        ]
    );
}

/// All partitions of a short series, one by one.
#[test]
fn no_partition_is_better() {
    let series = [3.0, 3.5, 2.9, 9.0, 8.7, 9.2, 9.1, 4.0, 4.4, 1.0, 1.2, 0.9];
    for penalty in [0.05, 0.5, 5.0, 50.0] {
        let cost = |cuts: &[usize]| {
            let ends = cuts.iter().copied().chain([series.len()]);
            let begins = std::iter::once(0).chain(cuts.iter().copied());
            let segments = begins.zip(ends);
            let deviation = |(begin, end): (usize, usize)| {
                let part = &series[begin..end];
                let mean = part.iter().sum::<f64>() / part.len() as f64;
                part.iter().map(|value| (value - mean).powi(2)).sum::<f64>()
            };
            segments.map(deviation).sum::<f64>() + penalty * cuts.len() as f64
        };
        let all = (0..1u32 << 11).map(|bits| {
            (1..12)
                .filter(|at| bits >> (at - 1) & 1 == 1)
                .collect::<Vec<usize>>()
        });
        let least = all.map(|cuts| cost(&cuts)).fold(f64::INFINITY, f64::min);
        let found = change_points(&series, penalty, 1);
        assert!((cost(&found) - least).abs() < 1e-9, "{penalty}: {found:?}");
    }
}

/// Two levels far apart: the step is no noise.
#[test]
fn a_step_does_not_count_as_noise() {
    let wave = |place: usize| [0.0, 1.0, 0.0, -1.0][place % 4];
    let flat: Vec<f64> = (0..40).map(wave).collect();
    let step: Vec<f64> = (0..40)
        .map(|place| wave(place) + if place < 20 { 0.0 } else { 500.0 })
        .collect();
    assert!(
        (noise(&flat) - noise(&step)).abs() < 0.02,
        "{} {}",
        noise(&flat),
        noise(&step)
    );
    assert_eq!(
        (noise(&[]), noise(&[1.0]), noise(&[2.0; 9])),
        (0.0, 0.0, 0.0)
    );
}

#[test]
fn short_and_equal_series_have_no_change() {
    for series in [&[][..], &[1.0], &[1.0, 9.0], &[5.0; 40]] {
        assert_eq!(change_points(series, 1.0, 5), [0usize; 0], "{series:?}");
    }
    // Nine values cannot be cut into two segments of five.
    let step = [0.0, 0.0, 0.0, 0.0, 0.0, 9.0, 9.0, 9.0, 9.0];
    assert_eq!(change_points(&step, 1.0, 5), [0usize; 0]);
    assert_eq!(change_points(&step, 1.0, 4), [5]);
}

#[test]
fn single_outliers_are_moved_and_steps_are_not() {
    let mut series = [vec![100.0; 20], vec![103.0; 20]].concat();
    for (place, value) in series.iter_mut().enumerate() {
        *value += if place % 2 == 0 { 0.1 } else { -0.1 };
    }
    let step = series.clone();
    series[7] = 900.0;
    series[30] = 1.0;
    let clipped = without_outliers(&series, 4.0, 0.1);
    assert!((clipped[7] - 100.0).abs() < 1.5, "{}", clipped[7]);
    assert!((clipped[30] - 103.0).abs() < 1.5, "{}", clipped[30]);
    assert_eq!(without_outliers(&step, 4.0, 0.1), step);
}

#[test]
fn a_ramp_is_found_where_it_is() {
    let series: Vec<f64> = (0..120)
        .map(|place| 10.0 + 5.0 * ((f64::from(place) - 30.0) / 60.0).clamp(0.0, 1.0))
        .collect();
    let found = ramp(&series).unwrap();
    assert_eq!((found.from, found.to), (30, 90));
    assert!((found.before - 10.0).abs() < 1e-9 && (found.after - 15.0).abs() < 1e-9);
    assert!(found.deviation < 1e-9);
    assert_eq!(ramp(&[1.0, 2.0]), None);
}
