//! `tcprove load`: one load.

pub(super) mod progress;
mod shape;

use std::process::ExitCode;
use std::time::Instant;

use self::progress::LoadProgress;
pub(super) use self::shape::ShapeArgs;
use self::shape::SpanArgs;
use super::output::OutputArgs;
use super::page::PageArgs;
use super::setup;
use super::target::{Resolved, TargetArgs, usage};
use crate::check::run::{Interrupt, Origin, start};
use crate::load::engine::EngineError;
use crate::load::{Load, Slo, Workload, capacity, cores, overload, slo, summarize};
use crate::plan::{LoadPlan, hash_of};
use crate::report::{Body, LoadReport, Report, RunError};
use crate::sys::initial_nofile;
use crate::target::StartOptions;

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
    args.output.apply_color();
    let seed = args.shape.seed.unwrap_or_else(setup::clock_seed);
    let mut report = Report::new("load", seed);
    report.body = Body::Nothing {};
    let begun = Instant::now();
    if let Err(error) = fill(&mut report, args) {
        report.error = Some(error);
    }
    report.duration_s = begun.elapsed().as_secs_f64();
    args.page.write(&report);
    args.output.finish(&report)
}

fn fill(report: &mut Report, args: &LoadArgs) -> Result<(), RunError> {
    args.output.prepare()?;
    args.page.prepare()?;
    let mut resolved = args.target.resolve(report.seed)?;
    let most = args.span.most_connections(&args.shape);
    room_for(most, &args.target, &mut resolved, report.seed)?;
    report.target = Some(resolved.report());
    let mut workload = args.shape.workload(&resolved, report.seed)?;
    args.span.set(&args.shape, &mut workload, &resolved)?;
    let plan = LoadPlan {
        server: setup::server_plan(&resolved),
        talk: resolved.subject.talk.name.clone(),
        workload: workload.clone(),
        slo: args.slo.map(|slo| slo.to_string()),
        overload: args.overload,
        on_inconclusive: args.output.on_inconclusive.into(),
    };
    report.planned(&plan, hash_of(&plan));
    let interrupt = setup::interrupt()?;
    setup::announce(report, &resolved);
    if !setup::holds_conversation(report, &resolved, &interrupt)? {
        return Ok(());
    }
    let measured = measure(&resolved, workload, &interrupt, args)?;
    report.interrupted = interrupt.is_set();
    report.measured(measured);
    Ok(())
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
        .map_err(|failure| setup::trial_error(&failure.into(), resolved))?;
    let progress = LoadProgress::new(!args.output.no_progress);
    let put = |workload: &Workload| {
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
        // What is reported in full is a load at the knee.
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
    })
}

/// Makes sure that so many connections are possible: by our descriptors and ports, and the places of the built-in
/// server.
pub(super) fn room_for(
    connections: usize,
    target: &TargetArgs,
    resolved: &mut Resolved,
    seed: u64,
) -> Result<(), RunError> {
    let (soft, _) = crate::sys::raise_nofile_limit().unwrap_or_else(|_| initial_nofile());
    let addr = match &resolved.subject.origin {
        Origin::Attach { addr, .. } => Some(*addr),
        Origin::Spawn(_) => None,
    };
    capacity::check(connections, soft, addr).map_err(usage)?;
    let given = target
        .params
        .iter()
        .any(|(name, _)| name.replace('-', "_") == "max_connections");
    if target.embedded && !given {
        let mut params = target.params.clone();
        let places = connections as u64 + capacity::DESCRIPTORS_BESIDE;
        params.push(("max_connections".into(), places.max(1000).to_string()));
        *resolved = super::embedded::from_parameters(&params, seed)?;
    }
    Ok(())
}
