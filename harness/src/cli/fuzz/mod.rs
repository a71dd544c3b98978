//! `tcprove fuzz`: a campaign over the wire.

mod coverage;
mod literals;
mod progress;
mod strings;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use self::progress::FuzzProgress;
use super::draft::Draft;
use super::output::{OutputArgs, note};
use super::rehearse::rehearsal_error;
use super::scheduler::{self, Part};
use super::target::{PreparedTarget, TargetArgs, usage};
use super::{against, draft, interrupt, recent, target};
use crate::check::blockers;
use crate::fuzz::campaign::{Campaign, CampaignError};
use crate::fuzz::feedback::FeedbackMode;
use crate::fuzz::plan;
use crate::fuzz::plan::{FuzzPlan, MemberNumber};
use crate::fuzz::reproducer::Recipe;
use crate::process::Tmp;
use crate::report::{Body, FuzzReport, RunError};
use crate::subject::{Interrupt, RehearsalError};

/// Maximum servers in parallel: each needs a process, a thread and a folder.
const JOBS_MAX: u16 = 64;
/// Default folder for findings.
pub(super) const OUT: &str = "tcprove-fuzz";

/// Arguments of `fuzz`.
#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct FuzzArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    /// End after this time, of which settling findings takes at most a third [default: 30s]
    #[arg(long, visible_alias = "max-time", value_name = "TIME", value_parser = target::duration)]
    pub duration: Option<Duration>,
    /// End after this many cases; two runs with the same seed then run the same cases
    #[arg(long, value_name = "N")]
    pub cases: Option<u64>,
    /// Run this many servers in parallel [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(JOBS_MAX)))]
    pub jobs: Option<u16>,
    /// Run the cases in this folder first, and add cases that show something new
    /// [default: corpus in --out]
    #[arg(long, value_name = "DIR")]
    pub corpus: Option<PathBuf>,
    /// Work together with every campaign that uses the same --corpus, on any machine: take in what they have found after this
    /// time, and settle each finding once; needs --corpus
    #[arg(long, value_name = "TIME", value_parser = interval)]
    pub sync: Option<Duration>,
    /// This is member I of N campaigns, each with cases of its own; `auto` asks the scheduler that started this (Slurm,
    /// Kubernetes, GitLab, Buildkite, CircleCI, TEST_SHARD_INDEX). Files go to a folder I-of-N in --out
    #[arg(long, value_name = "I/N|auto", value_parser = scheduler::part)]
    pub part: Option<Part>,
    /// Write each finding to a folder of its own below this one
    #[arg(long, value_name = "DIR", default_value = OUT)]
    pub out: PathBuf,
    /// Choose what guides the campaign
    #[arg(long, value_name = "WHAT", default_value = "auto")]
    pub feedback: FeedbackArg,
    /// Write which lines and functions were reached, as `lcov` or `lcov=FILE` [default file: coverage.info in --out];
    /// needs breakpoints, which with --feedback shape or none count only
    #[arg(long, value_name = "FORMAT", value_parser = coverage::format)]
    pub coverage: Option<coverage::CoverageFile>,
    /// See the code of shared libraries too whose file names begin with this; for example libssl
    #[arg(long, value_name = "NAME")]
    pub library: Vec<String>,
    /// Add the strings of this file to the dictionary; for example the server's executable
    #[arg(long, value_name = "FILE")]
    pub strings: Vec<PathBuf>,
    /// The folder for the logs of running epochs; not an argument.
    #[arg(skip)]
    pub logs: Option<PathBuf>,
    /// Send every case to the server that this command starts, too, and report where its replies differ: one string
    /// that contains {port}
    #[arg(long, value_name = "CMD")]
    pub against: Option<String>,
    /// Let cases give system calls of the server other results too, such as an error that no client can cause; costs a part
    /// of the speed
    #[arg(long, conflicts_with = "against")]
    pub inject: bool,
    /// After the end, settle the findings that there was no time for, however long that takes
    #[arg(long)]
    pub settle: bool,
    /// End with the first finding that fresh servers show again
    #[arg(long)]
    pub stop_on_first: bool,
    /// Use this random seed [default: from the clock]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

impl FuzzArgs {
    fn member(&self) -> Option<MemberNumber> {
        let number = self.part.as_ref()?.shard;
        Some(MemberNumber {
            index: number.index,
            count: number.count,
        })
    }

    /// The folder of this campaign: members may share --out.
    fn place(&self) -> PathBuf {
        match self.member() {
            Some(member) => self
                .out
                .join(format!("{}-of-{}", member.index, member.count)),
            None => self.out.clone(),
        }
    }
}

/// Minimum of `--sync`: each look lists the folder.
const SYNC_MIN: Duration = Duration::from_millis(100);

fn interval(text: &str) -> Result<Duration, String> {
    let time = target::duration(text)?;
    match time >= SYNC_MIN {
        true => Ok(time),
        false => Err("the folder is read every 0.1s at most; 30s is usual".into()),
    }
}

/// The feedback mode as an argument.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default)]
pub(super) enum FeedbackArg {
    /// The best that the server and the system support; the first lines say what that is
    #[default]
    Auto,
    /// The basic blocks of the server's program, seen by breakpoints, and the shape of the replies
    Breakpoints,
    /// The edges (jumps between basic blocks) that a server counts which was built by AFL's compilers, or with -fsanitize-coverage and the file of
    /// `tcprove generate coverage`; and the shape of the replies
    Edges,
    /// The lines and instructions of a server in Python 3.12 or later, and the shape of the replies
    Python,
    /// The functions and blocks of a server in Node, and the shape of the replies
    Node,
    /// The shape of the replies
    Shape,
    /// No feedback
    None,
}

impl From<FeedbackArg> for FeedbackMode {
    fn from(argument: FeedbackArg) -> Self {
        match argument {
            FeedbackArg::Auto => Self::Auto,
            FeedbackArg::Breakpoints => Self::Breakpoints,
            FeedbackArg::Edges => Self::Edges,
            FeedbackArg::Python => Self::Python,
            FeedbackArg::Node => Self::Node,
            FeedbackArg::Shape => Self::Shape,
            FeedbackArg::None => Self::None,
        }
    }
}

pub(super) fn main(args: &FuzzArgs) -> ExitCode {
    let draft = Draft::new("fuzz", args.seed);
    let campaign = |draft: &mut Draft| {
        let begun = draft.begun();
        perform(draft, args, begun)
    };
    draft::run_then(draft, &args.output, campaign, recent::keep)
}

/// The short campaign of `run`, which leaves nothing but findings behind.
pub(super) fn short(
    draft: &mut Draft,
    target: &TargetArgs,
    output: &OutputArgs,
    duration: Duration,
) -> Result<Body, RunError> {
    let scratch = Tmp::new().map_err(|error| {
        RunError::internal(format!("a temporary folder cannot be created: {error}"))
    })?;
    let args = FuzzArgs {
        target: target.clone(),
        output: output.clone(),
        duration: Some(duration),
        corpus: Some(scratch.path().join("corpus")),
        logs: Some(scratch.path().to_owned()),
        out: OUT.into(),
        ..FuzzArgs::default()
    };
    perform(draft, &args, Instant::now())
}

/// A short campaign on a server that leaves its corpus and its findings in this folder, for a comparison.
pub(super) fn cases_of(
    server: &PreparedTarget,
    target: &TargetArgs,
    folder: &Path,
    duration: Duration,
    seed: u64,
    interrupt: &Interrupt,
) -> Result<(), RunError> {
    let args = FuzzArgs {
        duration: Some(duration),
        out: folder.to_owned(),
        seed: Some(seed),
        // To see a large program's code takes longer to prepare than the campaign lasts.
        feedback: FeedbackArg::Shape,
        ..FuzzArgs::default()
    };
    let plan = fuzz_plan(&args, server)?;
    let campaign = campaign(server, target, plan, Vec::new(), interrupt.clone());
    match campaign.run(&|_| {}) {
        Ok(_) => Ok(()),
        Err(CampaignError::Rehearsal(error)) if matches!(*error, RehearsalError::Interrupted) => {
            Ok(())
        }
        Err(error) => Err(refused(error, server)),
    }
}

fn perform(draft: &mut Draft, args: &FuzzArgs, begun: Instant) -> Result<Body, RunError> {
    knows_where_to_share(args)?;
    let member = args.member();
    let seed = member.map_or(draft.seed(), |member| member.seed(draft.seed()));
    let resolved = args.target.resolve(seed)?;
    draft.target(&resolved);
    let plan = fuzz_plan(args, &resolved)?;
    let of_fleet = FuzzPlan {
        member: None,
        ..plan.clone()
    };
    let hash = draft::run_plan(&resolved, &of_fleet, &args.output).hash();
    draft.planned(&draft::run_plan(&resolved, &plan, &args.output), hash);
    let interrupt = interrupt::watch()?;
    draft.announce(&resolved);
    if let Some(part) = &args.part {
        part.announce();
        if args.sync.is_none() {
            note(
                "It shares nothing with the other members while they run: --corpus DIR --sync 30s would.",
            );
        }
    }
    let mut strings = strings::of_files(&args.strings)?;
    if let Some(launch) = resolved.subject.launch().filter(|_| !resolved.embedded) {
        strings.extend(literals::of_server(launch));
    }
    let progress = FuzzProgress::new(!args.output.no_progress, plan.duration);
    let mut campaign = campaign(&resolved, &args.target, plan, strings, interrupt.clone());
    if let Some(cmd) = &args.against {
        campaign.against = Some(against::resolve(
            &args.target,
            &resolved,
            cmd,
            draft.seed(),
        )?);
        campaign.recipe.add_to_replay(&against::words(cmd));
    }
    campaign.begun = begun;
    let outcome = campaign.run(&|event| progress.show(event));
    progress.finish();
    draft.interrupted(interrupt.is_set());
    match outcome {
        Ok(result) => {
            if let (Some(file), Some(code)) = (&args.coverage, &result.coverage.code) {
                file.write(&args.place(), code)?;
            }
            Ok(Body::Fuzz(Box::new(FuzzReport { result })))
        }
        Err(CampaignError::Rehearsal(error)) if matches!(*error, RehearsalError::Interrupted) => {
            Ok(Body::Nothing {})
        }
        Err(error) => Err(refused(error, &resolved)),
    }
}

/// Members that share the folder in `--out` would share it with nobody on another machine, and say nothing.
fn knows_where_to_share(args: &FuzzArgs) -> Result<(), RunError> {
    if args.sync.is_some() && args.corpus.is_none() {
        return Err(usage(
            "--sync shares discoveries through a folder, and none is given\nnext: add --corpus DIR, the same folder for every member, on every machine".into(),
        ));
    }
    Ok(())
}

fn fuzz_plan(args: &FuzzArgs, resolved: &PreparedTarget) -> Result<FuzzPlan, RunError> {
    let several = resolved.subject.runs_beside_itself();
    if !several && args.jobs.is_some_and(|jobs| jobs > 1) {
        let why = match resolved.subject.launch() {
            None => {
                "--connect uses a single running one\nnext: leave out --jobs, or give the command that starts the server"
            }
            Some(_) => "`singleton = true` allows one instance at a time\nnext: leave out --jobs",
        };
        return Err(usage(format!("--jobs starts several servers, but {why}")));
    }
    let (feedback, watch) = match args.coverage {
        Some(_) => coverage::feedback(args.feedback)?,
        None => (args.feedback.into(), false),
    };
    let jobs = args.jobs.map_or_else(plan::usual_jobs, usize::from);
    let endless = args.duration.is_none() && args.cases.is_none();
    Ok(FuzzPlan {
        jobs: if several { jobs } else { 1 },
        duration: args.duration.or(endless.then_some(plan::DURATION)),
        cases: args.cases,
        settle: args.settle,
        inject: args.inject,
        stop_on_first: args.stop_on_first,
        feedback,
        watch,
        code: args.coverage.is_some() || args.output.html.is_some(),
        libraries: args.library.clone(),
        member: args.member(),
        sync: args.sync,
        corpus: Some(
            args.corpus
                .clone()
                .unwrap_or_else(|| args.out.join("corpus")),
        ),
        logs: args
            .logs
            .clone()
            .unwrap_or_else(|| args.place().join("running")),
        out: args.place(),
    })
}

pub(super) fn campaign(
    resolved: &PreparedTarget,
    target: &TargetArgs,
    plan: FuzzPlan,
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
        plan,
        strings,
        waivers: blockers::in_force(&resolved.file.waive),
        recipe,
        against: None,
        interrupt,
        begun: Instant::now(),
    }
}

pub(super) fn refused(error: CampaignError, resolved: &PreparedTarget) -> RunError {
    let error = match error {
        CampaignError::Rehearsal(error) => return rehearsal_error(&error, resolved),
        error => error,
    };
    match &error {
        CampaignError::SingleClient(_) => RunError::target(format!(
            "{error}\nnext: run `tcprove check` for details; a campaign needs a server that keeps serving"
        )),
        CampaignError::Feedback(..) => RunError::target(format!(
            "{error}\nnext: --feedback auto uses the best that is possible"
        )),
        CampaignError::Inject(_) => RunError::target(format!(
            "{error}\nnext: leave out --inject, or run where seccomp filters and pidfd_getfd(2) are allowed: a container may need CAP_SYS_PTRACE"
        )),
        CampaignError::Against(_) => RunError::target(format!(
            "{error}\nnext: start it by hand, and compare with the talk"
        )),
        CampaignError::Fleet(..) => usage(format!(
            "{error}\nnext: give a folder with --corpus that every member can read and write"
        )),
        CampaignError::Corpus(_) => usage(format!(
            "the corpus cannot be read: {error}\nnext: remove that file from the folder, or give another folder with --corpus"
        )),
        CampaignError::Folder(..) | CampaignError::Rehearsal(_) => {
            usage(format!("{error}\nnext: give a writable folder with --out"))
        }
    }
}
