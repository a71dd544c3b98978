//! Several gates of the same base and candidate: more sessions, one verdict.
//!
//! Every gate is one by itself, so that any number of them can be merged, and merged again. What each has measured is in its
//! report; the verdict is computed from all of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::difference::{self, without};
use super::{Head, MergeError, StoredReport, twice};
use crate::data::Shard;
use crate::gate::{GatePlan, GateRecord, GateSamples, MergedGate, together};
use crate::report::{Behaviour, Body, Contents, GateReport, Header, Report};

/// Keys of a plan in which gates may differ: their numbers, what follows from how fast the servers start, and what one of them has
/// compared for all.
const OWN: [&str; 6] = ["part", "overhead_s", "duet", "matrix", "explain", "with"];
/// Maximum number of gates: the bounds of their sessions take as many steps as the third power of it.
const GATES_MAX: usize = 64;

/// A report with one gate, or with several that were merged before.
struct Gates {
    path: PathBuf,
    head: Head,
    plan: GatePlan,
    report: StoredGates,
}

/// What is read of the report.
#[derive(Deserialize)]
struct StoredGates {
    base: Option<String>,
    candidate: String,
    stored: Option<Value>,
    #[serde(default)]
    contents: Contents,
    #[serde(default)]
    behaviour: Option<Behaviour>,
    #[serde(default)]
    gates: Vec<MergedGate>,
}

/// The report of all gates.
///
/// # Errors
/// They do not belong together, one is there twice, or a numbered one is missing.
pub(super) fn merged(stored: Vec<StoredReport>) -> Result<Report, MergeError> {
    let reports: Result<Vec<_>, _> = stored.into_iter().map(Gates::of).collect();
    let mut reports = reports?;
    let key = |gate: &MergedGate| (gate.part, gate.run_id.clone());
    reports.sort_by_key(|report| report.report.gates.iter().map(key).min());
    belong_together(&reports).map_err(MergeError::Apart)?;
    are_all_there_once(&reports).map_err(MergeError::Apart)?;
    let duration_s = reports.iter().map(|report| report.head.duration_s);
    let duration_s = duration_s.fold(0.0, f64::max);
    let mut gates: Vec<MergedGate> = Vec::new();
    let behaviours = reports
        .iter_mut()
        .filter_map(|stored| stored.report.behaviour.take());
    let behaviour = behaviours.reduce(Behaviour::and);
    let Some((first, others)) = reports.split_first_mut() else {
        return Err(MergeError::Apart("no reports were given".into()));
    };
    gates.append(&mut first.report.gates);
    others
        .iter_mut()
        .for_each(|other| gates.append(&mut other.report.gates));
    gates.sort_by_key(key);
    let body = GateReport {
        base: first.report.base.clone(),
        candidate: first.report.candidate.clone(),
        contents: first.report.contents.clone(),
        stored: None,
        result: together(&gates, &first.plan),
        behaviour,
        samples: match &gates[..] {
            [only] => only.record.samples.clone(),
            // Each gate has its own.
            _ => GateSamples::default(),
        },
        gates: if gates.len() > 1 { gates } else { Vec::new() },
    };
    let head = first.head.clone();
    let header = Header {
        command: "gate",
        run_id: head.run_id,
        seed: head.seed,
        plan: Some(without(&head.plan, &OWN[..1])),
        plan_hash: head.plan_hash,
        environment: head.environment,
        target: head.target,
        interrupted: false,
        duration_s,
    };
    Ok(Report::new(header, Ok(Body::Gate(Box::new(body)))))
}

impl Gates {
    fn of(stored: StoredReport) -> Result<Self, MergeError> {
        let StoredReport { path, head, json } = stored;
        match Self::read(&head, &json) {
            Ok((plan, report)) => Ok(Self {
                path,
                head,
                plan,
                report,
            }),
            Err(why) => Err(MergeError::Unfit { path, why }),
        }
    }

    fn read(head: &Head, json: &Value) -> Result<(GatePlan, StoredGates), String> {
        if head.command != "gate" {
            return Err(format!(
                "it is the report of `tcprove {}`: gates can be merged with gates only",
                head.command
            ));
        }
        if head.interrupted {
            return Err(
                "this gate was interrupted, so that its sessions are not all: run it again".into(),
            );
        }
        let unread = |error| format!("the result of the gate cannot be read: {error}");
        let plan = GatePlan::of_report(&head.plan).map_err(unread)?;
        let mut report = StoredGates::deserialize(json).map_err(unread)?;
        if report.stored.is_some() {
            return Err("it stored a baseline, and compared nothing".into());
        }
        if report.gates.is_empty() {
            let record = GateRecord::deserialize(json).map_err(unread)?;
            let part = head.plan.get("part").cloned();
            let part = part.and_then(|part| Shard::deserialize(part).ok());
            let gate = MergedGate::new(head.run_id.clone(), part, record, &plan);
            report.gates.push(gate);
        }
        Ok((plan, report))
    }
}

/// All have the first one's plan and programs.
fn belong_together(reports: &[Gates]) -> Result<(), String> {
    let Some((first, others)) = reports.split_first() else {
        return Ok(());
    };
    for other in others {
        let differ = difference::between(&compared(first), &compared(other));
        if differ.is_empty() {
            continue;
        }
        let rebuilt = differ
            .iter()
            .any(|differ| differ.place.starts_with(CONTENT));
        let next = match rebuilt {
            true => "\nnext: build each program once, and give all gates the same files",
            false => "",
        };
        return Err(format!(
            "{} and {} are not gates of the same plan; they differ in{}{next}",
            first.path.display(),
            other.path.display(),
            difference::lines(&differ)
        ));
    }
    Ok(())
}

/// What messages call the hash of the programs.
const CONTENT: &str = "hash of the files in the command";

/// What has to be the same: the plan, the number of gates, and the content of the programs.
fn compared(report: &Gates) -> Value {
    let mut plan = without(&report.head.plan, &OWN);
    let mut numbers = report.report.gates.iter().map(|gate| gate.part);
    plan["gates"] = numbers.next().flatten().map(|part| part.count).into();
    plan[CONTENT] = serde_json::to_value(&report.report.contents).unwrap_or_default();
    plan
}

/// No gate is there twice, and if they are numbered, none is missing.
fn are_all_there_once(reports: &[Gates]) -> Result<(), String> {
    let there = reports.iter().flat_map(|report| {
        let gates = report.report.gates.iter();
        gates.map(|gate| (gate, report.path.as_path()))
    });
    let there: Vec<(&MergedGate, &Path)> = there.collect();
    let is_same = |known: &MergedGate, gate: &MergedGate| match (known.part, gate.part) {
        (Some(one), Some(other)) => one == other,
        _ => known.run_id == gate.run_id,
    };
    twice(&there, is_same, MergedGate::name)?;
    if there.len() > GATES_MAX {
        return Err(format!(
            "{} gates are too many: the maximum is {GATES_MAX}; longer gates (--max-time) have more sessions",
            there.len()
        ));
    }
    let numbers: BTreeSet<Shard> = there.iter().filter_map(|(gate, _)| gate.part).collect();
    let count = numbers.first().map_or(0, |number| number.count);
    let missing: Vec<String> = (1..=count)
        .filter(|index| {
            !numbers.contains(&Shard {
                index: *index,
                count,
            })
        })
        .map(|index| index.to_string())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "gate {} of {count} is missing: give the reports of all gates, whatever their verdicts",
        missing.join(", ")
    ))
}
