//! `tcprove fuzz`: a campaign over the wire.

mod progress;
mod strings;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use self::progress::FuzzProgress;
use super::output::OutputArgs;
use super::target::{Resolved, TargetArgs, usage};
use super::{blockers, setup, target};
use crate::check::run::{Interrupt, TrialError};
use crate::fuzz::campaign::{self, Campaign, CampaignError, Orders};
use crate::fuzz::feedback::Guide;
use crate::fuzz::reproducer::Recipe;
use crate::plan::{FuzzPlan, hash_of};
use crate::report::{Body, FuzzReport, Report, RunError};
use crate::target::Tmp;

/// Instances of the server at most: each is a process, a thread and a folder.
const JOBS_MAX: u16 = 64;
/// Where findings go if nothing else is said.
const OUT: &str = "tcprove-fuzz";

/// Arguments of `fuzz`.
#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct FuzzArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    /// End after this; what was found is then still confirmed and made small [default: 30s]
    #[arg(long, visible_alias = "max-time", value_name = "TIME", value_parser = target::duration)]
    pub duration: Option<Duration>,
    /// End after so many cases: two runs with the same seed do the same
    #[arg(long, value_name = "N")]
    pub cases: Option<u64>,
    /// Instances of the server beside each other [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(JOBS_MAX)))]
    pub jobs: Option<u16>,
    /// The folder of cases that come first, and where cases that show something new are kept
    /// [default: corpus in --out]
    #[arg(long, value_name = "DIR")]
    pub corpus: Option<PathBuf>,
    /// Where findings are written, each in a folder of its own
    #[arg(long, value_name = "DIR", default_value = OUT)]
    pub out: PathBuf,
    /// What guides the campaign
    #[arg(long, value_name = "WHAT", default_value = "auto")]
    pub feedback: FeedbackArg,
    /// A file whose strings become words of the dictionary: the server's program, say
    #[arg(long, value_name = "FILE")]
    pub strings: Vec<PathBuf>,
    /// Where the logs of epochs under way are kept; not an argument.
    #[arg(skip)]
    pub logs: Option<PathBuf>,
    /// End with the first finding
    #[arg(long)]
    pub stop_on_first: bool,
    /// The seed of everything random [default: from the clock]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

/// The feedback by name.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default)]
pub(super) enum FeedbackArg {
    /// The best that the server offers
    #[default]
    Auto,
    /// The shape of the replies
    Shape,
    /// None
    None,
}

impl From<FeedbackArg> for Guide {
    fn from(argument: FeedbackArg) -> Self {
        match argument {
            FeedbackArg::Auto | FeedbackArg::Shape => Self::Shape,
            FeedbackArg::None => Self::None,
        }
    }
}

pub(super) fn main(args: &FuzzArgs) -> ExitCode {
    args.output.apply_color();
    let seed = args.seed.unwrap_or_else(setup::clock_seed);
    let mut report = Report::new("fuzz", seed);
    report.body = Body::Nothing {};
    let begun = Instant::now();
    if let Err(error) = fill(&mut report, args) {
        report.error = Some(error);
    }
    report.duration_s = begun.elapsed().as_secs_f64();
    args.output.finish(&report)
}

/// The short campaign of `run`: it leaves nothing behind but findings.
pub(super) fn short(
    report: &mut Report,
    target: &TargetArgs,
    output: &OutputArgs,
    duration: Duration,
) -> Result<(), RunError> {
    let scratch = Tmp::new()
        .map_err(|error| setup::internal(format!("no temporary folder can be made: {error}")))?;
    let args = FuzzArgs {
        target: target.clone(),
        output: output.clone(),
        duration: Some(duration),
        corpus: Some(scratch.path().join("corpus")),
        logs: Some(scratch.path().to_owned()),
        out: OUT.into(),
        ..FuzzArgs::default()
    };
    fill(report, &args)
}

fn fill(report: &mut Report, args: &FuzzArgs) -> Result<(), RunError> {
    args.output.prepare()?;
    let resolved = args.target.resolve(report.seed)?;
    report.target = Some(resolved.report());
    let orders = orders(args, &resolved)?;
    let plan = FuzzPlan {
        server: setup::server_plan(&resolved),
        talk: resolved.subject.talk.name.clone(),
        orders: orders.clone(),
        on_inconclusive: args.output.on_inconclusive.into(),
    };
    report.planned(&plan, hash_of(&plan));
    let interrupt = setup::interrupt()?;
    setup::announce(report, &resolved);
    let strings = strings::of_files(&args.strings)?;
    let progress = FuzzProgress::new(!args.output.no_progress, orders.duration);
    let campaign = campaign(&resolved, &args.target, orders, strings, interrupt.clone());
    let outcome = campaign.run(&|event| progress.show(event));
    progress.finish();
    report.interrupted = interrupt.is_set();
    match outcome {
        Ok(result) => report.fuzzed(FuzzReport { result }),
        Err(CampaignError::Trial(error)) if matches!(*error, TrialError::Interrupted) => {}
        Err(error) => return Err(refused(error, &resolved)),
    }
    Ok(())
}

fn orders(args: &FuzzArgs, resolved: &Resolved) -> Result<Orders, RunError> {
    let fresh = resolved.subject.launch().is_some();
    if !fresh && args.jobs.is_some_and(|jobs| jobs > 1) {
        return Err(usage(
            "--jobs starts servers beside each other; with --connect there is one that runs already".into(),
        ));
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = args.jobs.map_or(cores.min(8), usize::from);
    let endless = args.duration.is_none() && args.cases.is_none();
    Ok(Orders {
        jobs: if fresh { jobs } else { 1 },
        duration: args.duration.or(endless.then_some(campaign::DURATION)),
        cases: args.cases,
        stop_on_first: args.stop_on_first,
        feedback: args.feedback.into(),
        corpus: Some(
            args.corpus
                .clone()
                .unwrap_or_else(|| args.out.join("corpus")),
        ),
        logs: args
            .logs
            .clone()
            .unwrap_or_else(|| args.out.join("running")),
        out: args.out.clone(),
    })
}

pub(super) fn campaign(
    resolved: &Resolved,
    target: &TargetArgs,
    orders: Orders,
    strings: Vec<Vec<u8>>,
    interrupt: Interrupt,
) -> Campaign {
    let replay = format!(
        "{} replay {{folder}} {}",
        super::check::program(),
        target.words()
    );
    let recipe = Recipe::of(&resolved.subject, replay.trim_end().to_owned());
    Campaign {
        subject: resolved.subject.clone(),
        orders,
        strings,
        waivers: blockers::in_force(&resolved.file.waive),
        recipe,
        interrupt,
    }
}

pub(super) fn refused(error: CampaignError, resolved: &Resolved) -> RunError {
    let error = match error {
        CampaignError::Trial(error) => return setup::trial_error(&error, resolved),
        error => error,
    };
    match &error {
        CampaignError::SingleClient(_) => RunError {
            code: "target",
            message: format!(
                "{error}\nnext: `tcprove check` says more; a campaign needs a server that goes on serving"
            ),
            location: None,
        },
        CampaignError::Corpus(_) => usage(format!(
            "the corpus: {error}\nnext: take that file out of the folder, or give another one with --corpus"
        )),
        CampaignError::Folder(..) | CampaignError::Trial(_) => usage(format!(
            "{error}\nnext: give a folder that can be written to with --out"
        )),
    }
}
