//! `tcprove check`: the battery, or a sweep of the results of system calls.

mod sweep;

pub(super) use sweep::SweepPlan;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::draft::Draft;
use super::output::{OutputArgs, say};
use super::progress::CheckProgress;
use super::rehearse::rehearsal_error;
use super::remaining::Remaining;
use super::scheduler::Part;
use super::since::{Earlier, SinceArgs};
use super::target::{PreparedTarget, TargetArgs, usage};
use super::{draft, durations, embedded, interrupt, recent, scheduler, target};
use crate::check::run::sweep::SweepCase;
use crate::check::run::{Battery, MaxTime};
use crate::check::{Check, CheckPlan, Effort, LANES, PlannedWaiver, Selection, blockers};
use crate::report::{Body, CheckReport, Learned, RunError};
use crate::subject::{Interrupt, Origin, RehearsalError, Subject};
use crate::{check, text};

#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    pub since: SinceArgs,
    /// Run only checks whose id matches; several with commas between them
    #[arg(long, value_name = "GLOB", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Skip checks whose id matches; several with commas between them
    #[arg(long, value_name = "GLOB", value_delimiter = ',')]
    pub skip: Vec<String>,
    /// List the checks and exit
    #[arg(long)]
    pub list: bool,
    /// Seed of all random values [default: from the clock]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Start no check after this time
    #[arg(long, value_name = "TIME", value_parser = target::duration)]
    pub max_time: Option<Duration>,
    /// The time after which `run` goes on to what follows the checks
    #[arg(skip)]
    pub shared_time: Option<MaxTime>,
    /// Also check promises that take long: idle time-outs of up to 5 minutes, more than 500 connections
    #[arg(long)]
    pub slow: bool,
    /// Also send traffic for a while, and check whether the server becomes slower or larger [default with --soak: 60s]
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "60s", value_parser = target::duration)]
    pub soak: Option<Duration>,
    /// Instead of the battery, give each socket call of an exchange each result that the kernel may return, one at a time;
    /// or only this one, as in accept4:3:ECONNABORTED
    #[arg(long, value_name = "CALL:N:RESULT", num_args = 0..=1, value_parser = SweepCase::parse, conflicts_with_all = ["only", "skip", "slow", "soak", "durations", "since"])]
    pub sweep: Option<Option<SweepCase>>,
    /// Run only part I of N of the battery or of the sweep; `auto` asks the scheduler that started this (Slurm, Kubernetes, GitLab, Buildkite,
    /// CircleCI, TEST_SHARD_INDEX) which one
    #[arg(long, value_name = "I/N|auto", value_parser = scheduler::part)]
    pub shard: Option<Part>,
    /// Divide the battery so that the parts take equally long, by the durations in the JSON report of an earlier run
    #[arg(long, value_name = "FILE", requires = "shard")]
    pub durations: Option<PathBuf>,
}

pub(super) fn main(args: &CheckArgs) -> ExitCode {
    if args.list {
        return list();
    }
    let draft = Draft::new("check", args.seed);
    let perform = |draft: &mut Draft| match &args.sweep {
        Some(only) => sweep::sweep(draft, args, only.clone()).map(Body::Calls),
        None => {
            let earlier = args.since.read(draft)?;
            battery_of(draft, args, earlier.as_ref()).map(Body::Check)
        }
    };
    draft::run_then(draft, &args.output, perform, recent::keep)
}

/// Runs the battery, and compares it with an earlier one.
pub(super) fn battery_of(
    draft: &mut Draft,
    args: &CheckArgs,
    earlier: Option<&Earlier>,
) -> Result<CheckReport, RunError> {
    let resolved = resolved(&args.target, draft.seed())?;
    draft.target(&resolved);
    let selection = selection(args, &resolved)?;
    let interrupt = interrupt::watch()?;
    let battery = battery(args, &resolved, &selection, interrupt.clone());
    let plan = plan(args, &resolved, selection.clone(), battery.lanes);
    let whole = draft::run_plan(&resolved, plan.clone().whole(), &args.output);
    let plan = draft::run_plan(&resolved, plan, &args.output);
    draft.planned(&plan, whole.hash());
    draft.announce(&resolved);
    if let Some(part) = &args.shard {
        part.announce();
    }
    enough_descriptors()?;
    let remaining = Remaining::of(&recent::durations(), |id| selection.wants(id));
    let progress = CheckProgress::new(!args.output.no_progress, args.output.verbose, remaining);
    let result = battery.run(&|event| progress.show(event));
    progress.finish();
    draft.interrupted(interrupt.is_set());
    let (outcomes, rehearsal) = match result {
        Ok((outcomes, rehearsal)) => (outcomes, Some(Learned::of(&rehearsal))),
        Err(RehearsalError::Interrupted) => (Vec::new(), None),
        Err(error) => return Err(rehearsal_error(&error, &resolved)),
    };
    let blockers = if draft.is_interrupted() {
        Vec::new()
    } else {
        blockers::of(&outcomes, &resolved.file.waive, &selection)
    };
    let mut checked = CheckReport::new(outcomes, blockers, rehearsal);
    let since = earlier.map(|earlier| earlier.compare(&checked.outcomes, draft));
    checked.since = since.map(Box::new);
    Ok(checked)
}

/// Number of connections that the embedded server serves at once, unless a parameter says another: few, because
/// `conn-limit` and `places-given-back` fill them.
const EMBEDDED_CONNECTIONS: u64 = 200;

pub(super) fn resolved(target: &TargetArgs, seed: u64) -> Result<PreparedTarget, RunError> {
    let resolved = target.resolve(seed)?;
    if !target.embedded || resolved.subject.promise.max_connections.is_none() {
        return Ok(resolved);
    }
    let fewer = embedded::with_connections(EMBEDDED_CONNECTIONS, &target.params, seed)?;
    Ok(fewer.unwrap_or(resolved))
}

pub(super) fn battery(
    args: &CheckArgs,
    resolved: &PreparedTarget,
    selection: &Selection,
    interrupt: Interrupt,
) -> Battery {
    let transport = resolved.subject.origin.transport();
    let named = |check: &Check| !selection.only.is_empty() || check.is_about(transport);
    let checks = check::all()
        .enumerate()
        .filter(|(place, check)| named(check) && selection.takes(check.id, *place));
    Battery {
        checks: checks.map(|(_, check)| check).collect(),
        subject: resolved.subject.clone(),
        control,
        waivers: blockers::in_force(&resolved.file.waive),
        lanes: if resolved.subject.runs_beside_itself() {
            LANES
        } else {
            1
        },
        battery: resolved.file.check.battery.unwrap_or(check::BATTERY),
        max_time: args.max_time.map(MaxTime::Asked).or(args.shared_time),
        effort: effort(args),
        reproduce: reproduce(args, resolved.subject.seed),
        command_by_hand: resolved.command_by_hand.clone(),
        interrupt,
    }
}

fn plan(
    args: &CheckArgs,
    resolved: &PreparedTarget,
    selection: Selection,
    lanes: usize,
) -> CheckPlan {
    CheckPlan {
        selection,
        waivers: PlannedWaiver::of_checks(&resolved.file.waive),
        lanes,
        max_time_s: args.max_time.map(|time| time.as_secs_f64()),
        effort: effort(args),
    }
}

fn effort(args: &CheckArgs) -> Effort {
    Effort {
        slow: args.slow,
        soak: args.soak,
    }
}

/// The reference server with the protocol that the check needs.
pub(super) fn control(check: &Check, subject: &Subject) -> Option<Subject> {
    let protocol = check.control_protocol();
    let params = [("protocol".to_owned(), protocol.to_owned())].into();
    let mut control = embedded::with(&params, subject.seed ^ 0x5eed).ok()?.subject;
    if let (Origin::Spawn(control), Some(launch)) = (&mut control.origin, subject.launch()) {
        control.ready_timeout = launch.ready_timeout;
    }
    Some(control)
}

pub(super) fn selection(
    args: &CheckArgs,
    resolved: &PreparedTarget,
) -> Result<Selection, RunError> {
    let require = resolved.file.check.require.clone();
    let mut selection = Selection {
        only: args.only.clone(),
        skip: args.skip.clone(),
        require: require.clone(),
        shard: args.shard.as_ref().map(|part| part.shard),
        divided: None,
    };
    if let (Some(file), Some(shard)) = (&args.durations, selection.shard) {
        let divided = durations::divided(file, shard, &selection, check::all()).map_err(usage)?;
        selection.divided = Some(divided);
    }
    // A waiver for a finding concerns fuzz campaigns, not checks.
    let of_checks = resolved
        .file
        .waive
        .iter()
        .filter(|waiver| waiver.finding.is_none());
    let waived = of_checks.map(|waiver| &waiver.check);
    for glob in args
        .only
        .iter()
        .chain(&args.skip)
        .chain(&require)
        .chain(waived)
    {
        if !check::all().any(|check| glob_match::glob_match(glob, check.id)) {
            return Err(usage(unknown(glob)));
        }
    }
    Ok(selection)
}

fn unknown(glob: &str) -> String {
    let what = if glob.contains(['*', '?', '[', '{']) {
        format!("`{glob}` matches no check")
    } else {
        format!("no check is called `{glob}`")
    };
    let near = text::suggestion(glob, check::all().map(|check| check.id));
    format!("{what}{near} (`tcprove check --list` lists all checks)")
}

/// Number of descriptors that tcprove may need: twice the largest number of concurrent clients, and
/// a margin.
const DESCRIPTORS: u64 = 1000;

pub(super) fn enough_descriptors() -> Result<(), RunError> {
    let raised = crate::sys::raise_nofile_limit();
    let (soft, hard) = raised.unwrap_or_else(|_| crate::sys::initial_nofile());
    if soft >= DESCRIPTORS {
        return Ok(());
    }
    Err(usage(format!(
        "the checks need {DESCRIPTORS} open descriptors, but the limit is {soft} (hard limit {hard})\n\
         next: raise it and run again: `ulimit -Hn {DESCRIPTORS}` as root, or `--ulimit nofile={DESCRIPTORS}` for a container"
    )))
}

fn list() -> ExitCode {
    let mut group = "";
    for check in check::all() {
        if check.group != group {
            group = check.group;
            say(group);
        }
        say(&format!(
            "  {:<20} {}\n  {:<20} {}",
            check.id, check.stimulus, "", check.requirement
        ));
    }
    ExitCode::SUCCESS
}

/// A command that repeats one check with the same seed.
fn reproduce(args: &CheckArgs, seed: u64) -> String {
    let target = args.target.words();
    let slow = if args.slow { " --slow" } else { "" };
    let soak = args.soak.map_or(String::new(), |time| {
        format!(" --soak={}s", time.as_secs_f64())
    });
    let command = format!(
        "{} check --only {{id}}{slow}{soak} --seed {seed} {target}",
        program()
    );
    command.trim_end().to_owned()
}

/// The program name as the user typed it.
pub(super) fn program() -> String {
    let name = std::env::args().next().unwrap_or_else(|| "tcprove".into());
    shell_words::quote(&name).into_owned()
}
