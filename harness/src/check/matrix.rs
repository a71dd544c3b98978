//! The fault matrix: runs the check named by each planted fault of the reference server.
//!
//! A fault counts as caught only if its check fails twice, for the planted reason, and the same check passes on the same server
//! without the fault.

use std::sync::Mutex;
use std::time::Duration;

use serde::Serialize;
use tcprove_server::fault::Fault;

use super::run::{Battery, MaxTime};
use super::{BATTERY, Check, Effort, Need, Outcome, Verdict, find};
use crate::subject::{Interrupt, Subject};

/// The result for one planted fault.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FaultRow {
    pub fault: &'static str,
    /// The check that must catch it.
    pub check: &'static str,
    /// The kind of failure that the check must report.
    pub planted: &'static str,
    /// The check's verdict and kind on the faulty server, or why there is none.
    pub seen: String,
    /// The check's verdict on the same server without the fault.
    pub sound: String,
    /// Whether the fault was caught for the planted reason, and the check passed without it.
    pub ok: bool,
    /// Whether the check applies to the server as it is reached; by plain TCP every check has to.
    pub applies: bool,
    /// How often the fault was tested, see [`TRIES`].
    pub tries: u32,
    /// Duration of all runs, in seconds.
    pub seconds: f64,
}

impl FaultRow {
    /// Whether another test can change nothing: the fault is caught, or its check does not apply here.
    fn is_settled(&self) -> bool {
        self.ok || !self.applies
    }
}

/// Builds the subject that runs `tcprove serve` with or without the fault.
pub(crate) type Serve<'a> = &'a (dyn Fn(&Fault, bool) -> Subject + Sync);

/// How long `--soak` lasts for a fault: its effect must show soon.
const SOAK: Duration = Duration::from_millis(4_500);

/// Number of faults tested concurrently. Most of the time is spent waiting for a faulty server.
const WORKERS: usize = 6;

/// How often a fault is tested until it is caught. Some need luck, such as a race that the scheduler decides, and a check needs
/// enough of the machine to judge: every further test runs alone, and is counted in the row.
const TRIES: u32 = 3;

/// Tests every fault. Calls `done` with each row as soon as it is complete.
pub(crate) fn run(
    faults: &[&'static Fault],
    serve: Serve<'_>,
    control: fn(&Check, &Subject) -> Option<Subject>,
    interrupt: &Interrupt,
    done: &(dyn Fn(&FaultRow) + Sync),
) -> Vec<FaultRow> {
    // Checks that measure time, CPU or memory run alone, after all others.
    let (alone, beside): (Vec<_>, Vec<_>) = faults.iter().copied().partition(|fault| {
        find(fault.caught_by).is_none_or(|check| check.runs == super::Runs::AloneOnMachine)
    });
    let queue = Mutex::new(beside);
    let tried = Mutex::new(Vec::new());
    let work = || {
        while let Some(fault) = queue.lock().ok().and_then(|mut queue| queue.pop()) {
            if interrupt.is_set() {
                break;
            }
            let row = row(fault, serve, control, interrupt);
            if row.is_settled() {
                done(&row);
            }
            if let Ok(mut tried) = tried.lock() {
                tried.push((fault, row));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(work);
        }
    });
    let tried = tried
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut rows = Vec::with_capacity(faults.len());
    let mut settle = |fault, mut last: FaultRow| {
        while !last.is_settled() && last.tries < TRIES && !interrupt.is_set() {
            let next = row(fault, serve, control, interrupt);
            last = FaultRow {
                tries: last.tries + 1,
                seconds: last.seconds + next.seconds,
                ..next
            };
        }
        done(&last);
        rows.push(last);
    };
    let (settled, missed): (Vec<_>, Vec<_>) =
        tried.into_iter().partition(|(_, row)| row.is_settled());
    for (fault, row) in missed {
        settle(fault, row);
    }
    for fault in alone {
        if interrupt.is_set() {
            break;
        }
        settle(fault, row(fault, serve, control, interrupt));
    }
    // Those were reported at once.
    rows.extend(settled.into_iter().map(|(_, row)| row));
    rows.sort_by_key(|row| super::all().position(|check| check.id == row.check));
    rows
}

fn row(
    fault: &'static Fault,
    serve: Serve<'_>,
    control: fn(&Check, &Subject) -> Option<Subject>,
    interrupt: &Interrupt,
) -> FaultRow {
    let begun = std::time::Instant::now();
    let faulty = checked(fault, serve(fault, true), control, interrupt);
    let sound = serve(fault, false);
    let is_plain = sound.origin.transport().describe().is_none();
    let sound = checked(fault, sound, control, interrupt);
    FaultRow {
        fault: fault.name,
        check: fault.caught_by,
        planted: fault.kind,
        ok: is_caught(&faulty, fault) && is_passed(&sound),
        applies: (is_plain && !depends_on_machine(fault)) || !is_skipped(&sound),
        seen: described(&faulty, fault),
        sound: described(&sound, fault),
        tries: 1,
        seconds: begun.elapsed().as_secs_f64(),
    }
}

/// Whether the check may not apply on some machines: they may lack an address family, or control groups.
fn depends_on_machine(fault: &Fault) -> bool {
    needs(fault, Need::Families) || needs(fault, Need::TaskLimit)
}

/// Whether the check that must catch this fault has this need.
pub(crate) fn needs(fault: &Fault, need: Need) -> bool {
    find(fault.caught_by).is_some_and(|check| check.needs.contains(&need))
}

/// The outcome of the fault's check on this server, or why there is none. A check that only runs with `--slow` or `--soak` gets
/// that.
fn checked(
    fault: &Fault,
    subject: Subject,
    control: fn(&Check, &Subject) -> Option<Subject>,
    interrupt: &Interrupt,
) -> Result<Outcome, String> {
    let check =
        find(fault.caught_by).ok_or_else(|| format!("there is no check {}", fault.caught_by))?;
    let mut battery = Battery {
        checks: vec![check],
        subject,
        control,
        waivers: Vec::new(),
        lanes: 1,
        battery: BATTERY,
        max_time: Some(MaxTime::Asked(Duration::from_secs(120))),
        effort: Effort::default(),
        reproduce: String::new(),
        command_by_hand: None,
        interrupt: interrupt.clone(),
    };
    let outcome = outcome(&battery)?;
    match outcome.enable[..] {
        ["--slow"] => battery.effort.slow = true,
        ["--soak"] => battery.effort.soak = Some(SOAK),
        _ => return Ok(outcome),
    }
    self::outcome(&battery)
}

fn outcome(battery: &Battery) -> Result<Outcome, String> {
    let (outcomes, _) = battery
        .run(&|_| {})
        .map_err(|error| format!("error: {error}"))?;
    let outcome = outcomes.into_iter().next();
    outcome.ok_or_else(|| "interrupted".into())
}

fn is_passed(result: &Result<Outcome, String>) -> bool {
    matches!(result, Ok(outcome) if outcome.outcome == Verdict::Pass)
}

fn is_skipped(result: &Result<Outcome, String>) -> bool {
    matches!(result, Ok(outcome) if outcome.outcome == Verdict::Skip)
}

/// Whether the check fails for the planted reason.
fn is_caught(result: &Result<Outcome, String>, fault: &Fault) -> bool {
    matches!(result, Ok(outcome) if outcome.is_about_the_server() && has_planted_kind(outcome, fault))
}

fn has_planted_kind(outcome: &Outcome, fault: &Fault) -> bool {
    outcome.kind.is_some_and(|kind| kind.name() == fault.kind)
}

fn described(result: &Result<Outcome, String>, fault: &Fault) -> String {
    let outcome = match result {
        Ok(outcome) => outcome,
        Err(why) => return why.clone(),
    };
    let word = outcome.word();
    if !outcome.is_about_the_server() {
        let reason = outcome.reason.as_deref().unwrap_or_default();
        return match outcome.outcome {
            Verdict::Pass => word.to_owned(),
            _ => format!("{word}: {reason}"),
        };
    }
    let kind = outcome.kind.map_or("", |kind| kind.name());
    match &outcome.actual {
        Some(actual) if !has_planted_kind(outcome, fault) => format!("{word}: {kind} ({actual})"),
        _ => format!("{word}: {kind}"),
    }
}
