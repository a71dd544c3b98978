//! `tcprove load`.

mod part;
pub(super) mod progress;
mod shape;

use std::process::ExitCode;
use std::time::Duration;

use self::part::{PartArgs, PlannedPart};
use self::progress::LoadProgress;
use self::shape::SpanArgs;
pub(super) use self::shape::{ShapeArgs, are_served};
use super::draft::Draft;
use super::output::{OutputArgs, note};
use super::rehearse::{holds_conversation, rehearsal_error};
use super::target::{PreparedTarget, TargetArgs, usage};
use super::{draft, interrupt};
use crate::load::engine::EngineError;
use crate::load::{
    Load, LoadPlan, Slo, Workload, capacity, overload, server_cores, slo, summarize,
};
use crate::process::{Server, StartOptions};
use crate::report::{Body, LoadReport, RunError};
use crate::subject::{Interrupt, Origin, start};
use crate::sys::initial_nofile;

/// Arguments of `load`.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct LoadArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub shape: ShapeArgs,
    #[command(flatten)]
    pub span: SpanArgs,
    /// Search for the highest rate that meets a latency objective such as 'p99<5ms' (open loop)
    #[arg(long, value_name = "SLO", conflicts_with_all = ["closed", "rate", "ramp", "overload"])]
    pub slo: Option<Slo>,
    /// Measure goodput, latency, knee and recovery at 0.2 to 3 times the server's capacity (open loop)
    #[arg(long, conflicts_with_all = ["closed", "rate", "ramp"])]
    pub overload: bool,
    /// End after this time, start and rehearsal included; the figures cover what was measured until then
    #[arg(long, value_name = "TIME", value_parser = super::target::duration, conflicts_with = "part")]
    pub max_time: Option<Duration>,
    #[command(flatten)]
    pub part: PartArgs,
}

pub(super) fn main(args: &LoadArgs) -> ExitCode {
    let draft = Draft::new("load", args.shape.seed.or(args.part.seed()));
    draft::run(draft, &args.output, |draft| perform(draft, args))
}

fn perform(draft: &mut Draft, args: &LoadArgs) -> Result<Body, RunError> {
    let seed = draft.seed();
    let part = args.part.planned(&args.target)?;
    // Each part rehearses with tokens of its own.
    let mut resolved = args
        .target
        .resolve(part.as_ref().map_or(seed, |part| part.seed(seed)))?;
    if let Some(part) = &part {
        part.can_share(&resolved.subject.origin)?;
    }
    let promise = &resolved.subject.promise;
    let most = args.span.most_connections(&args.shape, promise);
    are_served(most, promise)?;
    let parts = part.as_ref().map_or(1, PlannedPart::count);
    room_for(most.div_ceil(parts), &args.target, &mut resolved, seed)?;
    draft.target(&resolved);
    let mut workload = args.shape.workload(&resolved, seed)?;
    args.span.set(&args.shape, &mut workload, &resolved)?;
    if let Some(part) = &part {
        part.divide(&mut workload)?;
    }
    let plan = LoadPlan {
        workload: workload.clone(),
        slo: args.slo.map(|slo| slo.to_string()),
        overload: args.overload,
        part: part.as_ref().map(PlannedPart::plan),
        start_at: part.as_ref().map(PlannedPart::start_at),
    };
    let whole = draft::run_plan(&resolved, plan.clone().whole(), &args.output);
    draft.planned(
        &draft::run_plan(&resolved, plan, &args.output),
        whole.hash(),
    );
    let asked = interrupt::watch()?;
    let end = args.max_time.map(|time| draft.begun() + time);
    let interrupt = end.map_or_else(|| asked.clone(), |end| asked.or_at(end));
    draft.announce(&resolved);
    let mut peer = None;
    if let Some(part) = &part {
        part.announce();
        peer = part.peer()?;
    }
    if let Some(limit) = resolved.subject.promise.limits.requests_per_connection {
        note(&format!(
            "a connection is reopened after {limit} requests: `requests_per_connection` in [limits] of the file"
        ));
    }
    if !holds_conversation(&resolved, &interrupt)? {
        draft.interrupted(asked.is_set());
        if !asked.is_set() {
            note("--max-time was over before the load began: give it more");
        }
        return Ok(Body::Nothing {});
    }
    let measured = match &part {
        None => Body::Load(Box::new(measure(&resolved, workload, &interrupt, args)?)),
        Some(part) => {
            let clock = part.await_start(&workload, peer.as_ref(), &interrupt)?;
            if interrupt.is_set() {
                draft.interrupted(true);
                return Ok(Body::Nothing {});
            }
            part::measure(&resolved, workload, &interrupt, args, (part, clock))?
        }
    };
    draft.interrupted(asked.is_set());
    if interrupt.is_set() && !asked.is_set() {
        note("--max-time ended the load: the figures cover the time until then");
    }
    Ok(measured)
}

/// Starts the server, or attaches to it. The engine threads have their own cores.
fn server_for(resolved: &PreparedTarget, workload: &Workload) -> Result<Server, RunError> {
    let options = StartOptions {
        cpus: server_cores(workload),
        ..StartOptions::default()
    };
    start(&resolved.subject, options).map_err(|failure| rehearsal_error(&failure.into(), resolved))
}

/// Starts the server and runs the load, or the loads of a search.
fn measure(
    resolved: &PreparedTarget,
    mut workload: Workload,
    interrupt: &Interrupt,
    args: &LoadArgs,
) -> Result<LoadReport, RunError> {
    let server = server_for(resolved, &workload)?;
    let is_search = args.slo.is_some() || args.overload;
    let length = (!is_search).then_some(workload.warmup + workload.duration);
    let progress = LoadProgress::new(!args.output.no_progress, length);
    let put = |workload: &Workload| {
        let load = Load {
            workload,
            talk: &resolved.subject.talk,
            values: resolved.subject.values_of(&server),
            server: &server,
            interrupt,
            begin: None,
            sink: &|event| progress.show(&event),
        };
        load.run().map(|measured| summarize(workload, &measured))
    };
    let mut probe = |workload: &Workload| {
        let result = put(workload)?;
        Ok((!interrupt.is_set()).then_some(result))
    };
    let refused = |error: EngineError| usage(error.to_string());
    let (mut slo, mut over, mut last) = (None, None, None);
    if let Some(objective) = args.slo {
        args.shape.open_loop(&mut workload, 1.0, resolved);
        let found = slo::search(objective, &workload, &mut probe).map_err(refused)?;
        slo = Some(found.report);
        last = found.last;
    }
    if args.overload {
        args.shape.open_loop(&mut workload, 1.0, resolved);
        let report = overload(&workload, &mut probe).map_err(refused)?;
        // The full report describes a load at the knee.
        let lightest = report.steps.first().map(|step| step.offered_per_s);
        if let Some(rate) = report.knee_per_s.or(lightest) {
            args.shape.open_loop(&mut workload, rate, resolved);
        }
        over = Some(report);
    }
    let (workload, result) = match last {
        Some(last) => last,
        None => {
            let result = put(&workload).map_err(refused)?;
            (workload, result)
        }
    };
    progress.finish();
    Ok(LoadReport {
        workload,
        result,
        slo,
        overload: over,
        part: None,
        parts: None,
    })
}

/// Checks that `connections` fit the limits of descriptors and ports, and raises the limit of the built-in server to
/// that number.
pub(super) fn room_for(
    connections: usize,
    target: &TargetArgs,
    resolved: &mut PreparedTarget,
    seed: u64,
) -> Result<(), RunError> {
    let (soft, _) = crate::sys::raise_nofile_limit().unwrap_or_else(|_| initial_nofile());
    let address = match &resolved.subject.origin {
        Origin::Attach { endpoint, .. } => Some(&endpoint.address),
        Origin::Spawn(_) => None,
    };
    capacity::check(connections, soft, address).map_err(usage)?;
    let places = connections as u64 + capacity::DESCRIPTORS_BESIDE;
    if target.embedded
        && let Some(roomy) =
            super::embedded::with_connections(places.max(1000), &target.params, seed)?
    {
        *resolved = roomy;
    }
    Ok(())
}
