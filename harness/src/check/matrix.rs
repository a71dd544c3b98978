//! The fault matrix: every planted fault of the reference server, put to the check that it names.
//!
//! A fault counts as caught only if its check fails twice and for the planted reason; and the same
//! check must pass on the same server without the fault.

use std::sync::Mutex;
use std::time::Duration;

use serde::Serialize;
use tcprove_server::fault::Fault;

use super::run::Battery;
use super::{BATTERY, Check, Outcome, Verdict, find};
use crate::subject::{Interrupt, Subject};

/// One planted fault and what its check made of it.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The fault.
    pub fault: &'static str,
    /// The check that must catch it.
    pub check: &'static str,
    /// In which way the server must fall short.
    pub planted: &'static str,
    /// What the check said on the faulty server: its verdict and kind, or why it did not get there.
    pub seen: String,
    /// What the check said on the same server without the fault.
    pub sound: String,
    /// Caught for the planted reason, and passed without the fault.
    pub ok: bool,
    /// Seconds.
    pub seconds: f64,
}

/// Builds the subject for `tcprove serve` with this protocol and model, with or without the fault.
pub type Serve<'a> = &'a (dyn Fn(&Fault, bool) -> Subject + Sync);

/// Rows beside each other: nearly all of their time is spent waiting for a faulty server.
const WORKERS: usize = 6;

/// Puts each fault to its check. `told` is called with each row as it is done.
pub fn run(
    faults: &[&'static Fault],
    serve: Serve<'_>,
    control: fn(&Check, &Subject) -> Option<Subject>,
    interrupt: &Interrupt,
    told: &(dyn Fn(&Row) + Sync),
) -> Vec<Row> {
    // Checks that measure run alone, after all others.
    let (alone, beside): (Vec<_>, Vec<_>) = faults.iter().copied().partition(|fault| {
        find(fault.caught_by).is_none_or(|check| check.runs == super::Runs::AloneOnMachine)
    });
    let queue = Mutex::new(beside);
    let rows = Mutex::new(Vec::new());
    let work = |queue: &Mutex<Vec<&'static Fault>>| {
        while let Some(fault) = queue.lock().ok().and_then(|mut queue| queue.pop()) {
            if interrupt.is_set() {
                break;
            }
            let row = row(fault, serve, control, interrupt);
            told(&row);
            if let Ok(mut rows) = rows.lock() {
                rows.push(row);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| work(&queue));
        }
    });
    work(&Mutex::new(alone));
    let mut rows = rows
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    rows.sort_by_key(|row| super::all().position(|check| check.id == row.check));
    rows
}

fn row(
    fault: &'static Fault,
    serve: Serve<'_>,
    control: fn(&Check, &Subject) -> Option<Subject>,
    interrupt: &Interrupt,
) -> Row {
    let begun = std::time::Instant::now();
    let (seen, caught) = verdict(fault, serve(fault, true), control, interrupt);
    let (sound, _) = verdict(fault, serve(fault, false), control, interrupt);
    let ok = caught && sound == "pass";
    let seconds = begun.elapsed().as_secs_f64();
    Row {
        fault: fault.name,
        check: fault.caught_by,
        planted: fault.kind,
        seen,
        sound,
        ok,
        seconds,
    }
}

/// What the fault's check says on this server, and whether it is the planted reason.
fn verdict(
    fault: &Fault,
    subject: Subject,
    control: fn(&Check, &Subject) -> Option<Subject>,
    interrupt: &Interrupt,
) -> (String, bool) {
    let Some(check) = find(fault.caught_by) else {
        return (format!("there is no check {}", fault.caught_by), false);
    };
    let battery = Battery {
        checks: vec![check],
        subject,
        control,
        waivers: Vec::new(),
        lanes: 1,
        battery: BATTERY,
        max_time: Some(Duration::from_secs(120)),
        reproduce: String::new(),
        command_by_hand: None,
        interrupt: interrupt.clone(),
    };
    match battery.run(&|_| {}) {
        Ok(report) => report
            .outcomes
            .first()
            .map_or(("interrupted".into(), false), |outcome| {
                said(outcome, fault)
            }),
        Err(error) => (format!("error: {error}"), false),
    }
}

fn said(outcome: &Outcome, fault: &Fault) -> (String, bool) {
    let kind = outcome.kind.map_or("", |kind| kind.name());
    let found = matches!(outcome.outcome, Verdict::Fail | Verdict::Warn);
    let text = match outcome.outcome {
        Verdict::Fail | Verdict::Warn => format!("{}: {kind}", outcome.word()),
        Verdict::Pass => "pass".into(),
        _ => format!(
            "{}: {}",
            outcome.word(),
            outcome.reason.as_deref().unwrap_or("")
        ),
    };
    let text = match &outcome.actual {
        Some(actual) if found && kind != fault.kind => format!("{text} ({actual})"),
        _ => text,
    };
    (text, found && kind == fault.kind)
}
