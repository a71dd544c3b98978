//! Simulated rounds: what is recommended, and what is not.

use super::made::Made;
use super::*;

/// More is better up to 4096, and no more from there on.
fn plateau(settings: &[&str]) -> f64 {
    match settings[0] {
        "64" => 100.0,
        "256" => 140.0,
        "1024" => 180.0,
        _ => 200.0,
    }
}

const BUFFERS: &str = "server.recv_buffer=64,256,1KiB,4KiB,16KiB,64KiB";

fn only(recommendation: &Recommendation) -> &AxisVerdict {
    assert_eq!(recommendation.verdicts.len(), 1);
    &recommendation.verdicts[0]
}

#[test]
fn the_smallest_of_the_best_is_recommended_with_its_reason() {
    let made = Made::new(&[BUFFERS, "payload=16KiB"]);
    let mut entries = made.entries(plateau);
    entries
        .iter_mut()
        .for_each(|entry| entry.message_bytes = Some(16_398));
    let answer = recommend(&made.axes, &entries);
    let verdict = only(&answer);
    assert_eq!(verdict.value.as_deref(), Some("4096"));
    assert_eq!(
        (verdict.baseline.as_str(), verdict.metric),
        ("64", "ops_per_s")
    );
    assert_eq!(verdict.class, [("payload".to_owned(), "16384".to_owned())]);
    assert_eq!(
        verdict.sentence,
        "payload 16 KiB: recv_buffer = 4096: +100 % [100, 100] throughput over 64; larger values gain nothing \
         measurable; the next smaller value takes 17 reads per message of 16398 bytes, this one 5"
    );
    assert_eq!(answer.headline, verdict.sentence);
}

#[test]
fn noise_and_a_machine_that_drifts_do_not_hide_a_plateau() {
    let mut chosen = std::collections::BTreeMap::<String, usize>::new();
    for seed in 0..200 {
        let made = Made::new(&[BUFFERS]).noisy(0.03, seed);
        let answer = made.recommend(plateau);
        let value = only(&answer).value.clone().unwrap_or_default();
        *chosen.entry(value).or_default() += 1;
    }
    // 1024 is 10 % slower, which noise of 3 % can hide now and then; 256 is 30 % slower.
    let right = chosen.get("4096").copied().unwrap_or(0);
    assert!(right >= 160, "{chosen:?}");
    assert!(
        !chosen.contains_key("") && !chosen.contains_key("256"),
        "{chosen:?}"
    );
}

#[test]
fn what_may_be_better_and_is_not_sure_is_said() {
    let made = Made::new(&["server.recv_buffer=64,1KiB,4KiB"]);
    let mut entries = made.entries(|settings| if settings[0] == "64" { 100.0 } else { 200.0 });
    // 4096 is a tenth faster on the whole, in four rounds of six.
    for (round, figures) in entries[2].rounds.iter_mut().flatten().enumerate() {
        figures.ops_per_s *= if round < 4 { 1.25 } else { 0.9 };
    }
    let answer = recommend(&made.axes, &entries);
    assert_eq!(only(&answer).value.as_deref(), Some("1024"));
    let sentence = &only(&answer).sentence;
    assert!(
        sentence.contains("nothing measurable (4096: +") && sentence.contains("not significant"),
        "{sentence}"
    );
}

#[test]
fn where_nothing_differs_nothing_is_recommended() {
    let (mut alarms, mut small) = (0, 0);
    for seed in 0..400 {
        let made = Made::new(&[BUFFERS]).noisy(0.05, seed);
        alarms += usize::from(only(&made.recommend(|_| 100.0)).value.is_some());
        // A gain of 2 % is measured surely, and not worth a recommendation.
        let made = Made::new(&[BUFFERS]).noisy(0.002, seed);
        let gain = |settings: &[&str]| if settings[0] == "64" { 100.0 } else { 102.0 };
        small += usize::from(only(&made.recommend(gain)).value.is_some());
    }
    assert!(alarms <= 32, "{alarms} false recommendations of 400");
    assert_eq!(small, 0);
    let answer = Made::new(&[BUFFERS]).recommend(|_| 100.0);
    assert_eq!(
        answer.headline,
        "no value of recv_buffer is measurably better than 64"
    );
    assert_eq!(only(&answer).change_percent, None);
}

#[test]
fn where_we_were_the_limit_the_cpu_time_of_the_server_decides() {
    let made = Made::new(&[BUFFERS]);
    let limit = |rounds_of_six: usize, sees: bool| {
        let mut entries = made.entries(plateau);
        for entry in &mut entries {
            for (round, figures) in entry.rounds.iter_mut().flatten().enumerate() {
                figures.client_limited = round < rounds_of_six;
                figures.ops_per_s = 100.0;
                figures.server_cpu_us_per_op = figures.server_cpu_us_per_op.filter(|_| sees);
            }
        }
        only(&recommend(&made.axes, &entries)).clone()
    };
    let verdict = limit(4, true);
    assert_eq!(
        (verdict.metric, verdict.value.as_deref()),
        ("server_cpu_us_per_op", Some("4096"))
    );
    let change = verdict.change_percent.unwrap();
    assert!((change.estimate + 50.0).abs() < 1e-9 && change.low <= change.high);
    assert!(
        verdict
            .sentence
            .contains("-50 % [-50, -50] server CPU per operation over 64")
    );
    assert!(
        verdict
            .sentence
            .ends_with("the client was the limit, so the server's CPU time decides")
    );
    assert_eq!(
        limit(3, true).metric,
        "ops_per_s",
        "in half of the rounds is not in most"
    );
    let blind = limit(6, false);
    assert_eq!((blind.metric, blind.value), ("ops_per_s", None));
    assert!(blind.sentence.contains("is unknown"), "{}", blind.sentence);
}

#[test]
fn what_cannot_be_trusted_is_not_compared() {
    let made = Made::new(&[BUFFERS]);
    let with = |change: &dyn Fn(usize, &mut Entry)| {
        let mut entries = made.entries(plateau);
        for (place, entry) in entries.iter_mut().enumerate() {
            change(place, entry);
        }
        only(&recommend(&made.axes, &entries)).clone()
    };
    let invalid = with(&|place, entry| entry.valid = place != 0 && place != 3);
    assert_eq!(
        (invalid.baseline.as_str(), invalid.value.as_deref()),
        ("256", Some("16384"))
    );
    let merged = with(&|place, entry| entry.is_merged = place == 3);
    assert_eq!(merged.value.as_deref(), Some("16384"));
    let narrow = with(&|place, entry| entry.is_narrow = place <= 4);
    assert_eq!(
        (narrow.baseline.as_str(), narrow.value.as_deref()),
        ("64", Some("65536"))
    );
    assert!(narrow.sentence.contains("nothing larger was measured"));
    // Pairs need rounds in which both were valid.
    let apart = with(&|place, entry| {
        let even = place % 2;
        for (round, figures) in entry.rounds.iter_mut().enumerate() {
            *figures = figures.filter(|_| round % 2 == even);
        }
    });
    assert_eq!(apart.value, None);
    assert!(
        apart
            .sentence
            .contains("no two values were both valid in 5 rounds"),
        "{}",
        apart.sentence
    );
    let alone = with(&|place, entry| {
        entry.valid = place == 2;
        entry.trouble = Some(Trouble {
            word: "steal".into(),
            may_pass: true,
        });
    });
    assert!(alone.sentence.ends_with("(steal)"), "{}", alone.sentence);
    assert!(
        alone.sentence.contains("fewer than two values"),
        "{}",
        alone.sentence
    );
}

#[test]
fn what_the_machine_kept_from_being_measured_may_be_the_best() {
    let made = Made::new(&["server.recv_buffer=64,1KiB,4KiB", "payload=64,16KiB"]);
    let with = |place: usize, word: &'static str, may_pass: bool| {
        let mut entries = made.entries(plateau);
        entries[place].valid = false;
        entries[place].trouble = Some(Trouble {
            word: word.into(),
            may_pass,
        });
        recommend(&made.axes, &entries)
    };
    // The largest value with the small payload.
    let hidden = with(4, "client-starved", true);
    assert_eq!(hidden.verdicts[0].value, None);
    assert_eq!(
        hidden.verdicts[0].sentence,
        "payload 64 B: recv_buffer is undecided: 1 of 3 values could not be compared (client-starved); \
         of the others 1024 is best: +80 % [80, 80] throughput over 64"
    );
    assert_eq!(
        hidden.headline,
        "recv_buffer: undecided for payload 64 B, 4096 for payload 16 KiB"
    );
    // A server that does not work with a value hides nothing, and no more does a smaller value.
    assert_eq!(
        with(4, "connections-lost", false).verdicts[0]
            .value
            .as_deref(),
        Some("1024")
    );
    assert_eq!(
        with(2, "client-starved", true).verdicts[0].value.as_deref(),
        Some("4096")
    );
}

#[test]
fn names_have_no_order_but_the_one_they_were_given_in() {
    let made = Made::new(&["server.model=threads,tokio,prefork"]);
    let rate = |settings: &[&str]| match settings[0] {
        "threads" => 100.0,
        "tokio" => 151.0,
        _ => 150.0,
    };
    let answer = made.recommend(rate);
    let verdict = only(&answer);
    assert_eq!(
        (verdict.baseline.as_str(), verdict.value.as_deref()),
        ("threads", Some("tokio"))
    );
    assert_eq!(
        verdict.sentence,
        "model = tokio: +51 % [51, 51] throughput over threads"
    );
    let made = Made::new(&["server.workers=8,4,1"]);
    let rate = |settings: &[&str]| if settings[0] == "1" { 100.0 } else { 200.0 };
    let answer = made.recommend(rate);
    assert_eq!(
        (
            only(&answer).baseline.as_str(),
            only(&answer).value.as_deref()
        ),
        ("1", Some("4"))
    );
}

#[test]
fn the_headline_names_one_value_for_all_classes_if_there_is_one() {
    let made = Made::new(&["server.recv_buffer=64,1KiB,16KiB", "payload=64,16KiB"]);
    let headline = |rate: &dyn Fn(&[&str]) -> f64| made.recommend(rate).headline;
    let same = headline(&|settings| if settings[0] == "64" { 1.0 } else { 2.0 });
    assert_eq!(same, "recv_buffer = 1024 is best in every class");
    let suffices = headline(&|settings| match settings {
        ["64", _] => 1.0,
        ["1024", "16384"] => 1.5,
        _ => 2.0,
    });
    assert_eq!(
        suffices,
        "recv_buffer = 16384 suits every class: no value is measurably better in any of them (1024 for \
         payload 64 B, 16384 for payload 16 KiB)"
    );
    let unlike = headline(&|settings| match settings {
        ["1024", "64"] | ["16384", "16384"] => 2.0,
        _ => 1.0,
    });
    assert_eq!(
        unlike,
        "recv_buffer: no single value is best; 1024 for payload 64 B, 16384 for payload 16 KiB"
    );
    let none = headline(&|_| 1.0);
    assert_eq!(none, "no value of recv_buffer is measurably better than 64");
    let use_only = Made::new(&["payload=64,1KiB", "connections=1,2"]).recommend(|_| 1.0);
    assert!(use_only.verdicts.is_empty() && use_only.headline.contains("nothing to recommend"));
}

#[test]
fn a_socket_buffer_has_to_be_good_with_all_segments() {
    let made = Made::new(&[
        "client.so_rcvbuf=0,64KiB,256KiB",
        "payload=16KiB",
        "client.mss=0,1448",
    ]);
    let verdict = |rate: &dyn Fn(&[&str]) -> f64| only(&made.recommend(rate)).clone();
    let both = verdict(&|settings| match settings {
        ["0", ..] => 100.0,
        ["65536", _, "0"] => 120.0,
        _ => 150.0,
    });
    assert_eq!(both.value.as_deref(), Some("262144"));
    assert_eq!(both.class, [("payload".to_owned(), "16384".to_owned())]);
    assert!((both.change_percent.unwrap().estimate - 50.0).abs() < 1e-9);
    assert_eq!(
        both.sentence,
        "payload 16 KiB: client.so_rcvbuf = 262144: over the kernel's default (0) +50 % [50, 50] \
         throughput with the default segment size, +50 % [50, 50] throughput with MSS 1448"
    );
    let one = verdict(&|settings| match settings {
        ["65536", _, "1448"] => 150.0,
        _ => 100.0,
    });
    assert_eq!((one.value, one.change_percent), (None, None));
    assert!(
        one.sentence.ends_with(
            "for every segment size; only with MSS 1448: 65536 (+50 % [50, 50] throughput)"
        ),
        "{}",
        one.sentence
    );
    let none = verdict(&|_| 100.0);
    assert!(none.sentence.ends_with(
        "no value of client.so_rcvbuf is measurably better than the kernel's default (0)"
    ));
}

#[test]
fn axes_are_judged_for_each_class_of_the_others() {
    let made = Made::new(&[
        "pipeline=1,8",
        "server.recv_buffer=64,1KiB",
        "connections=1,50",
    ]);
    let answer = made.recommend(|settings| if settings[0] == "8" { 3.0 } else { 1.0 });
    assert_eq!(answer.verdicts.len(), 8);
    let pipeline: Vec<_> = answer
        .verdicts
        .iter()
        .filter(|verdict| verdict.axis == "pipeline")
        .collect();
    assert!(
        pipeline.len() == 4
            && pipeline
                .iter()
                .all(|verdict| verdict.value.as_deref() == Some("8"))
    );
    assert!(
        pipeline[0]
            .sentence
            .starts_with("recv_buffer 64 B, connections 1: pipeline = 8")
    );
    assert_eq!(
        answer.headline,
        "pipeline = 8 is best in every class; no value of recv_buffer is measurably better than 64"
    );
}
