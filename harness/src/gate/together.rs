//! Several gates of one plan, and the one verdict that follows from all they have measured. Pure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::duet::DuetEnd;
use super::judged::{duet_cells, settle};
use super::matrix::matrix_cells;
use super::metric::Metric;
use super::plan::GatePlan;
use super::result::{
    BrokenServer, ControlReport, DuetSummary, Explained, GateCell, GateResult, MatrixSummary,
    SkippedTier,
};
use super::rule::{CellVerdict, Rule};
use super::samples::{Counted, DuetRecord, GateSamples, counted_cell};
use super::side::Side;
use crate::data::Shard;

/// A gate that was merged with others.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct MergedGate {
    /// Names its run.
    pub run_id: String,
    /// Its number, if it was given one.
    pub(crate) part: Option<Shard>,
    /// Its verdict by itself.
    pub verdict: CellVerdict,
    /// What of its report is merged.
    #[serde(flatten)]
    pub(crate) record: GateRecord,
}

/// What of the report of a gate is merged, under the same keys.
#[derive(Debug, Clone, Default, PartialEq, JsonSchema, Serialize, Deserialize)]
pub(crate) struct GateRecord {
    /// The duet in figures.
    duet: Option<DuetSummary>,
    /// The loads in figures.
    matrix: Option<MatrixSummary>,
    /// A server that broke during the gate.
    broken: Option<BrokenServer>,
    /// Where counted metrics changed.
    explained: Vec<Explained>,
    /// What was not measured, and why.
    skipped: Vec<SkippedTier>,
    /// Remarks.
    notes: Vec<String>,
    /// All samples.
    #[serde(default)]
    pub(crate) samples: GateSamples,
}

impl MergedGate {
    /// The gate with its verdict by itself.
    pub(crate) fn new(
        run_id: String,
        part: Option<Shard>,
        record: GateRecord,
        plan: &GatePlan,
    ) -> Self {
        Self {
            verdict: result_of(&[&record], &[], plan).verdict(),
            run_id,
            part,
            record,
        }
    }

    /// What messages call it.
    pub(crate) fn name(&self) -> String {
        match self.part {
            Some(number) => format!("gate {} of {}", number.index, number.count),
            None => format!("the gate {}", self.run_id),
        }
    }
}

/// The result of all gates, in the order of their numbers or runs. That of a single one is its own.
pub(crate) fn together(gates: &[MergedGate], plan: &GatePlan) -> GateResult {
    let records: Vec<&GateRecord> = gates.iter().map(|gate| &gate.record).collect();
    let names: Vec<String> = gates.iter().map(MergedGate::name).collect();
    result_of(&records, &names, plan)
}

fn result_of(records: &[&GateRecord], names: &[String], plan: &GatePlan) -> GateResult {
    let duets: Vec<&DuetRecord> = of_all(records, |record| record.samples.duet.as_ref());
    let matrices = of_all(records, |record| record.samples.matrix.as_ref());
    let summaries = of_all(records, |record| record.duet.as_ref());
    let mut cells = Vec::new();
    if !duets.is_empty() {
        let session_s = summaries.first().map(|summary| summary.session_s);
        let session_s = session_s.filter(|_| duets.len() == 1);
        cells.extend(duet_cells(&duets, plan, session_s));
    }
    cells.extend(counted_cells(records, plan));
    if !matrices.is_empty() {
        cells.extend(matrix_cells(&matrices, plan));
    }
    let mut result = GateResult {
        cells,
        control: control(records, names, plan),
        duet: summaries.into_iter().copied().reduce(duet),
        matrix: of_all(records, |record| record.matrix.as_ref())
            .into_iter()
            .copied()
            .reduce(matrix),
        broken: broken(records),
        explained: explained(records),
        skipped: distinct(records.iter().flat_map(|record| &record.skipped)),
        notes: distinct(records.iter().flat_map(|record| &record.notes)),
    };
    settle(&mut result, plan);
    result
}

fn of_all<'a, T>(
    records: &[&'a GateRecord],
    part: impl Fn(&'a GateRecord) -> Option<&'a T>,
) -> Vec<&'a T> {
    records.iter().filter_map(|record| part(record)).collect()
}

fn counted_cells(records: &[&GateRecord], plan: &GatePlan) -> Vec<GateCell> {
    let all = || records.iter().flat_map(|record| &record.samples.counted);
    let mut metrics: Vec<Metric> = Vec::new();
    for one in all() {
        if !metrics.contains(&one.metric) {
            metrics.push(one.metric);
        }
    }
    let of = |metric: Metric| all().filter(move |one| one.metric == metric);
    let cells = metrics
        .into_iter()
        .map(|metric| counted_cell(&of(metric).collect::<Vec<&Counted>>(), plan));
    cells.flatten().collect()
}

/// The control of all duets: one that is void by itself makes all of them void.
fn control(records: &[&GateRecord], names: &[String], plan: &GatePlan) -> Option<ControlReport> {
    let rule = Rule {
        budget: plan.budget(Metric::ServerCpu),
    };
    let all = records.iter().enumerate();
    let (places, controls): (Vec<usize>, Vec<Vec<f64>>) = all
        .filter_map(|(place, record)| Some((place, record.samples.duet.as_ref()?.control.clone())))
        .unzip();
    match &controls[..] {
        [] => None,
        [only] => Some(ControlReport::of(&rule.control(only))),
        several => {
            let (control, of) = rule.control_of_gates(several);
            let mut report = ControlReport::of(&control);
            let name = of.and_then(|place| names.get(places[place]));
            if let (Some(name), Some(reason)) = (name, &mut report.reason) {
                *reason = format!("{name}: {reason}");
            }
            Some(report)
        }
    }
}

fn duet(one: DuetSummary, other: DuetSummary) -> DuetSummary {
    let sessions =
        |summary: &DuetSummary| summary.real + summary.control + summary.fresh + summary.repeated;
    let (ours, theirs) = (sessions(&one) as f64, sessions(&other) as f64);
    let all = (ours + theirs).max(1.0);
    DuetSummary {
        real: one.real + other.real,
        control: one.control + other.control,
        fresh: one.fresh + other.fresh,
        repeated: one.repeated + other.repeated,
        exchanges: one.exchanges + other.exchanges,
        session_s: (one.session_s * ours + other.session_s * theirs) / all,
        cores: one.cores.filter(|cores| Some(*cores) == other.cores),
        ended: match one.ended {
            DuetEnd::Planned => other.ended,
            ended => ended,
        },
        fixed_addresses: one.fixed_addresses && other.fixed_addresses,
        steal_pct: one.steal_pct.max(other.steal_pct),
        throttled: one.throttled + other.throttled,
    }
}

fn matrix(one: MatrixSummary, other: MatrixSummary) -> MatrixSummary {
    MatrixSummary {
        cells: one.cells.max(other.cells),
        rounds: one.rounds + other.rounds,
        fresh: one.fresh + other.fresh,
        visit_s: f64::midpoint(one.visit_s, other.visit_s),
        repeated: one.repeated + other.repeated,
        disturbed: one.disturbed + other.disturbed,
    }
}

/// A candidate that broke in one gate has broken; so has a base, but that says nothing about the candidate.
fn broken(records: &[&GateRecord]) -> Option<BrokenServer> {
    let all = || records.iter().filter_map(|record| record.broken.as_ref());
    let candidate = all().find(|broken| broken.side == Side::Candidate);
    candidate.or_else(|| all().next()).cloned()
}

/// The functions of the first gate that names some of a metric: another one has counted the same program.
fn explained(records: &[&GateRecord]) -> Vec<Explained> {
    let mut all: Vec<Explained> = Vec::new();
    for one in records.iter().flat_map(|record| &record.explained) {
        if !all.iter().any(|known| known.metric == one.metric) {
            all.push(one.clone());
        }
    }
    all
}

fn distinct<'a, T: Clone + PartialEq + 'a>(all: impl Iterator<Item = &'a T>) -> Vec<T> {
    let mut distinct: Vec<T> = Vec::new();
    for one in all {
        if !distinct.contains(one) {
            distinct.push(one.clone());
        }
    }
    distinct
}
