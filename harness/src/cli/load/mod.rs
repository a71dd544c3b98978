//! `tcprove load`: one load.

pub(super) mod progress;
mod shape;

use std::process::ExitCode;

use self::progress::LoadProgress;
pub(super) use self::shape::ShapeArgs;
use self::shape::SpanArgs;
use super::draft::{self, Draft};
use super::interrupt;
use super::output::OutputArgs;
use super::page::PageArgs;
use super::rehearse::{holds_conversation, rehearsal_error};
use super::target::{Resolved, TargetArgs, usage};
use crate::load::engine::EngineError;
use crate::load::{Load, LoadPlan, Slo, SloReport, Workload, cores, overload, slo, summarize};
use crate::process::StartOptions;
use crate::report::{Body, LoadReport, RunError};
use crate::subject::{Interrupt, start};

/// More connections than descriptors that may be used for other things.
const DESCRIPTORS_BESIDE: u64 = 64;

/// Arguments of `load`.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct LoadArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub page: PageArgs,
    #[command(flatten)]
    pub shape: ShapeArgs,
    #[command(flatten)]
    pub span: SpanArgs,
    /// Look for the highest rate whose percentile stays below a limit, as in 'p99<5ms' (open loop)
    #[arg(long, value_name = "SLO", conflicts_with_all = ["closed", "rate", "ramp", "overload"])]
    pub slo: Option<Slo>,
    /// From 0.2 to 3 times the capacity: goodput, waiting, the knee, the time to recover (open loop)
    #[arg(long, conflicts_with_all = ["closed", "rate", "ramp"])]
    pub overload: bool,
}

pub(super) fn main(args: &LoadArgs) -> ExitCode {
    let draft = Draft::new("load", args.shape.seed);
    draft::run(draft, &args.output, &args.page, |draft| {
        perform(draft, args)
    })
}

fn perform(draft: &mut Draft, args: &LoadArgs) -> Result<Body, RunError> {
    let seed = draft.seed();
    let mut resolved = args.target.resolve(seed)?;
    let most = args.span.most_connections(&args.shape);
    room_for(most, &args.target, &mut resolved, seed)?;
    draft.target(&resolved);
    let mut workload = args.shape.workload(&resolved, seed)?;
    args.span.set(&args.shape, &mut workload, &resolved)?;
    let plan = LoadPlan {
        workload: workload.clone(),
        slo: args.slo.map(|slo| slo.to_string()),
        overload: args.overload,
    };
    draft.plan(&resolved, plan, &args.output);
    let interrupt = interrupt::watch()?;
    draft.announce(&resolved);
    if !holds_conversation(draft, &resolved, &interrupt)? {
        return Ok(Body::Nothing {});
    }
    let measured = measure(&resolved, workload, &interrupt, args)?;
    draft.interrupted(interrupt.is_set());
    Ok(Body::Load(Box::new(measured)))
}

/// Starts the server and puts the load on it: once, or as often as a search takes.
fn measure(
    resolved: &Resolved,
    mut workload: Workload,
    interrupt: &Interrupt,
    args: &LoadArgs,
) -> Result<LoadReport, RunError> {
    let options = StartOptions {
        cpus: cores(workload.threads)
            .filter(|_| workload.pin)
            .map(|(_, server)| server),
        ..StartOptions::default()
    };
    let server = start(&resolved.subject, options)
        .map_err(|failure| rehearsal_error(&failure.into(), resolved))?;
    let progress = LoadProgress::new(!args.output.no_progress);
    let mut put = |workload: &Workload| {
        let load = Load {
            workload,
            talk: &resolved.subject.talk,
            values: resolved.subject.values_of(&server),
            server: &server,
            interrupt,
            sink: &|event| progress.show(&event),
        };
        load.run().map(|measured| summarize(workload, &measured))
    };
    let refused = |error: EngineError| usage(error.to_string());
    let mut slo = None;
    if let Some(objective) = args.slo {
        args.shape.open_loop(&mut workload, 1.0, resolved);
        let report = slo::search(objective, &workload, &mut put).map_err(refused)?;
        let rate = report.highest_passing_per_s.or(report.lowest_failing_per_s);
        // What is reported in full is a load at the answer.
        args.shape
            .open_loop(&mut workload, rate.unwrap_or(1.0), resolved);
        slo = Some(SloReport {
            objective: objective.to_string(),
            ..report
        });
    }
    let result = put(&workload).map_err(refused)?;
    let mut over = None;
    if args.overload {
        let mut beyond = workload.clone();
        args.shape.open_loop(&mut beyond, 1.0, resolved);
        over = Some(overload(&beyond, &mut put).map_err(refused)?);
    }
    progress.finish();
    Ok(LoadReport {
        workload,
        result,
        slo,
        overload: over,
    })
}

/// Our descriptors, and the places of the built-in server: it has no more than are asked for.
pub(super) fn room_for(
    connections: usize,
    target: &TargetArgs,
    resolved: &mut Resolved,
    seed: u64,
) -> Result<(), RunError> {
    // What cannot be raised shows as connections that could not be had.
    let _ = crate::sys::raise_nofile_limit();
    let given = target
        .params
        .iter()
        .any(|(name, _)| name.replace('-', "_") == "max_connections");
    if target.embedded && !given {
        let mut params = target.params.clone();
        let places = connections as u64 + DESCRIPTORS_BESIDE;
        params.push(("max_connections".into(), places.max(1000).to_string()));
        *resolved = super::embedded::from_parameters(&params, seed)?;
    }
    Ok(())
}
