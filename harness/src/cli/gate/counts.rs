//! Counts of the candidate alone: stored as a baseline, or compared with one.

use std::path::Path;

use super::sides::{candidate, of_side};
use super::{GateArgs, asked, planned, workload};
use crate::cli::draft::Draft;
use crate::cli::interrupt;
use crate::cli::output::note;
use crate::cli::rehearse::holds_conversation;
use crate::cli::target::{Resolved, usage};
use crate::gate::baseline::Baseline;
use crate::gate::result::CANDIDATE;
use crate::gate::{GatePlan, GateResult, against as compare, baseline_of};
use crate::report::{Body, GateReport, RunError, Stored};
use crate::subject::Interrupt;

/// Counts the candidate and writes a baseline.
pub(super) fn store(draft: &mut Draft, args: &GateArgs, path: &Path) -> Result<Body, RunError> {
    let Some((candidate, plan, interrupt)) = begin(draft, args)? else {
        return Ok(Body::Nothing {});
    };
    let counted = baseline_of(&candidate.subject, &plan, &interrupt);
    draft.interrupted(interrupt.is_set());
    if draft.is_interrupted() {
        return Ok(Body::Nothing {});
    }
    let baseline = counted
        .map_err(|why| RunError::target(format!("the {CANDIDATE} cannot be counted: {why}")))?;
    baseline
        .save(path)
        .map_err(|error| usage(format!("--save-baseline: {error}")))?;
    Ok(Body::Gate(Box::new(GateReport {
        base: None,
        candidate: candidate.report().command,
        stored: Some(Stored {
            path: path.display().to_string(),
            instructions: baseline.instructions.estimate,
            syscalls: baseline.syscalls.estimate,
        }),
        result: GateResult::default(),
    })))
}

/// Counts the candidate and compares it with a baseline.
pub(super) fn against(draft: &mut Draft, args: &GateArgs, path: &Path) -> Result<Body, RunError> {
    let baseline =
        Baseline::load(path).map_err(|error| usage(format!("--baseline: {error}{NEXT}")))?;
    let Some((candidate, plan, interrupt)) = begin(draft, args)? else {
        return Ok(Body::Nothing {});
    };
    let mut result = GateResult::default();
    let compared = compare(
        &mut result,
        &baseline,
        &candidate.subject,
        &plan,
        &interrupt,
    );
    draft.interrupted(interrupt.is_set());
    compared.map_err(|why| {
        usage(format!(
            "the baseline {} cannot be compared with what is counted here: {}{NEXT}",
            path.display(),
            why.join("; ")
        ))
    })?;
    Ok(Body::Gate(Box::new(GateReport {
        base: None,
        candidate: candidate.report().command,
        stored: None,
        result,
    })))
}

/// What to do about a baseline that does not do.
const NEXT: &str = "\nnext: `tcprove gate --candidate CMD --save-baseline FILE` stores one, of the server as it was";

/// Up to the trial of the conversation. `None`: somebody asked for the end meanwhile.
fn begin(
    draft: &mut Draft,
    args: &GateArgs,
) -> Result<Option<(Resolved, GatePlan, Interrupt)>, RunError> {
    let candidate = candidate(args, draft.seed())?;
    draft.target(&candidate);
    let workload = workload(args, &candidate, draft.seed())?;
    let plan = GatePlan::without_duet(asked(args, workload));
    if let Some((metric, _)) = args.budget.iter().find(|(metric, _)| !metric.is_counted()) {
        return Err(usage(format!(
            "--budget {}: without a base that is started only instructions and syscalls are compared",
            metric.name()
        )));
    }
    planned(draft, args, None, &candidate, &plan);
    let interrupt = interrupt::watch()?;
    draft.announce(&candidate);
    let held = holds_conversation(draft, &candidate, &interrupt);
    if !held.map_err(|error| of_side(CANDIDATE, error))? {
        return Ok(None);
    }
    if let Some(step) = plan.counting_step()
        && !args.output.no_progress
    {
        note(&step);
    }
    Ok(Some((candidate, plan, interrupt)))
}
