//! Parts of made-up loads: merged, they are the whole, in every format, and what is missing or wrong is told.

use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::tests::{few, header, in_text, page};
use super::{MergeError, PartReport, merged};
use crate::load::engine::{Tally, ThreadUsage};
use crate::load::machine::Machine;
use crate::load::recorder::{MeasuredPeriod, Recorder, times};
use crate::load::{
    ClockRecord, FolderClock, LoadResult, Loop, Measurement, PartRecord, ServerUse, Workload,
    summarize,
};
use crate::report::{Body, LoadReport, Report, html, json as as_json};

/// Ten windows.
const PERIOD: MeasuredPeriod = MeasuredPeriod {
    from: 1_000_000_000,
    to: 1_500_000_000,
};
const SEED: u64 = 7;

fn workload() -> Workload {
    Workload {
        duration: Duration::from_millis(500),
        pace: Loop::Open {
            rate: 100.0,
            rate_to: 130.7,
            arrivals: crate::load::Arrivals::Poisson,
        },
        seed: SEED,
        ..Workload::default()
    }
}

/// A request: when it was due, how long until it was sent and answered, if it was.
#[derive(Clone, Copy, Debug)]
struct Request {
    due: u64,
    lag: u64,
    takes: Option<u64>,
}

fn request() -> impl Strategy<Value = Request> {
    let due = PERIOD.from - 10_000_000..PERIOD.to;
    let takes = prop::option::weighted(0.95, 10_000_u64..90_000_000);
    (due, 0_u64..300_000, takes).prop_map(|(due, lag, takes)| Request { due, lag, takes })
}

/// What a process measures that sends these requests.
fn measured(requests: &[Request], server: Option<ServerUse>) -> Measurement {
    let mut sorted = requests.to_vec();
    sorted.sort_by_key(|request| request.due + request.takes.unwrap_or(0));
    let mut recorder = Recorder::new(PERIOD, workload().windows());
    let mut tally = Tally::default();
    for request in sorted {
        let Request { due, lag, takes } = request;
        recorder.sent(due, due + lag);
        tally.requests += 1;
        tally.due += u64::from(PERIOD.has(due));
        match takes {
            Some(takes) => recorder.reply(due, due + takes.min(lag), due + takes),
            None => recorder.lost(due, PERIOD.to),
        }
    }
    tally.bytes = (64 * tally.requests, 32 * tally.requests);
    let mut handshakes = times();
    requests
        .iter()
        .for_each(|request| handshakes.saturating_record(1 + request.lag));
    tally.handshakes = Some(handshakes);
    let (windows, unanswered, lag) = recorder.into_windows();
    let per_request = |micros: u32| Duration::from_micros(micros.into()) * requests.len() as u32;
    Measurement {
        period: MeasuredPeriod::default(),
        seconds: 0.5,
        windows,
        unanswered,
        lag,
        tally,
        threads: vec![ThreadUsage {
            cpu: per_request(3),
            starved: Duration::ZERO,
            // The busiest thread of the whole is as busy as that of each part.
            wall: per_request(30) + Duration::from_nanos(1),
            context_switches: requests.len() as u64,
        }],
        ends: Vec::new(),
        server,
        machine: Machine::default(),
        died: None,
        interrupted: false,
        late: Duration::ZERO,
        server_cpus: 2,
    }
}

fn server_use() -> ServerUse {
    ServerUse {
        cpu: Duration::from_micros(1_700_003),
        threads: 3,
        rss_bytes: 4096,
        rss_peak_bytes: 5_242_880,
        context_switches: 1201,
    }
}

fn report(load: LoadReport, plan: Value) -> Report {
    Report::new(header("load", plan), Ok(Body::Load(Box::new(load))))
}

fn plan(part: Option<(usize, usize)>) -> Value {
    let mut plan = serde_json::to_value(workload()).unwrap();
    plan["start_at"] = json!("2027-03-01T12:00:00Z");
    plan["part"] = json!(part.map(|(index, count)| json!({ "index": index, "count": count })));
    plan
}

fn load(result: LoadResult, part: Option<PartRecord>) -> LoadReport {
    LoadReport {
        workload: workload(),
        result,
        slo: None,
        overload: None,
        part: part.map(Box::new),
        parts: None,
    }
}

fn clock(machine: &str) -> ClockRecord {
    ClockRecord {
        machine: machine.into(),
        folder: None,
    }
}

/// The report of a part, written and read.
fn part(index: usize, count: usize, measured: Measurement, clock: ClockRecord) -> PartReport {
    let result = summarize(&workload(), &measured);
    let record = PartRecord {
        index,
        count,
        clock,
        measured,
    };
    let report = report(load(result, Some(record)), plan(Some((index, count))));
    let text = as_json::render(&report);
    PartReport::of_json(Path::new(&format!("{index}.json")), &text).unwrap()
}

/// `places` says to which part each request belongs. The last part watches the server.
fn parts(requests: &[Request], places: &[usize], count: usize) -> Vec<PartReport> {
    (0..count)
        .map(|index| {
            let of_part = requests.iter().zip(places);
            let of_part = of_part.filter(|(_, place)| *place % count == index);
            let of_part: Vec<_> = of_part.map(|(request, _)| *request).collect();
            let server = (index + 1 == count).then(server_use);
            part(index + 1, count, measured(&of_part, server), clock("m"))
        })
        .collect()
}

/// The load in a report, and the plan without what says that it was merged.
fn load_of(report: Report) -> (LoadReport, Value) {
    let Body::Load(load) = report.body else {
        panic!("no load");
    };
    (*load, report.header.plan.unwrap())
}

fn formats(report: &Report) -> Vec<String> {
    let Body::Load(load) = &report.body else {
        panic!("no load");
    };
    let mut formats = in_text(report).to_vec();
    formats.extend([html::load(
        &page(report),
        &load.workload,
        &load.result,
        None,
    )]);
    formats
}

proptest! {
    #![proptest_config(few(6))]

    /// However the requests of a load are split, and in whichever order the parts are given, merged they are the load of a
    /// single process: in every format, to the last digit.
    #[test]
    fn parts_are_the_whole(
        requests in prop::collection::vec(request(), 1..120),
        places in prop::collection::vec(0_usize..60, 120),
        count in 1_usize..5,
        turn in 0_usize..5,
    ) {
        let mut parts = parts(&requests, &places, count);
        parts.rotate_left(turn % count);
        let (mut merged, merged_plan) = load_of(merged(parts).unwrap());
        let measured = measured(&requests, Some(server_use()));
        let mut whole = load(summarize(&workload(), &measured), None);
        let summary = merged.parts.take().unwrap();
        let replies: u64 = summary.each.iter().map(|part| part.ops).sum();
        prop_assert_eq!(replies, whole.result.metrics.ops);
        prop_assert_eq!(summary.server_from, Some(count));
        // Parts that are too small to be judged by themselves make the whole invalid, which is not compared here.
        for result in [&mut merged.result, &mut whole.result] {
            result.validity.reasons.clear();
            result.validity.valid = true;
            // The share of time that the busiest thread ran depends on how many threads there are.
            result.validity.client_busy = 0.0;
        }
        prop_assert_eq!(
            formats(&report(merged, merged_plan)),
            formats(&report(whole, plan(None)))
        );
    }

    /// Measurements may be added in any grouping, and, but for what is listed in their order, in any order.
    #[test]
    fn measurements_add_up_in_any_order_and_grouping(
        requests in prop::collection::vec(request(), 3..60),
        cuts in (0_usize..60, 0_usize..60),
    ) {
        let (one, two) = (cuts.0 % requests.len(), cuts.1 % requests.len());
        let (first, second) = (one.min(two), one.max(two));
        let [a, b, c] = [&requests[..first], &requests[first..second], &requests[second..]]
            .map(|part| measured(part, None));
        let sum = |one: &Measurement, other: &Measurement| {
            let mut sum = one.clone();
            sum.add(other);
            sum
        };
        let left = sum(&sum(&a, &b), &c);
        prop_assert_eq!(&left, &sum(&a, &sum(&b, &c)));
        let mut turned = sum(&sum(&c, &a), &b);
        turned.threads.clone_from(&left.threads);
        prop_assert_eq!(left, turned);
    }
}

fn some_requests() -> Vec<Request> {
    let request = |place: u64| Request {
        due: PERIOD.from + place * 1_000_000,
        lag: 1000,
        takes: Some(1_000_000 + place * 1000),
    };
    (0..400).map(request).collect()
}

fn some() -> Vec<PartReport> {
    let places: Vec<usize> = (0..400).collect();
    parts(&some_requests(), &places, 2)
}

fn refused(parts: Vec<PartReport>) -> String {
    merged(parts).unwrap_err().to_string()
}

/// Why the merged load is invalid.
fn reasons(parts: Vec<PartReport>) -> Vec<String> {
    let report = merged(parts).unwrap();
    let invalid = report.exit_code(crate::report::OnInconclusive::Exit5);
    let (load, _) = load_of(report);
    let validity = &load.result.validity;
    assert_eq!(validity.valid, validity.reasons.is_empty());
    let expected = if validity.valid {
        crate::report::ExitCode::Pass
    } else {
        crate::report::ExitCode::Inconclusive
    };
    assert_eq!(invalid, expected);
    validity.reasons.iter().map(ToString::to_string).collect()
}

/// The parts, with the measurement of the second one changed.
fn changed(change: impl FnOnce(&mut PartRecord)) -> Vec<PartReport> {
    let mut parts = some();
    let mut record: PartRecord = serde_json::from_value(parts[1].json["part"].clone()).unwrap();
    change(&mut record);
    parts[1].json["part"] = serde_json::to_value(record).unwrap();
    parts
}

#[test]
fn parts_of_one_load_are_valid() {
    assert_eq!(reasons(some()), Vec::<String>::new());
}

#[test]
fn a_part_that_is_missing_makes_the_whole_invalid() {
    let mut parts = some();
    parts.pop();
    let told = reasons(parts);
    assert_eq!(
        told,
        ["parts-missing: part 2 of 2 left no report: it was killed, or its report was not given"]
    );
}

#[test]
fn a_part_that_started_late_makes_the_whole_invalid() {
    let told = reasons(changed(|record| {
        record.measured.late = Duration::from_millis(120)
    }));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("started-late: part 2: 120.0 ms after the agreed time"));
}

#[test]
fn a_part_whose_clock_is_off_makes_the_whole_invalid() {
    let folder = |ahead_ns| {
        Some(FolderClock {
            folder: "f".into(),
            ahead_ns,
            within_ns: 50_000,
        })
    };
    let mut parts = changed(|record| record.clock.folder = folder(40_000_000));
    parts[0].json["part"]["clock"]["folder"] = serde_json::to_value(folder(0)).unwrap();
    let told = reasons(parts);
    assert!(
        told[0].starts_with("clocks-differ: the clock of part 2 is 40.0 ms (± 0.1 ms) ahead"),
        "{told:?}"
    );
    let told = reasons(changed(|record| record.clock = clock("another")));
    assert!(
        told[0].starts_with("clocks-not-compared: part 1 and part 2 "),
        "{told:?}"
    );
}

#[test]
fn a_part_that_is_invalid_or_interrupted_makes_the_whole_invalid() {
    let told = reasons(changed(|record| {
        record.measured.tally.lost = 3;
        record.measured.tally.troubles = vec!["a connection was reset".into()];
    }));
    assert!(
        told[0].starts_with("connections-lost: 3 connections"),
        "{told:?}"
    );
    assert!(
        told[0].ends_with("first: part 2: a connection was reset"),
        "{told:?}"
    );
    let told = reasons(changed(|record| {
        let starved = &mut record.measured.threads[0];
        starved.starved = starved.wall / 10;
    }));
    assert!(told[0].starts_with("client-starved: "), "{told:?}");
    // Of all requests fewer than 1 % are late, of those of the part more.
    let told = reasons(changed(|record| {
        record.measured.lag = times();
        (0..200).for_each(|_| record.measured.lag.saturating_record(1000));
        (0..3).for_each(|_| record.measured.lag.saturating_record(30_000_000));
    }));
    assert!(told[0].starts_with("send-lag: part 2: "), "{told:?}");
    let told = reasons(changed(|record| {
        record.measured.interrupted = true;
        record.measured.seconds = 0.2;
    }));
    assert!(
        told[0].starts_with("interrupted: part 2: ended by a signal after 0.2 s"),
        "{told:?}"
    );
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let mut parts = some();
    parts[1].head.plan["start_at"] = "2027-03-01T12:00:05Z".into();
    parts[1].head.plan_hash = Some("other".into());
    let told = refused(parts);
    assert!(
        told.contains("start_at: \"2027-03-01T12:00:00Z\", and \"2027-03-01T12:00:05Z\""),
        "{told}"
    );
    let mut parts = some();
    parts[1].head.seed = 8;
    assert!(refused(parts).contains("seed: 7, and 8"));
    let mut parts = some();
    parts[1] = parts[0].clone();
    assert!(refused(parts).contains("the same part is there twice"));
    let mut parts = some();
    parts[0].json["part"]["measured"]["windows"]
        .as_array_mut()
        .unwrap()
        .pop();
    assert!(refused(parts).contains("it has 9 windows, and its plan 10"));
    let mut parts = some();
    parts[0].json["part"]["measured"]["lag"] = "AAAA".into();
    let told = merged(parts).unwrap_err();
    assert!(matches!(told, MergeError::Unfit { .. }));
    assert!(
        told.to_string().contains("a histogram cannot be read"),
        "{told}"
    );
    let text = as_json::render(&report(
        load(summarize(&workload(), &measured(&[], None)), None),
        plan(None),
    ));
    let told = PartReport::of_json(Path::new("x.json"), &text).unwrap_err();
    assert!(told.contains("a whole load and no part of one"), "{told}");
}
