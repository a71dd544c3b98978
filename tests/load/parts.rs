//! A load in several parts: processes that agree on a start, and the whole that their reports are merged into.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::Signal;
use serde_json::Value;

use super::Loaded;
use crate::support::skip::is_thorough;
use crate::support::{Bench, Ended, Running, data, program, until};

/// A reference server that the test starts, not tcprove. Dropping it kills the server.
pub(crate) struct Elsewhere {
    child: Child,
    pub(crate) address: String,
}

impl Elsewhere {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(program())
            .args(["serve", "--port", "0", "--protocol", "line"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let address = line.trim().rsplit(' ').next().unwrap().to_owned();
        Self { child, address }
    }

    pub(super) fn pid(&self) -> String {
        self.child.id().to_string()
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// This time from now, in seconds since 1970.
pub(super) fn in_future(from_now: Duration) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    format!("{:.3}", (now + from_now).as_secs_f64())
}

/// A part that runs in a folder of its own, because each process has output of its own.
pub(super) struct Part {
    bench: Bench,
    running: Running,
}

/// A process that generates nothing.
pub(super) const OBSERVER: &str = "observer";

impl Part {
    pub(super) fn start(server: &Elsewhere, part: &str, start: &str, more: &[&str]) -> Self {
        Self::start_with(server, part, start, more, &[])
    }

    fn start_with(
        server: &Elsewhere,
        part: &str,
        start: &str,
        more: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        let bench = Bench::new();
        let mut command = bench.tcprove();
        command
            .args(["load", "--json", "part.json", "--no-progress", "--no-pin"])
            .args(["--talk", "line", "--connect", &server.address])
            .args(["-c", "5", "--warmup", "100ms"])
            .args(["--start-at", start])
            .args(match part {
                OBSERVER => vec!["--observe"],
                part => vec!["--part", part],
            })
            .args(more)
            .envs(variables.iter().copied());
        let running = bench.start(command);
        Self { bench, running }
    }

    /// Waits until it waits for the start.
    pub(super) fn is_ready(&self) {
        until("the part waits", || {
            self.running.stderr().contains("The load starts at")
        });
    }

    pub(super) fn end(self) -> (Bench, Ended) {
        (self.bench, self.running.end())
    }
}

pub(super) const OPEN: [&str; 4] = ["--rate", "400", "--duration", "1s"];

/// Ends the parts and merges what reports they left.
pub(super) fn merged(parts: Vec<Part>) -> (Loaded, Bench, Vec<Value>) {
    let all = Bench::new();
    let mut names = Vec::new();
    for (number, part) in parts.into_iter().enumerate() {
        let (bench, ended) = part.end();
        let name = format!("part-{number}.json");
        match std::fs::copy(bench.path("part.json"), all.path(&name)) {
            Ok(_) => names.push(name),
            Err(_) => assert_eq!(ended.code, None, "{}", ended.all()),
        }
    }
    let reports = names.iter().map(|name| all.json(name)).collect();
    let files = names.iter().map(String::as_str).rev();
    let formats = [
        "--json",
        "all.json",
        "--junit",
        "all.xml",
        "--markdown",
        "all.md",
        "--html",
        "all.html",
    ];
    let ended = all.run(["merge"].into_iter().chain(files).chain(formats));
    let report = all.json("all.json");
    (Loaded { ended, report }, all, reports)
}

/// Runs the parts again, with more time to start, as long as the machine is too slow for that.
pub(super) fn in_time(parts: impl Fn(&str) -> Vec<Part>) -> (Loaded, Bench, Vec<Value>) {
    for seconds in [4, 10, 30] {
        let start = in_future(Duration::from_secs(seconds));
        let (loaded, bench, reports) = merged(parts(&start));
        // A part that came after the end has not run.
        let has_run = loaded.ended.code != Some(2);
        if has_run && !loaded.reasons().contains(&"started-late".to_owned()) {
            return (loaded, bench, reports);
        }
    }
    panic!("the parts did not start within 30 s");
}

pub(super) fn ops(report: &Value) -> u64 {
    report["metrics"]["ops"].as_u64().unwrap()
}

#[test]
fn two_parts_are_merged_into_one_load() {
    let server = Elsewhere::start(&[]);
    let shared = Bench::new();
    let folder = shared.path(".").display().to_string();
    let (merged, bench, parts) = in_time(|start| {
        let more = [&OPEN[..], &["--arrivals", "poisson", "--shared", &folder]].concat();
        let by_scheduler = [("SLURM_PROCID", "1"), ("SLURM_NTASKS", "2")];
        vec![
            Part::start(
                &server,
                "1/2",
                start,
                &[&more[..], &["--pid", &server.pid()]].concat(),
            ),
            Part::start_with(&server, "auto", start, &more, &by_scheduler),
        ]
    });
    merged.assert_sound();
    assert_eq!(ops(&merged.report), ops(&parts[0]) + ops(&parts[1]));
    assert_eq!(merged.metric("connects"), 5.0);
    assert!(merged.metric("server_cpu_us_per_op") > 0.0);
    let summary = &merged.report["parts"];
    assert_eq!(
        (&summary["count"], &summary["server_from"]),
        (&2.into(), &1.into())
    );
    assert!(summary["clocks_apart_us"].as_f64().unwrap() > 0.0);
    // The whole is the plan of the seed, whose arrivals are known.
    let seed = merged.report["seed"].as_u64().unwrap();
    let counted = merged.report["metrics"]["response_us"]["count"]
        .as_u64()
        .unwrap();
    assert_eq!(counted, planned(seed, 400.0, 0.1, 1.0).len() as u64);
    for (file, words) in [
        ("all.xml", "testsuite"),
        ("all.md", "merged from 2"),
        ("all.html", "merged from 2"),
    ] {
        assert!(bench.read(file).contains(words), "{file}");
    }
    assert!(
        merged.ended.stdout.contains("server measured by part 1"),
        "{}",
        merged.ended.all()
    );
    // What does not belong together.
    let refused = |files: [&str; 2], told: &str| {
        let ended = bench.run(["merge", files[0], files[1]]);
        assert_eq!(ended.code, Some(2), "{}", ended.all());
        assert!(ended.stderr.contains(told), "{}", ended.all());
    };
    refused(
        ["part-0.json", "part-0.json"],
        "the same part is there twice",
    );
    refused(
        ["part-0.json", "all.json"],
        "a whole load and no part of one",
    );
    let other = bench
        .read("part-1.json")
        .replace("\"rate\": 400.0", "\"rate\": 500.0");
    let hash = merged.report["plan_hash"].as_str().unwrap();
    bench.write("other.json", &other.replace(hash, "0123456789abcdef"));
    refused(["part-0.json", "other.json"], "pace.rate: 400.0, and 500.0");
}

/// The due times of the measured period, in nanoseconds from the start of the warm-up.
pub(crate) fn planned(seed: u64, rate: f64, warmup_s: f64, duration_s: f64) -> Vec<u64> {
    use tcprove::load::Arrivals;
    use tcprove::load::pacer::{Pacer, Segment};
    let flat = |seconds| Segment {
        seconds,
        from: rate,
        to: rate,
    };
    let segments = vec![flat(warmup_s), flat(duration_s)];
    let mut pacer = Pacer::new(segments, Arrivals::Poisson, 0, 1, seed);
    let due = std::iter::from_fn(|| pacer.next());
    due.filter(|due| *due >= (warmup_s * 1e9) as u64).collect()
}

#[test]
fn a_closed_loop_divides_its_connections() {
    if !is_thorough() {
        return;
    }
    let server = Elsewhere::start(&[]);
    let (merged, ..) = in_time(|start| {
        let more = ["--duration", "600ms"];
        vec![
            Part::start(&server, "1/2", start, &more),
            Part::start(&server, "2/2", start, &more),
        ]
    });
    // Two processes on one machine disturb each other; the closed loops may not be stationary.
    assert_eq!(merged.metric("connects"), 5.0, "{}", merged.ended.all());
    assert_eq!(merged.metric("wrong_replies"), 0.0);
    let text = &merged.ended.stdout;
    assert!(
        text.contains("5 connections, closed loop") && text.contains("not measured by any part"),
        "{text}"
    );
}

#[test]
fn a_part_that_is_killed_or_late_makes_the_load_invalid() {
    if !is_thorough() {
        return;
    }
    let server = Elsewhere::start(&[]);
    let start = in_future(Duration::from_secs(12));
    let parts = ["1/2", "2/2"].map(|part| Part::start(&server, part, &start, &OPEN));
    parts[1].is_ready();
    parts[1].running.signal(Signal::KILL);
    let (merged_load, ..) = merged(parts.into());
    assert_eq!(
        merged_load.ended.code,
        Some(5),
        "{}",
        merged_load.ended.all()
    );
    assert_eq!(merged_load.reasons()[0], "parts-missing");
    assert!(
        merged_load
            .ended
            .stdout
            .contains("part 2 of 2 left no report"),
        "{}",
        merged_load.ended.all()
    );
    // Both begin when they should have begun already.
    let start = in_future(Duration::ZERO);
    let long = ["--rate", "100", "--duration", "4s"];
    let parts = ["1/2", "2/2"].map(|part| Part::start(&server, part, &start, &long));
    let (late, ..) = merged(parts.into());
    assert_eq!(late.ended.code, Some(5), "{}", late.ended.all());
    assert!(
        late.ended
            .stdout
            .contains("started-late: part 1 (and 1 more): "),
        "{}",
        late.ended.all()
    );
}

/// A clock that is ahead by as many milliseconds as a variable says, for one process.
pub(crate) fn clock_ahead(bench: &Bench) -> Option<String> {
    let library = bench.path("clock_ahead.so").display().to_string();
    let source = data("scale/clock_ahead.c");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o", &library, &source])
        .status();
    if !built.is_ok_and(|status| status.success()) {
        crate::support::skip::needs("cc");
        return None;
    }
    Some(library)
}

#[test]
fn a_part_whose_clock_is_off_makes_the_load_invalid() {
    if !is_thorough() {
        return;
    }
    let shared = Bench::new();
    let Some(library) = clock_ahead(&shared) else {
        return;
    };
    let server = Elsewhere::start(&[]);
    let start = in_future(Duration::from_secs(3));
    let folder = shared.path(".").display().to_string();
    let more = [&OPEN[..], &["--shared", &folder]].concat();
    let off = [("LD_PRELOAD", library.as_str()), ("CLOCK_AHEAD_MS", "60")];
    let parts = vec![
        Part::start(&server, "1/2", &start, &more),
        Part::start_with(&server, "2/2", &start, &more, &off),
    ];
    let (merged, ..) = merged(parts);
    assert_eq!(merged.ended.code, Some(5), "{}", merged.ended.all());
    assert!(
        merged.reasons().contains(&"clocks-differ".to_owned()),
        "{}",
        merged.ended.all()
    );
    assert!(
        merged.ended.stdout.contains("the clock of part 2 is"),
        "{}",
        merged.ended.all()
    );
}

#[test]
fn parts_that_make_no_sense_are_explained() {
    let bench = Bench::new();
    let refused = |more: &[&str], told: &str| {
        let base = ["load", "--talk", "line", "--connect", "127.0.0.1:9"];
        let ended = bench.run(base.iter().chain(more));
        assert_eq!(ended.code, Some(2), "{}", ended.all());
        assert!(ended.stderr.contains(told), "{told}: {}", ended.all());
    };
    let start = in_future(Duration::from_secs(60));
    refused(&["--part", "1/2"], "--start-at");
    refused(&["--start-at", &start], "--part");
    refused(&["--observe", "--start-at", &start], "--pid");
    refused(
        &[
            "--observe",
            "--part",
            "1/2",
            "--start-at",
            &start,
            "--pid",
            "1",
        ],
        "cannot be used with",
    );
    refused(
        &["--part", "1/2", "--start-at", "+20s"],
        "another one in each part",
    );
    refused(&["--part", "3/2", "--start-at", &start], "1 <= I <= N");
    refused(
        &["--part", "1/2", "--start-at", &start, "--slo", "p99<5ms"],
        "cannot be used with",
    );
    refused(
        &["--part", "1/2", "--start-at", &start, "-c", "1"],
        "at least 2 connections",
    );
    refused(
        &["--part", "1/2", "--start-at", &start, "--shared", "absent"],
        "no such folder",
    );
    refused(
        &["--part", "1/2", "--start-at", "2001-01-01T00:00:00Z"],
        "over by now",
    );
    let ended = bench.run(["load", "--embedded", "--part", "1/2", "--start-at", &start]);
    assert_eq!(ended.code, Some(2), "{}", ended.all());
    assert!(
        ended.stderr.contains("a server of its own"),
        "{}",
        ended.all()
    );
}
