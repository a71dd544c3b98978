//! `selftest --gate`: gates with a known answer, to count false alarms and missed regressions.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::SelftestArgs;
use crate::cli::output::{note, say};
use crate::cli::place::replace;
use crate::cli::{embedded, gate as command, interrupt};
use crate::gate::trials::{GateTrial, TrialRow, table};
use crate::gate::{Gate, GatePlan, GateRequest, GateResult, MAX_TIME, Pair, pad_both};
use crate::load::Workload;
use crate::report::RunError;
use crate::subject::{Interrupt, Subject};

/// Time to start and stop two reference servers.
const OVERHEAD: Duration = Duration::from_millis(25);
/// Planted regressions in percent, and after how many gates of the server with itself each comes once.
const PLANTED: [(f64, usize); 2] = [(3.0, 2), (2.0, 3)];

pub(super) fn main(args: &SelftestArgs) -> ExitCode {
    let interrupt = match interrupt::watch() {
        Ok(interrupt) => interrupt,
        Err(error) => return refused(&error),
    };
    note(
        "gates of the reference server (line, tokio-multi) against itself and against a slower one",
    );
    let mut trials: Vec<GateTrial> = Vec::new();
    for (place, planted) in order(args.trials).into_iter().enumerate() {
        if interrupt.is_set() {
            break;
        }
        let trial = match trial(args, planted, place as u64, &interrupt) {
            Ok(trial) => trial,
            Err(error) => return refused(&error),
        };
        if !interrupt.is_set() {
            announce(&trial);
            trials.push(trial);
            if let Err(error) = write(args, &trials) {
                return refused(&error);
            }
        }
    }
    show(&table(&trials));
    conclude(&trials, &interrupt)
}

/// The planted regression of each gate, in percent: mostly 0, the others spread evenly between them.
fn order(same: usize) -> Vec<f64> {
    let mut order = Vec::new();
    for number in 1..=same {
        order.push(0.0);
        let due = PLANTED
            .iter()
            .filter(|(_, every)| number.is_multiple_of(*every));
        order.extend(due.map(|(planted, _)| *planted));
    }
    order
}

/// The reference server with CPU time increased by this many percent.
fn server(slower: f64, seed: u64) -> Result<Subject, RunError> {
    let params = BTreeMap::from([("slower".to_owned(), slower.to_string())]);
    Ok(embedded::with(&params, seed)?.subject)
}

fn trial(
    args: &SelftestArgs,
    planted: f64,
    seed: u64,
    interrupt: &Interrupt,
) -> Result<GateTrial, RunError> {
    let mut base = server(0.0, seed)?;
    let mut candidate = server(planted, seed)?;
    let workload = Workload {
        connections: 1,
        turns: (0..base.talk.turns.len()).collect(),
        seed,
        ..Workload::default()
    };
    let begun = Instant::now();
    pad_both(&mut base, &mut candidate).map_err(|error| RunError::internal(error.to_string()))?;
    // Counting instructions would detect any planted work at once, so only the duet is tested with it.
    let counts = planted == 0.0;
    let request = GateRequest {
        budgets: BTreeMap::new(),
        workload,
        cells: Vec::new(),
        max_time: args.max_time.unwrap_or(MAX_TIME),
        exchange: Duration::ZERO,
        counts,
        sessions: None,
    };
    let plan = GatePlan::new(request, OVERHEAD).map_err(|error| command::too_short(&error))?;
    let gate = Gate {
        subjects: Pair {
            base: &base,
            candidate: &candidate,
        },
        plan: &plan,
        begun,
        interrupt,
        sink: &|_| {},
    };
    let mut result = GateResult::default();
    gate.run(&mut result);
    let seconds = begun.elapsed().as_secs_f64();
    Ok(GateTrial::of(planted, &result, seconds))
}

fn announce(trial: &GateTrial) {
    let number =
        |value: Option<f64>| value.map_or_else(|| "-".into(), |value| format!("{value:+.2}"));
    let names = |metrics: &[crate::gate::Metric]| {
        metrics
            .iter()
            .map(|metric| metric.name())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let why = if trial.void {
        "void".into()
    } else if trial.failed_by.is_empty() {
        names(&trial.open)
    } else {
        names(&trial.failed_by)
    };
    note(&format!(
        "planted {:.1} %: {:<12} {why}; measured {} %, control {} %, base {:.2} µs, {:.1} s",
        trial.planted_pct,
        format!("{:?}", trial.verdict).to_lowercase(),
        number(trial.seen_pct),
        number(trial.control_pct),
        trial.base_us.unwrap_or(f64::NAN),
        trial.seconds,
    ));
}

/// Writes the results after every gate, so that an interrupt loses none.
fn write(args: &SelftestArgs, trials: &[GateTrial]) -> Result<(), RunError> {
    let Some(path) = &args.json else {
        return Ok(());
    };
    let whole = serde_json::json!({ "rows": table(trials), "trials": trials });
    let text = serde_json::to_string_pretty(&whole).unwrap_or_default();
    replace(path, text.as_bytes()).map_err(|error| {
        RunError::usage(format!(
            "--json {} cannot be written: {error}",
            path.display()
        ))
    })
}

fn show(rows: &[TrialRow]) {
    let rate = |interval: &Option<crate::stats::Interval>| {
        interval.map_or_else(String::new, |rate| {
            format!("{:.1} % [{:.1}, {:.1}]", rate.estimate, rate.low, rate.high)
        })
    };
    say(&format!(
        "{:<8} {:>5} {:>5} {:>5} {:>5} {:>5}  {:<22} {:<22} {:>8} {:>7} {:>8}",
        "planted",
        "runs",
        "fail",
        "pass",
        "open",
        "void",
        "fails",
        "passes",
        "measured",
        "spread",
        "longest"
    ));
    for row in rows {
        say(&format!(
            "{:<8} {:>5} {:>5} {:>5} {:>5} {:>5}  {:<22} {:<22} {:>6.2} % {:>5.2} % {:>6.1} s",
            format!("{:.1} %", row.planted_pct),
            row.runs,
            row.failed,
            row.passed,
            row.inconclusive - row.void.min(row.inconclusive),
            row.void,
            rate(&row.fails_pct),
            rate(&row.passes_pct),
            row.seen_pct.unwrap_or(f64::NAN),
            row.spread_pct.unwrap_or(f64::NAN),
            row.seconds_max,
        ));
    }
    let _ = std::io::stdout().flush();
}

/// Fails if false alarms are too frequent, or if most gates miss a regression of 3 %.
fn conclude(trials: &[GateTrial], interrupt: &Interrupt) -> ExitCode {
    let rows = table(trials);
    let alarms = rows
        .iter()
        .filter(|row| row.planted_pct == 0.0)
        .map(|row| row.failed)
        .sum::<usize>();
    let same = rows
        .iter()
        .find(|row| row.planted_pct == 0.0)
        .map_or(0, |row| row.runs);
    let blind = rows
        .iter()
        .any(|row| row.planted_pct >= 3.0 && 2 * row.failed < row.runs);
    if interrupt.is_set() {
        return ExitCode::from(130);
    }
    if trials.is_empty() {
        ExitCode::from(4)
    } else if alarms * 30 > same || blind {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    }
}

fn refused(error: &RunError) -> ExitCode {
    note(&format!("error: {}", error.message));
    error.exit_code().into()
}
