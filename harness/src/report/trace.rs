//! A trace for ui.perfetto.dev and chrome://tracing: when each check ran, who did what in those that fell short, how a load went,
//! and when a campaign first saw its findings.
//!
//! Chrome's Trace Event Format, JSON object form. A process (`pid`) is a group of rows, a thread (`tid`) a row, `X` a span with a
//! duration, `i` a moment, `C` a figure over time, `M` a name. Times (`ts`, `dur`) are microseconds.

use std::time::Duration;

use serde_json::{Value, json};

use super::junit::lines as clean;
use super::{Body, CheckReport, FuzzReport, LoadReport, Report};
use crate::check::{Outcome, Verdict};
use crate::data::{Action, Actor};

/// The group of the battery, the load or the campaign as a whole; each check that fell short has a group of its own after it.
const WHOLE: usize = 1;
/// The row of what a check does beside its connections.
const CHECK_ROW: usize = 1;
/// The row of the server.
const SERVER_ROW: usize = 2;
/// Connection N has the row `CONNECTION_ROWS + N`.
const CONNECTION_ROWS: usize = 10;

/// Renders a trace.
pub(crate) fn render(report: &Report) -> String {
    let mut trace = Trace::default();
    match &report.body {
        Body::Check(checked) => battery(&mut trace, checked),
        // When the campaign began, in the time of the battery, is not known.
        Body::Run(whole) => battery(&mut trace, &whole.checked),
        Body::Load(load) => windows(&mut trace, load),
        Body::Fuzz(fuzz) => sightings(&mut trace, fuzz),
        _ => {}
    }
    let trace = json!({
        "displayTimeUnit": "ms",
        "otherData": {
            "tcprove": report.header.environment.tcprove,
            "command": report.header.command,
            "run_id": report.header.run_id,
            "seed": report.header.seed,
        },
        "traceEvents": trace.events,
    });
    super::json::harmless(&format!("{trace:#}\n"))
}

/// The events so far.
#[derive(Default)]
struct Trace {
    events: Vec<Value>,
}

/// A row of a group.
#[derive(Clone, Copy)]
struct Row {
    group: usize,
    row: usize,
}

impl Trace {
    /// Names a group of rows.
    fn group(&mut self, group: usize, name: &str) {
        self.name(
            "process_name",
            Row { group, row: 0 },
            &json!(clean(name)),
            "name",
        );
        let order = Row { group, row: 0 };
        self.name("process_sort_index", order, &json!(group), "sort_index");
    }

    /// Names a row. Rows have the order of their numbers.
    fn row(&mut self, row: Row, name: &str) {
        self.name("thread_name", row, &json!(clean(name)), "name");
        self.name("thread_sort_index", row, &json!(row.row), "sort_index");
    }

    fn name(&mut self, what: &str, at: Row, value: &Value, key: &str) {
        self.events.push(json!({
            "ph": "M", "name": what, "ts": 0, "pid": at.group, "tid": at.row, "args": { key: value },
        }));
    }

    fn span(&mut self, at: Row, name: &str, from: Micros, to: Micros, args: Value) {
        self.events.push(json!({
            "ph": "X", "name": clean(name), "ts": from, "dur": to.saturating_sub(from),
            "pid": at.group, "tid": at.row, "args": args,
        }));
    }

    fn moment(&mut self, at: Row, name: &str, ts: Micros, args: Value) {
        self.events.push(json!({
            "ph": "i", "s": "t", "name": clean(name), "ts": ts, "pid": at.group, "tid": at.row,
            "args": args,
        }));
    }

    fn figure(&mut self, name: &str, ts: Micros, value: f64) {
        self.events.push(json!({
            "ph": "C", "name": name, "ts": ts, "pid": WHOLE, "tid": 0, "args": { name: value },
        }));
    }
}

/// Microseconds since the first check, the first window or the start of the campaign.
type Micros = u64;

fn micros(duration: Duration) -> Micros {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn of_seconds(seconds: f64) -> Micros {
    (seconds * 1e6).round() as Micros
}

/// Every attempt of every check, and a group for each check that fell short.
fn battery(trace: &mut Trace, checked: &CheckReport) {
    trace.group(WHOLE, "checks");
    let mut attempts: Vec<(Micros, Micros, &Outcome)> = Vec::new();
    for outcome in &checked.outcomes {
        attempts.extend(outcome.ran.iter().map(|ran| {
            let from = micros(ran.begin);
            (from, from + micros(ran.took), outcome)
        }));
    }
    attempts.sort_by_key(|(from, to, outcome)| (*from, *to, outcome.id));
    // Checks that ran at the same time lie in rows of their own: spans of a row must not overlap.
    let mut free_from: Vec<Micros> = Vec::new();
    for (from, to, outcome) in attempts {
        let free = free_from.iter().position(|free| *free <= from);
        let lane = free.unwrap_or_else(|| {
            free_from.push(0);
            free_from.len() - 1
        });
        free_from[lane] = to;
        let at = Row {
            group: WHOLE,
            row: lane + 1,
        };
        trace.span(at, outcome.id, from, to, about(outcome));
    }
    for lane in 1..=free_from.len() {
        let at = Row {
            group: WHOLE,
            row: lane,
        };
        trace.row(at, &format!("lane {lane}"));
    }
    let fell_short = checked.outcomes.iter();
    let fell_short = fell_short.filter(|outcome| !outcome.transcript.is_empty());
    for (number, outcome) in fell_short.enumerate() {
        steps(trace, WHOLE + 1 + number, outcome);
    }
}

fn about(outcome: &Outcome) -> Value {
    let mut about = json!({ "verdict": outcome.word(), "group": outcome.group });
    let texts = [
        ("expected", &outcome.expected),
        ("actual", &outcome.actual),
        ("reason", &outcome.reason),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            about[name] = json!(clean(text));
        }
    }
    if outcome.outcome == Verdict::Fail {
        about["reproduce"] = json!(clean(&outcome.reproduce));
    }
    about
}

/// Who did what in the attempt that fell short: a row for each connection, one for the server, one for the check.
fn steps(trace: &mut Trace, group: usize, outcome: &Outcome) {
    trace.group(group, &format!("{} ({})", outcome.id, outcome.word()));
    let steps = &outcome.transcript;
    let all: Vec<&Action> = steps.first.iter().chain(&steps.last).collect();
    let last_step = all.iter().map(|step| of_seconds(step.at_ms / 1e3)).max();
    let last_step = last_step.unwrap_or_default();
    // The attempt that has these steps: a later one that passed may have been shorter.
    let attempts = outcome.ran.iter().rev();
    let attempt = attempts
        .map(|ran| (micros(ran.begin), micros(ran.took)))
        .find(|(_, took)| *took >= last_step);
    let (begin, took) = attempt.unwrap_or((0, last_step));
    let end = begin + took.max(last_step);
    let at = |row| Row { group, row };
    let when = |step: &Action| begin + of_seconds(step.at_ms / 1e3);

    trace.row(at(CHECK_ROW), "check");
    trace.row(at(SERVER_ROW), "server");
    trace.span(at(CHECK_ROW), outcome.id, begin, end, about(outcome));
    connections(trace, group, &all, &when);
    for step in &all {
        let args = json!({ "connection": step.connection, "times": step.times });
        match step.by {
            Actor::Server => trace.moment(at(SERVER_ROW), &step.phrase(), when(step), args),
            Actor::Check => trace.moment(at(CHECK_ROW), &step.phrase(), when(step), args),
            Actor::Client => {}
        }
    }
    if steps.left_out > 0 {
        let from = steps.first.last().map_or(begin, &when);
        let text = format!("{} steps are not kept", steps.left_out);
        trace.moment(at(CHECK_ROW), &text, from, json!({}));
    }
    let printed = outcome.evidence.get("stderr").and_then(Value::as_array);
    for line in printed.into_iter().flatten().filter_map(Value::as_str) {
        // When a line was printed is not known.
        let args = json!({ "time": "not known: shown at the end of the attempt" });
        trace.moment(at(SERVER_ROW), &format!("stderr: {line}"), end, args);
    }
    if let Some(actual) = &outcome.actual {
        trace.moment(
            at(SERVER_ROW),
            actual,
            end,
            json!({ "seen by": "the check" }),
        );
    }
}

/// A row for each connection: a span for all of it, and inside one for each step of the client, until the next step there.
fn connections(trace: &mut Trace, group: usize, all: &[&Action], when: &dyn Fn(&Action) -> Micros) {
    let mut numbers: Vec<u32> = all.iter().map(|step| step.connection).collect();
    numbers.sort_unstable();
    numbers.dedup();
    for number in numbers.into_iter().filter(|number| *number > 0) {
        let of_this = all.iter().filter(|step| step.connection == number);
        let of_this: Vec<&&Action> = of_this.collect();
        let (Some(first), Some(last)) = (of_this.first(), of_this.last()) else {
            continue;
        };
        let at = Row {
            group,
            row: CONNECTION_ROWS + number as usize,
        };
        let name = format!("connection {number}");
        trace.row(at, &name);
        trace.span(at, &name, when(first), when(last), json!({}));
        for (place, step) in of_this.iter().enumerate() {
            if step.by != Actor::Client {
                continue;
            }
            let next = of_this.get(place + 1).map_or(when(step), |next| when(next));
            let args = json!({ "times": step.times });
            trace.span(at, &step.phrase(), when(step), next, args);
        }
    }
}

/// The figures of each window of a load.
fn windows(trace: &mut Trace, load: &LoadReport) {
    trace.group(WHOLE, "load");
    for window in &load.result.intervals {
        let at = of_seconds(window.start_s);
        trace.figure("replies per second", at, window.ops_per_s);
        trace.figure("median response time, µs", at, window.p50_us);
        trace.figure(
            "99th percentile of the response time, µs",
            at,
            window.p99_us,
        );
    }
}

/// When each finding was first seen.
fn sightings(trace: &mut Trace, fuzz: &FuzzReport) {
    trace.group(WHOLE, "campaign");
    let at = Row {
        group: WHOLE,
        row: 1,
    };
    trace.row(at, "findings");
    for finding in &fuzz.result.findings {
        let args = json!({
            "title": clean(&finding.symptom.title),
            "confirmed": finding.confirmed.to_string(),
            "reproduce": clean(&finding.reproduce),
        });
        trace.moment(at, &finding.id, of_seconds(finding.first_seen_s), args);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::fuzz::FindingKind;
    use crate::report::sample::{HOSTILE, campaign, finding, loaded, replay};
    use crate::report::sample_check::checked_in_full;

    fn events(report: &Report) -> Vec<Value> {
        let text = render(report);
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{HOSTILE:?} is raw");
        let trace: Value = serde_json::from_str(&text).unwrap();
        trace["traceEvents"].as_array().unwrap().clone()
    }

    /// What both viewers need of an event, and that the spans of a row lie beside or inside each other.
    fn assert_sound(events: &[Value]) {
        let mut rows: BTreeMap<(u64, u64), Vec<(u64, u64)>> = BTreeMap::new();
        let mut named = Vec::new();
        for event in events {
            let phase = event["ph"].as_str().unwrap();
            assert!(!event["name"].as_str().unwrap().is_empty(), "{event}");
            let number = |key: &str| {
                event[key]
                    .as_u64()
                    .unwrap_or_else(|| panic!("{key}: {event}"))
            };
            let (at, row) = (number("ts"), (number("pid"), number("tid")));
            match phase {
                "X" => rows.entry(row).or_default().push((at, at + number("dur"))),
                "i" => assert_eq!(event["s"], "t", "{event}"),
                "C" => assert!(
                    event["args"]
                        .as_object()
                        .unwrap()
                        .values()
                        .all(Value::is_f64)
                ),
                "M" => named.push((event["name"].as_str().unwrap().to_owned(), row)),
                other => panic!("phase {other}"),
            }
        }
        for (row, mut spans) in rows {
            assert!(named.contains(&("thread_name".to_owned(), row)), "{row:?}");
            // An outer span is before an inner one that begins at the same time.
            spans.sort_by_key(|(from, to)| (*from, u64::MAX - *to));
            let mut open: Vec<u64> = Vec::new();
            for (from, to) in spans {
                while open.last().is_some_and(|end| *end <= from) {
                    open.pop();
                }
                let around = open.last().copied().unwrap_or(u64::MAX);
                assert!(to <= around, "{row:?}: {from} to {to} ends after {around}");
                open.push(to);
            }
        }
    }

    #[test]
    fn spans_are_nested_and_every_row_has_a_name() {
        for report in [
            checked_in_full(),
            loaded(true),
            campaign(vec![finding(FindingKind::Crash, 5, None)]),
            replay(),
        ] {
            assert_sound(&events(&report));
        }
    }

    #[test]
    fn checks_that_run_at_the_same_time_have_rows_of_their_own() {
        let mut report = checked_in_full();
        let Body::Check(checked) = &mut report.body else {
            panic!("a battery")
        };
        for outcome in &mut checked.outcomes {
            outcome.ran[0].begin = Duration::from_millis(5);
        }
        let checks = checked.outcomes.len();
        let events = events(&report);
        assert_sound(&events);
        let lanes = events
            .iter()
            .filter(|event| event["ph"] == "X" && event["pid"] == WHOLE)
            .map(|event| event["tid"].as_u64().unwrap());
        let lanes: std::collections::BTreeSet<u64> = lanes.collect();
        assert!(lanes.len() > 1 && lanes.len() <= checks, "{lanes:?}");
    }

    #[test]
    fn steps_are_where_and_when_they_were_taken() {
        let events = events(&checked_in_full());
        let named = |name: &str| {
            let found = events.iter().find(|event| {
                event["name"]
                    .as_str()
                    .is_some_and(|text| text.starts_with(name))
                    && event["ph"] != "M"
            });
            found.unwrap_or_else(|| panic!("no {name}")).clone()
        };
        let (connect, send) = (named("connect to"), named("send a b"));
        assert_eq!(send["tid"], CONNECTION_ROWS + 1);
        let waited = send["ts"].as_u64().unwrap() - connect["ts"].as_u64().unwrap();
        assert_eq!(waited, 11_800, "12.0 ms - 0.2 ms");
        assert_eq!(send["dur"], 1_000, "until the reply");
        assert_eq!(named("got ")["tid"], SERVER_ROW);
        assert_eq!(named("stderr: Traceback")["tid"], SERVER_ROW);
        assert_eq!(named("SIGTERM to process 7")["tid"], CHECK_ROW);
        assert_eq!(named("3 steps are not kept")["tid"], CHECK_ROW);
    }
}
