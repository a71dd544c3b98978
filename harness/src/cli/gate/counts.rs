//! `gate --save-baseline` and `gate --baseline`: counts of the candidate alone, stored or compared.

use std::path::Path;

use super::sides::{candidate, of_side};
use super::{GateArgs, planned, request, workload};
use crate::cli::output::note;
use crate::cli::setup;
use crate::cli::target::{Resolved, usage};
use crate::gate::baseline::Baseline;
use crate::gate::{GatePlan, GateResult, Side, against as compare, baseline_of};
use crate::report::{GateReport, Report, RunError, Stored};
use crate::subject::Interrupt;

/// Counts the candidate and writes a baseline.
pub(super) fn store(report: &mut Report, args: &GateArgs, path: &Path) -> Result<(), RunError> {
    let Some((candidate, plan, interrupt)) = begin(report, args)? else {
        return Ok(());
    };
    let counted = baseline_of(&candidate.subject, &plan, &interrupt);
    report.interrupted = interrupt.is_set();
    if report.interrupted {
        return Ok(());
    }
    let baseline = counted.map_err(|why| {
        let message = format!("the candidate cannot be counted: {why}");
        RunError {
            code: "target",
            message,
            location: None,
        }
    })?;
    baseline
        .save(path)
        .map_err(|error| usage(format!("--save-baseline: {error}")))?;
    report.gated(GateReport {
        base: None,
        candidate: candidate.report().command,
        stored: Some(Stored {
            path: path.display().to_string(),
            instructions: baseline.instructions.estimate,
            syscalls: baseline.syscalls.estimate,
        }),
        result: GateResult::default(),
    });
    Ok(())
}

/// Counts the candidate and compares it with a baseline.
pub(super) fn against(report: &mut Report, args: &GateArgs, path: &Path) -> Result<(), RunError> {
    let baseline =
        Baseline::load(path).map_err(|error| usage(format!("--baseline: {error}{NEXT}")))?;
    let Some((candidate, plan, interrupt)) = begin(report, args)? else {
        return Ok(());
    };
    let mut result = GateResult::default();
    let compared = compare(
        &mut result,
        &baseline,
        &candidate.subject,
        &plan,
        &interrupt,
    );
    report.interrupted = interrupt.is_set();
    compared.map_err(|why| {
        usage(format!(
            "the baseline {} is not comparable with these counts: {}{NEXT}",
            path.display(),
            why.join("; ")
        ))
    })?;
    report.gated(GateReport {
        base: None,
        candidate: candidate.report().command,
        stored: None,
        result,
    });
    Ok(())
}

/// The next step when a baseline cannot be used.
const NEXT: &str = "\nnext: store a baseline of the old server with `tcprove gate --candidate CMD --save-baseline FILE`";

/// Everything up to the rehearsal. `None`: the user interrupted it.
fn begin(
    report: &mut Report,
    args: &GateArgs,
) -> Result<Option<(Resolved, GatePlan, Interrupt)>, RunError> {
    let candidate = candidate(args, report.seed)?;
    report.target = Some(candidate.report());
    let workload = workload(args, &candidate, report.seed)?;
    let plan = GatePlan::without_duet(request(args, workload));
    if let Some((metric, _)) = args.budget.iter().find(|(metric, _)| !metric.is_counted()) {
        return Err(usage(format!(
            "--budget {}: without a base to start, only instructions and syscalls are compared",
            metric.name()
        )));
    }
    planned(report, args, None, &candidate, &plan);
    let interrupt = setup::interrupt()?;
    setup::announce(report, &candidate);
    let held = setup::holds_conversation(report, &candidate, &interrupt);
    if !held.map_err(|error| of_side(Side::Candidate, error))? {
        return Ok(None);
    }
    if let Some(step) = plan.counting_step()
        && !args.output.no_progress
    {
        note(&step);
    }
    Ok(Some((candidate, plan, interrupt)))
}
