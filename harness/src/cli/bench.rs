//! `tcprove bench`: a sweep over settings, and which value is best.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;

use super::draft::{self, Draft};
use super::load::{ShapeArgs, are_served, room_for};
use super::output::{OutputArgs, note};
use super::place::replace;
use super::progress::StepProgress;
use super::rehearse::{holds_conversation, rehearsal_error};
use super::scheduler::{self, Part};
use super::target::{PreparedTarget, TargetArgs, usage};
use super::{interrupt, target};
use crate::bench::{
    BUDGET_LEAST, BUDGET_QUICK, Dimension, Knob, Sweep, SweepError, SweepPlan, csv, parse_all,
};
use crate::event::Event;
use crate::report::{Body, Report, RunError, SweepReport};

/// Arguments of `bench`.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct BenchArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub shape: ShapeArgs,
    /// Vary payload, connections, pipeline, client.so_rcvbuf, client.so_sndbuf, client.mss or
    /// server.PARAMETER; may be repeated
    #[arg(long, value_name = "NAME=A,B,C")]
    pub sweep: Vec<String>,
    /// Finish in under 20 seconds
    #[arg(long, conflicts_with = "max_time")]
    pub quick: bool,
    /// Set the approximate duration [default: 75s]
    #[arg(long, value_name = "TIME", value_parser = target::duration)]
    pub max_time: Option<Duration>,
    /// Set the number of visits per cell, in all parts together [default: as many as the time allows, at least 6]
    #[arg(long, value_name = "N")]
    pub rounds: Option<usize>,
    /// Run only part I of N of the rounds, beside the others; `auto` asks the scheduler that started this (Slurm, Kubernetes,
    /// GitLab, Buildkite, CircleCI, TEST_SHARD_INDEX) which one. Each part takes --max-time
    #[arg(long, value_name = "I/N|auto", value_parser = scheduler::part)]
    pub shard: Option<Part>,
    /// Write the cells as comma-separated values
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
}

pub(super) fn main(args: &BenchArgs) -> ExitCode {
    let draft = Draft::new("bench", args.shape.seed);
    let perform = |draft: &mut Draft| perform(draft, args);
    draft::run_then(draft, &args.output, perform, |report| {
        write_cells(report, args.csv.as_deref());
    })
}

/// Writes the cells of a sweep as comma-separated values.
pub(super) fn write_cells(report: &Report, path: Option<&Path>) {
    if let (Body::Sweep(sweep), Some(path)) = (&report.body, path)
        && let Err(error) = replace(path, csv::render(&sweep.result).as_bytes())
    {
        note(&format!(
            "error: --csv {} cannot be written: {error}",
            path.display()
        ));
    }
}

/// The quick sweep of `run`, which is shorter if it begins late.
pub(super) fn quick(
    draft: &mut Draft,
    target: &TargetArgs,
    output: &OutputArgs,
    late: Duration,
) -> Result<Body, RunError> {
    let args = BenchArgs {
        target: target.clone(),
        output: output.clone(),
        shape: ShapeArgs::usual(),
        sweep: Vec::new(),
        quick: false,
        max_time: Some(BUDGET_QUICK.saturating_sub(late).max(BUDGET_LEAST)),
        rounds: None,
        shard: None,
        csv: None,
    };
    perform(draft, &args)
}

fn perform(draft: &mut Draft, args: &BenchArgs) -> Result<Body, RunError> {
    let seed = draft.seed();
    let mut target = args.target.clone();
    let mut resolved = target.resolve(seed)?;
    let axes = axes(args, &resolved)?;
    if target.embedded {
        flags(&axes, &mut target);
        resolved = target.resolve(seed)?;
    }
    let promise = &resolved.subject.promise;
    let most = most_connections(&axes).max(args.shape.connections_to(promise));
    are_served(most, promise)?;
    room_for(most, &target, &mut resolved, seed)?;
    draft.target(&resolved);
    let plan = plan(args, axes, &resolved, seed)?;
    let hash = draft::run_plan(&resolved, plan.clone().whole(), &args.output).hash();
    draft.planned(&draft::run_plan(&resolved, &plan, &args.output), hash);
    let interrupt = interrupt::watch()?;
    draft.announce(&resolved);
    if let Some(part) = &args.shard {
        part.announce();
    }
    if !holds_conversation(&resolved, &interrupt)? {
        draft.interrupted(true);
        return Ok(Body::Nothing {});
    }
    let progress = Mutex::new(StepProgress::new(!args.output.no_progress));
    let sweep = Sweep {
        subject: &resolved.subject,
        plan: &plan,
        interrupt: &interrupt,
        sink: &|event| {
            if let (Event::Step { done, all, what }, Ok(progress)) = (event, progress.lock()) {
                progress.show(done, all, &what);
            }
        },
    };
    let done = sweep.run();
    if let Ok(progress) = progress.lock() {
        progress.finish();
    }
    draft.interrupted(interrupt.is_set());
    let measured = done.map_err(|error| refused(error, &resolved))?;
    Ok(Body::Sweep(Box::new(SweepReport {
        result: measured.result(&plan.axes),
        part: plan.shard.map(|_| Box::new(measured)),
    })))
}

fn refused(error: SweepError, resolved: &PreparedTarget) -> RunError {
    match error {
        SweepError::Start(failure) => rehearsal_error(&(*failure).into(), resolved),
        other => usage(other.to_string()),
    }
}

/// The axes of `--sweep`, or defaults that suit any server.
fn axes(args: &BenchArgs, resolved: &PreparedTarget) -> Result<Vec<Dimension>, RunError> {
    if !args.sweep.is_empty() {
        return parse_all(&args.sweep).map_err(|error| usage(format!("--sweep: {error}")));
    }
    if resolved.embedded {
        return Ok(SweepPlan::axes_of_the_reference_server());
    }
    let usual_connections = match resolved.subject.promise.limits.connections {
        Some(limit @ ..2) => format!("connections={limit}"),
        Some(limit @ ..11) => format!("connections=1,{limit}"),
        Some(limit @ ..50) => format!("connections=1,10,{limit}"),
        Some(_) | None => "connections=1,10,50".to_owned(),
    };
    let mut usual = vec![usual_connections.as_str()];
    if resolved.subject.talk.payload_turns().next().is_some() {
        usual.insert(0, "payload=64,1KiB,16KiB");
    }
    parse_all(usual).map_err(|error| RunError::internal(error.to_string()))
}

/// Makes the varied parameters of the built-in server flags of its command.
fn flags(axes: &[Dimension], target: &mut TargetArgs) {
    for axis in axes {
        let Knob::Server(name) = &axis.knob else {
            continue;
        };
        let given = target.params.iter().any(|(known, _)| known == name);
        if let Some(first) = axis.axis().values.first()
            && !given
        {
            target.params.push((name.clone(), first.clone()));
        }
    }
}

fn plan(
    args: &BenchArgs,
    axes: Vec<Dimension>,
    resolved: &PreparedTarget,
    seed: u64,
) -> Result<SweepPlan, RunError> {
    let mut shape = args.shape.clone();
    if axes.iter().any(|axis| axis.knob == Knob::Payload) {
        // Selects the turn that has a payload; its size is set for each cell.
        shape.payload.get_or_insert(1);
    }
    let base = shape.workload(resolved, seed)?;
    let plan = SweepPlan::new(axes, base, seed);
    let plan = match args.max_time {
        _ if args.quick => plan.quick(),
        Some(time) => plan.within(time),
        None => plan,
    };
    let plan = match &args.shard {
        Some(part) => plan.divided(part.shard),
        None => plan,
    };
    let parts = plan.shard.map_or(1, |shard| shard.count);
    match args.rounds {
        Some(0) => Err(usage("--rounds must be at least 1".into())),
        Some(rounds) if rounds < parts => Err(usage(format!(
            "--rounds {rounds} cannot be divided into {parts} parts: each runs whole rounds\nnext: give --rounds {parts} or more, or fewer parts"
        ))),
        Some(rounds) => Ok(SweepPlan { rounds, ..plan }),
        None => Ok(plan),
    }
}

fn most_connections(axes: &[Dimension]) -> usize {
    let connections = axes.iter().filter(|axis| axis.knob == Knob::Connections);
    let values = connections.flat_map(|axis| axis.axis().values);
    values
        .filter_map(|value| value.parse().ok())
        .max()
        .unwrap_or(0)
}
