//! Gates whose answer is known: how often they raise a false alarm, and how often they miss a loss.

use crate::cli::place::replace;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::SelftestArgs;
use crate::cli::output::{note, say};
use crate::cli::{embedded, gate as command, interrupt};
use crate::gate::trials::{Row, Trial, table};
use crate::gate::{Asked, Gate, GatePlan, GateResult, MAX_TIME};
use crate::load::Workload;
use crate::report::RunError;
use crate::subject::{Interrupt, Subject};

/// What it takes to start and end two reference servers.
const OVERHEAD: Duration = Duration::from_millis(25);
/// Losses that are planted, in percent, each in one of so many gates of a server with itself.
const PLANTED: [(f64, usize); 2] = [(3.0, 2), (2.0, 3)];

pub(super) fn main(args: &SelftestArgs) -> ExitCode {
    let interrupt = match interrupt::watch() {
        Ok(interrupt) => interrupt,
        Err(error) => return refused(&error),
    };
    note("gates of the reference server (line, tokio-multi), with itself and with a slower one");
    let mut trials: Vec<Trial> = Vec::new();
    for (place, planted) in order(args.trials).into_iter().enumerate() {
        if interrupt.is_set() {
            break;
        }
        let trial = match trial(args, planted, place as u64, &interrupt) {
            Ok(trial) => trial,
            Err(error) => return refused(&error),
        };
        if !interrupt.is_set() {
            told(&trial);
            trials.push(trial);
            if let Err(error) = write(args, &trials) {
                return refused(&error);
            }
        }
    }
    show(&table(&trials));
    conclude(&trials, &interrupt)
}

/// What is planted in each gate: those of a server with itself, with the others spread between them.
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

/// One that uses so many percent more CPU time than it has to.
fn server(slower: f64, seed: u64) -> Result<Subject, RunError> {
    let params = BTreeMap::from([("slower".to_owned(), slower.to_string())]);
    Ok(embedded::with(&params, seed)?.subject)
}

fn trial(
    args: &SelftestArgs,
    planted: f64,
    seed: u64,
    interrupt: &Interrupt,
) -> Result<Trial, RunError> {
    let mut base = server(0.0, seed)?;
    let mut candidate = server(planted, seed)?;
    let workload = Workload {
        connections: 1,
        turns: (0..base.talk.turns.len()).collect(),
        seed,
        ..Workload::default()
    };
    let begun = Instant::now();
    command::pad_both(&mut base, &mut candidate)?;
    // What counts instructions would find any planted work at once: only the duet is put to the proof by it.
    let counts = planted == 0.0;
    let asked = Asked {
        budgets: BTreeMap::new(),
        workload,
        cells: Vec::new(),
        max_time: args.max_time.unwrap_or(MAX_TIME),
        counts,
        sessions: None,
    };
    let plan = GatePlan::new(asked, OVERHEAD).map_err(|error| command::too_short(&error))?;
    let gate = Gate {
        base: &base,
        candidate: &candidate,
        plan: &plan,
        begun,
        interrupt,
        sink: &|_| {},
    };
    let mut result = GateResult::default();
    gate.run(&mut result);
    let seconds = begun.elapsed().as_secs_f64();
    Ok(Trial::of(planted, &result, seconds))
}

fn told(trial: &Trial) {
    let number =
        |value: Option<f64>| value.map_or_else(|| "-".into(), |value| format!("{value:+.2}"));
    let names = |metrics: &[crate::gate::Metric]| {
        metrics
            .iter()
            .map(|metric| metric.name())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let why = match (trial.void, trial.failed_by.is_empty()) {
        (true, _) => "void".into(),
        (_, false) => names(&trial.failed_by),
        _ => names(&trial.open),
    };
    note(&format!(
        "planted {:.1} %: {:<12} {why}; saw {} %, control {} %, base {:.2} us, {:.1} s",
        trial.planted_pct,
        format!("{:?}", trial.verdict).to_lowercase(),
        number(trial.seen_pct),
        number(trial.control_pct),
        trial.base_us.unwrap_or(f64::NAN),
        trial.seconds,
    ));
}

/// After every gate, so that an end loses none.
fn write(args: &SelftestArgs, trials: &[Trial]) -> Result<(), RunError> {
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

fn show(rows: &[Row]) {
    let rate = |interval: &Option<crate::stats::Interval>| {
        interval.map_or_else(String::new, |rate| {
            format!("{:.1} % [{:.1}, {:.1}]", rate.estimate, rate.low, rate.high)
        })
    };
    say(&format!(
        "{:<8} {:>5} {:>5} {:>5} {:>5} {:>5}  {:<22} {:<22} {:>7} {:>7} {:>8}",
        "planted",
        "runs",
        "fail",
        "pass",
        "open",
        "void",
        "fails",
        "passes",
        "seen",
        "spread",
        "longest"
    ));
    for row in rows {
        say(&format!(
            "{:<8} {:>5} {:>5} {:>5} {:>5} {:>5}  {:<22} {:<22} {:>5.2} % {:>5.2} % {:>6.1} s",
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

/// A false alarm is a failure of the gate, and so is a loss of 3 % that most gates let pass.
fn conclude(trials: &[Trial], interrupt: &Interrupt) -> ExitCode {
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
    match (trials.is_empty(), alarms * 30 > same || blind) {
        (true, _) => ExitCode::from(4),
        (_, true) => ExitCode::from(1),
        _ => ExitCode::SUCCESS,
    }
}

fn refused(error: &RunError) -> ExitCode {
    note(&format!("error: {}", error.message));
    error.exit_code().into()
}
