//! `gate --save-baseline` and `gate --baseline`: counts of the candidate alone, stored or compared.

use std::path::Path;

use super::sides::{candidate, of_side};
use super::{GateArgs, content, planned, request, workload};
use crate::cli::draft::Draft;
use crate::cli::interrupt;
use crate::cli::output::note;
use crate::cli::rehearse::holds_conversation;
use crate::cli::target::{PreparedTarget, usage};
use crate::gate::baseline::Baseline;
use crate::gate::{GatePlan, GateResult, GateSamples, Side, against as compare, baseline_of};
use crate::report::{Body, Contents, GateReport, RunError, Stored};
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
        .map_err(|why| RunError::target(format!("the candidate cannot be counted: {why}")))?;
    baseline
        .save(path)
        .map_err(|error| usage(format!("--save-baseline: {error}")))?;
    Ok(Body::Gate(Box::new(GateReport {
        base: None,
        candidate: candidate.report().commands(),
        contents: contents(&candidate),
        stored: Some(Stored {
            path: path.display().to_string(),
            instructions: baseline.instructions.estimate,
            syscalls: baseline.syscalls.estimate,
        }),
        result: GateResult::default(),
        samples: GateSamples::default(),
        gates: Vec::new(),
        behaviour: None,
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
    let samples = compared.map_err(|why| {
        usage(format!(
            "the baseline {} is not comparable with these counts: {}{NEXT}",
            path.display(),
            why.join("; ")
        ))
    })?;
    Ok(Body::Gate(Box::new(GateReport {
        base: None,
        candidate: candidate.report().commands(),
        contents: contents(&candidate),
        stored: None,
        result,
        samples,
        gates: Vec::new(),
        behaviour: None,
    })))
}

fn contents(candidate: &PreparedTarget) -> Contents {
    Contents {
        base: None,
        candidate: content(candidate),
    }
}

/// The next step when a baseline cannot be used.
const NEXT: &str = "\nnext: store a baseline of the old server with `tcprove gate --candidate CMD --save-baseline FILE`";

/// Everything up to the rehearsal. `None`: the user interrupted it.
fn begin(
    draft: &mut Draft,
    args: &GateArgs,
) -> Result<Option<(PreparedTarget, GatePlan, Interrupt)>, RunError> {
    let candidate = candidate(args, draft.seed())?;
    draft.target(&candidate);
    let workload = workload(args, &candidate, draft.seed())?;
    let plan = GatePlan::without_duet(request(args, workload));
    if let Some((metric, _)) = args.budget.iter().find(|(metric, _)| !metric.is_counted()) {
        return Err(usage(format!(
            "--budget {}: without a base to start, only instructions and syscalls are compared",
            metric.name()
        )));
    }
    planned(draft, args, None, &candidate, &plan);
    let interrupt = interrupt::watch()?;
    draft.announce(&candidate);
    let held = holds_conversation(&candidate, &interrupt);
    if !held.map_err(|error| of_side(Side::Candidate, error))? {
        draft.interrupted(true);
        return Ok(None);
    }
    if let Some(step) = plan.counting_step()
        && !args.output.no_progress
    {
        note(&step);
    }
    Ok(Some((candidate, plan, interrupt)))
}
