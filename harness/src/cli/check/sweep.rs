//! `tcprove check --sweep`: each result of each socket call in an exchange.

use std::sync::Mutex;

use schemars::JsonSchema;
use serde::Serialize;

use super::{CheckArgs, program, resolved};
use crate::check::run::sweep::{CallSweep, SweepCase};
use crate::cli::draft::{self, Draft};
use crate::cli::interrupt;
use crate::cli::progress::StepProgress;
use crate::cli::rehearse::rehearsal_error;
use crate::cli::target::usage;
use crate::data::Shard;
use crate::event::Event;
use crate::report::{CallSweepReport, RunError};
use crate::subject::RehearsalError;

/// What the JSON says about the plan.
#[derive(JsonSchema, Serialize)]
pub(in crate::cli) struct SweepPlan {
    /// Only this case.
    sweep: Option<SweepCase>,
    /// The part of all cases.
    shard: Option<Shard>,
    /// No case starts after this many seconds.
    max_time_s: Option<f64>,
}

pub(super) fn sweep(
    draft: &mut Draft,
    args: &CheckArgs,
    only: Option<SweepCase>,
) -> Result<Box<CallSweepReport>, RunError> {
    let resolved = resolved(&args.target, draft.seed())?;
    draft.target(&resolved);
    let shard = args.shard.as_ref().map(|part| part.shard);
    if let (Some(case), Some(_)) = (&only, shard) {
        return Err(usage(format!(
            "--shard divides all cases of a sweep, and {case} is a single one\nnext: leave out --shard, or the case"
        )));
    }
    let plan = |shard| {
        let plan = SweepPlan {
            sweep: only.clone(),
            shard,
            max_time_s: args.max_time.map(|time| time.as_secs_f64()),
        };
        draft::run_plan(&resolved, plan, &args.output)
    };
    draft.planned(&plan(shard), plan(None).hash());
    draft.announce(&resolved);
    if let Some(part) = &args.shard {
        part.announce();
    }
    let interrupt = interrupt::watch()?;
    let reproduce = format!(
        "{} check --sweep {{case}} --seed {} {}",
        program(),
        resolved.subject.seed,
        args.target.words()
    );
    let sweep = CallSweep {
        subject: resolved.subject.clone(),
        only,
        shard,
        max_time: args.max_time,
        interrupt: interrupt.clone(),
        reproduce: reproduce.trim_end().to_owned(),
        command_by_hand: resolved.command_by_hand.clone(),
    };
    let progress = Mutex::new(StepProgress::new(!args.output.no_progress));
    let result = sweep.run(&|event| {
        if let (Event::Step { done, all, what }, Ok(progress)) = (event, progress.lock()) {
            progress.show(done, all, &what);
        }
    });
    if let Ok(progress) = progress.lock() {
        progress.finish();
    }
    draft.interrupted(interrupt.is_set());
    match result {
        Ok(result) => Ok(Box::new(CallSweepReport { result })),
        Err(RehearsalError::Interrupted) => Ok(Box::new(CallSweepReport {
            result: Default::default(),
        })),
        Err(error) => Err(rehearsal_error(&error, &resolved)),
    }
}
