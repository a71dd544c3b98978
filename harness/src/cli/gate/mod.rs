//! `tcprove gate`: is the candidate worse than its base?

mod behaviour;
mod counts;
mod sides;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use self::sides::{Rehearsed, Sides, Speed};
use super::draft::Draft;
use super::load::ShapeArgs;
use super::output::{OutputArgs, note};
use super::progress::StepProgress;
use super::scheduler::{self, Part};
use super::target::{PreparedTarget, TargetArgs, usage};
use super::{draft, interrupt, target};
use crate::data::Shard;
use crate::event::Event;
use crate::gate::metric::Metric;
use crate::gate::plan::cells;
use crate::gate::{
    Gate, GatePlan, GateRequest, GateResult, GateSamples, MAX_TIME, Pair, TooShort, metric, same,
};
use crate::load::Workload;
use crate::report::{Behaviour, Body, Contents, GateReport, RunError, RunPlan, Servers, history};
use crate::subject::Interrupt;

/// Arguments of `gate`.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct GateArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    /// Start the base with this command, one string that contains {port}
    #[arg(long, value_name = "CMD")]
    pub base: Option<String>,
    /// Start the candidate with this command [default: the command in the file]
    #[arg(long, value_name = "CMD")]
    pub candidate: Option<String>,
    /// Compare counts with a stored baseline, if the base can no longer be started
    #[arg(long, value_name = "FILE", conflicts_with = "base")]
    pub baseline: Option<PathBuf>,
    /// Count the candidate and store the counts as a baseline
    #[arg(long, value_name = "FILE", conflicts_with_all = ["base", "baseline"])]
    pub save_baseline: Option<PathBuf>,
    /// Set how much worse a metric may become, such as server-cpu=2%, and let it decide; may be repeated
    #[arg(long, value_name = "METRIC=PERCENT", value_parser = budget)]
    pub budget: Vec<(Metric, f64)>,
    /// Allow comparing a server with itself, to see how steady this machine is
    #[arg(long)]
    pub allow_same: bool,
    /// Name the functions in which something changed, even if no metric got worse
    #[arg(long, conflicts_with_all = ["baseline", "save_baseline"])]
    pub explain: bool,
    #[command(flatten)]
    pub behaviour: behaviour::BehaviourArgs,
    /// Append the result as one line of JSON to a file, for `tcprove history`
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
    /// Name the commit of the candidate in the history [default: what the CI says, such as GITHUB_SHA or CI_COMMIT_SHA]
    #[arg(long, value_name = "NAME", requires = "history")]
    pub commit: Option<String>,
    /// This is gate I of N with the same arguments, whose reports `tcprove merge` makes one of; `auto` asks the scheduler that
    /// started this (Slurm, Kubernetes, GitLab, Buildkite, CircleCI, TEST_SHARD_INDEX). A gate that is missing is then noticed
    #[arg(long, value_name = "I/N|auto", value_parser = scheduler::part)]
    pub part: Option<Part>,
    /// Limit the duration of the gate [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = target::duration)]
    pub max_time: Option<Duration>,
    /// Set the number of sessions in the first stage [default: 20, more if --max-time allows]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(7..=2000))]
    pub sessions: Option<u16>,
    /// Set the size of {payload} in turns that contain it
    #[arg(long, value_name = "SIZE", value_parser = target::size)]
    pub payload: Option<usize>,
    /// Say this turn of the talk, counted from 0; may be repeated [default: all turns]
    #[arg(long = "turn", value_name = "N")]
    pub turns: Vec<usize>,
    /// Seed all random choices [default: from the clock]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

fn budget(text: &str) -> Result<(Metric, f64), String> {
    let (name, share) = text
        .split_once('=')
        .ok_or("write it as METRIC=PERCENT, as in server-cpu=2%")?;
    let names = || metric::ALL.map(Metric::name).join(", ");
    let metric = Metric::find(name).ok_or_else(|| {
        let known = metric::ALL.map(Metric::name);
        let near = crate::text::nearest(name, known)
            .map_or(".".into(), |near| format!(": did you mean `{near}`?"));
        format!(
            "there is no metric `{name}`{near} The metrics are {}",
            names()
        )
    })?;
    let number = share.strip_suffix('%').unwrap_or(share).trim();
    match number.parse::<f64>() {
        Ok(percent) if (0.1..=1000.0).contains(&percent) => Ok((metric, percent / 100.0)),
        Ok(_) => Err(format!("a budget of {share} is not between 0.1% and 1000%")),
        Err(_) => Err(format!(
            "`{share}` is not a percentage: write it as in {name}=2%"
        )),
    }
}

pub(super) fn main(args: &GateArgs) -> ExitCode {
    let draft = Draft::new("gate", args.seed);
    let perform = |draft: &mut Draft| perform(draft, args);
    draft::run_then(draft, &args.output, perform, |report| {
        let now = draft::now_utc();
        let commit = args.commit.clone().or_else(commit);
        let line = history::line(report, &now, commit.as_deref());
        if let (Some(path), Some(line)) = (&args.history, line)
            && let Err(error) = append(path, &line)
        {
            note(&format!(
                "error: --history {} cannot be written: {error}",
                path.display()
            ));
        }
    })
}

/// The variables in which CI systems name the commit: GitHub Actions, GitLab, Buildkite, CircleCI, Jenkins.
const COMMIT_VARIABLES: [&str; 5] = [
    "GITHUB_SHA",
    "CI_COMMIT_SHA",
    "BUILDKITE_COMMIT",
    "CIRCLE_SHA1",
    "GIT_COMMIT",
];

/// The commit that the CI works on.
fn commit() -> Option<String> {
    let values = COMMIT_VARIABLES
        .iter()
        .filter_map(|name| std::env::var(name).ok());
    values.into_iter().find(|value| !value.is_empty())
}

fn append(path: &Path, line: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.append(true).create(true).open(path)?;
    writeln!(file, "{line}")
}

fn perform(draft: &mut Draft, args: &GateArgs) -> Result<Body, RunError> {
    match (&args.baseline, &args.save_baseline) {
        (Some(path), _) => counts::against(draft, args, path),
        (None, Some(path)) => counts::store(draft, args, path),
        (None, None) => both(draft, args),
    }
}

fn both(draft: &mut Draft, args: &GateArgs) -> Result<Body, RunError> {
    let sides = sides::both(args, draft.seed())?;
    draft.target(&sides.candidate);
    behaviour::sensible(args, &sides)?;
    let workload = workload(args, &sides.candidate, draft.seed())?;
    let interrupt = interrupt::watch()?;
    draft.announce(&sides.candidate);
    let max_time = args.max_time.unwrap_or(MAX_TIME);
    let speed = match sides.rehearse(draft, max_time, &interrupt)? {
        Rehearsed::Held(speed) => speed,
        Rehearsed::Interrupted => return Ok(Body::Nothing {}),
        Rehearsed::Broken(broken) => {
            let plan = GatePlan::without_duet(request(args, workload));
            planned(draft, args, Some(&sides.base), &sides.candidate, &plan);
            let broken = Some(broken);
            let result = GateResult {
                broken,
                ..GateResult::default()
            };
            return Ok(sides.body(result, GateSamples::default(), None));
        }
    };
    let mut plan = plan(args, &sides, workload, &speed)?;
    plan.explain = args.explain;
    planned(draft, args, Some(&sides.base), &sides.candidate, &plan);
    let progress = Mutex::new(StepProgress::new(!args.output.no_progress));
    let gate = Gate {
        subjects: Pair {
            base: &sides.base.subject,
            candidate: &sides.candidate.subject,
        },
        plan: &plan,
        begun: draft.begun(),
        interrupt: &interrupt,
        sink: &|event| {
            if let (Event::Step { done, all, what }, Ok(progress)) = (event, progress.lock()) {
                progress.show(done, all, &what);
            }
        },
    };
    let mut result = sides.result();
    let samples = gate.run(&mut result);
    if let Ok(progress) = progress.lock() {
        progress.finish();
    }
    let behaviour = behaviour_of(args, &sides, &result, draft.seed(), &interrupt)?;
    draft.interrupted(interrupt.is_set());
    Ok(sides.body(result, samples, behaviour))
}

/// What base and candidate do, unless one of them has broken: then there is nothing to compare.
fn behaviour_of(
    args: &GateArgs,
    sides: &Sides,
    result: &GateResult,
    seed: u64,
    interrupt: &Interrupt,
) -> Result<Option<Behaviour>, RunError> {
    match result.broken {
        Some(_) => Ok(None),
        None => behaviour::behaviour(args, sides, seed, interrupt),
    }
}

impl Sides {
    /// A result in which nothing was measured yet.
    fn result(&self) -> GateResult {
        let note = "base and candidate are other paths to files with the same content: only what these load can differ";
        GateResult {
            notes: self
                .are_copies
                .then(|| note.to_owned())
                .into_iter()
                .collect(),
            ..GateResult::default()
        }
    }

    fn body(&self, result: GateResult, samples: GateSamples, behaviour: Option<Behaviour>) -> Body {
        Body::Gate(Box::new(GateReport {
            base: Some(self.base.report().commands()),
            candidate: self.candidate.report().commands(),
            contents: Contents {
                base: content(&self.base),
                candidate: content(&self.candidate),
            },
            stored: None,
            result,
            behaviour,
            samples,
            gates: Vec::new(),
        }))
    }
}

/// The hash of the files in the command of a server.
fn content(server: &PreparedTarget) -> Option<String> {
    let launch = server.subject.launch()?;
    // What cannot be read cannot be told apart; it could be started all the same.
    same::content(launch).ok().flatten()
}

/// A plan with the number of this gate.
#[derive(JsonSchema, Serialize)]
pub(super) struct NumberedPlan<'a> {
    #[serde(flatten)]
    plan: &'a GatePlan,
    /// The number of this gate, of several that judge together.
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<Shard>,
    /// What is compared besides the metrics.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    with: &'a [behaviour::With],
}

fn planned(
    draft: &mut Draft,
    args: &GateArgs,
    base: Option<&PreparedTarget>,
    candidate: &PreparedTarget,
    plan: &GatePlan,
) {
    let written = |part| RunPlan {
        servers: Servers::BaseAndCandidate {
            base: base.map(draft::server_plan).map(Box::new),
            candidate: Box::new(draft::server_plan(candidate)),
        },
        talk: candidate.subject.talk.name.clone(),
        feature: NumberedPlan {
            plan,
            part,
            with: &args.behaviour.with,
        },
        on_inconclusive: args.output.on_inconclusive.into(),
    };
    let part = args.part.as_ref().map(|part| part.shard);
    draft.planned(&written(part), written(None).hash());
    if let Some(part) = &args.part {
        part.announce();
    }
}

fn workload(args: &GateArgs, candidate: &PreparedTarget, seed: u64) -> Result<Workload, RunError> {
    let talk = &candidate.subject.talk;
    let turns = if args.turns.is_empty() {
        (0..talk.turns.len()).collect()
    } else {
        args.turns.clone()
    };
    let shape = ShapeArgs {
        connections: Some(1),
        turns,
        payload: args.payload,
        ..ShapeArgs::usual()
    };
    shape.workload(candidate, seed)
}

fn plan(
    args: &GateArgs,
    sides: &Sides,
    workload: Workload,
    speed: &Speed,
) -> Result<GatePlan, RunError> {
    let request = GateRequest {
        cells: cells(&sides.candidate.subject, &workload.turns, args.payload),
        exchange: speed.exchange,
        ..request(args, workload)
    };
    GatePlan::new(request, speed.overhead).map_err(|error| too_short(&error))
}

/// The arguments as a request, without loads.
fn request(args: &GateArgs, workload: Workload) -> GateRequest {
    GateRequest {
        budgets: args.budget.iter().copied().collect(),
        cells: Vec::new(),
        workload,
        max_time: args.max_time.unwrap_or(MAX_TIME),
        exchange: Duration::ZERO,
        counts: true,
        sessions: args.sessions.map(usize::from),
    }
}

pub(super) fn too_short(error: &TooShort) -> RunError {
    usage(format!(
        "the time is too short: {error}\nnext: allow more with --max-time {}s",
        error.needed.as_secs()
    ))
}
