//! `--with check,fuzz`: what base and candidate do, besides how fast they are. Whatever differs is looked at again on fresh servers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;
use tokio::runtime::Runtime;

use super::GateArgs;
use super::sides::{Sides, of_side};
use crate::check::{Outcome, Selection};
use crate::cli::check::{self, CheckArgs};
use crate::cli::progress::StepProgress;
use crate::cli::rehearse::rehearsal_error;
use crate::cli::target::{PreparedTarget, TargetArgs, usage};
use crate::cli::{fuzz, target};
use crate::fuzz::FindingKind;
use crate::fuzz::deadline::Deadline;
use crate::fuzz::replay::{Patience, ReplayOutcome, SavedFinding, files};
use crate::fuzz::target::FuzzTarget;
use crate::gate::Side;
use crate::process::Tmp;
use crate::report::{Behaviour, BehaviourChange, ChangeKind, RunError, compare};
use crate::subject::{Interrupt, RehearsalError, rehearse, runtime};

/// Duration of the campaign on the base that makes cases where none are stored.
const CAMPAIGN: Duration = Duration::from_secs(10);
/// How long cases are compared by default.
const CASES_TIME: Duration = Duration::from_secs(60);
/// Fresh servers that are asked again about a case that fails on one side only, and how many of them have to agree.
const AGAIN: u32 = 3;
const AGREE_MIN: u32 = 2;

/// Arguments of `gate` about behaviour.
#[derive(clap::Args, Clone, Debug, Default)]
pub(in crate::cli) struct BehaviourArgs {
    /// Also compare what base and candidate do: the verdicts of all checks, and failures and replies that stored fuzz cases
    /// cause. Takes as long as that takes, after the time of the gate
    #[arg(long, value_name = "WHAT", value_enum, value_delimiter = ',', conflicts_with_all = ["baseline", "save_baseline"])]
    pub with: Vec<With>,
    /// Compare only checks whose id matches, with `--with check`; several with commas between them
    #[arg(long, value_name = "GLOB", value_delimiter = ',', requires = "with")]
    pub only: Vec<String>,
    /// Compare the cases and findings in this folder, with `--with fuzz` [default: tcprove-fuzz, which a campaign leaves; without
    /// it, what a campaign of 10s on the base finds]
    #[arg(long, value_name = "DIR", requires = "with")]
    pub corpus: Option<PathBuf>,
    /// Compare cases for at most this time, with `--with fuzz` [default: 60s]
    #[arg(long, value_name = "TIME", requires = "with", value_parser = target::duration)]
    pub cases_time: Option<Duration>,
}

/// What a gate compares besides metrics.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::cli) enum With {
    /// The verdicts of the checks
    Check,
    /// Failures and replies that stored fuzz cases cause
    Fuzz,
}

/// Finds mistakes in the arguments before anything is measured.
pub(super) fn sensible(args: &GateArgs, sides: &Sides) -> Result<(), RunError> {
    let BehaviourArgs {
        with, only, corpus, ..
    } = &args.behaviour;
    if with.contains(&With::Check) {
        let args = CheckArgs {
            only: only.clone(),
            ..CheckArgs::default()
        };
        check::selection(&args, &sides.candidate)?;
    }
    match corpus.as_deref() {
        Some(place) if with.contains(&With::Fuzz) => stored(place).map(drop),
        _ => Ok(()),
    }
}

/// The cases in the folder of `--corpus`.
fn stored(place: &Path) -> Result<Vec<PathBuf>, RunError> {
    let found = if place.exists() {
        read(place)?
    } else {
        Vec::new()
    };
    if found.is_empty() {
        return Err(usage(format!(
            "--corpus {}: there are no cases\nnext: `tcprove fuzz --out DIR` leaves some in DIR, or leave --corpus out",
            place.display()
        )));
    }
    Ok(found)
}

fn read(place: &Path) -> Result<Vec<PathBuf>, RunError> {
    files(place).map_err(|error| usage(format!("{} cannot be read: {error}", place.display())))
}

/// A comparison in progress.
struct Comparison<'a> {
    args: &'a GateArgs,
    sides: &'a Sides,
    seed: u64,
    interrupt: &'a Interrupt,
    progress: StepProgress,
}

/// What differs between base and candidate; `None` if the user did not ask.
pub(super) fn behaviour(
    args: &GateArgs,
    sides: &Sides,
    seed: u64,
    interrupt: &Interrupt,
) -> Result<Option<Behaviour>, RunError> {
    let wanted = &args.behaviour.with;
    if wanted.is_empty() || interrupt.is_set() {
        return Ok(None);
    }
    let comparison = Comparison {
        args,
        sides,
        seed,
        interrupt,
        progress: StepProgress::new(!args.output.no_progress),
    };
    let mut behaviour = Behaviour::default();
    if wanted.contains(&With::Check) {
        comparison.checks(&mut behaviour)?;
    }
    if wanted.contains(&With::Fuzz) && !interrupt.is_set() {
        comparison.cases(&mut behaviour)?;
    }
    if interrupt.is_set() {
        behaviour
            .unclear
            .push("interrupted before all was compared".into());
    }
    comparison.progress.finish();
    behaviour.sort();
    Ok(Some(behaviour))
}

impl Comparison<'_> {
    fn server(&self, side: Side) -> &PreparedTarget {
        match side {
            Side::Base => &self.sides.base,
            Side::Candidate => &self.sides.candidate,
        }
    }

    /// Runs the battery on both servers, and what differs once more.
    fn checks(&self, behaviour: &mut Behaviour) -> Result<(), RunError> {
        check::enough_descriptors()?;
        let only = &self.args.behaviour.only;
        let differing = self.differing(only, (0, 4))?;
        behaviour.checks = differing.checks;
        let ids: Vec<String> = differing
            .changes
            .iter()
            .map(|change| id(change).to_owned())
            .collect();
        if ids.is_empty() || self.interrupt.is_set() {
            return Ok(());
        }
        let again = self.differing(&ids, (2, 4))?;
        for change in again.changes {
            let first = differing
                .changes
                .iter()
                .find(|first| first.what == change.what);
            if first.is_some_and(|first| first.kind == change.kind) {
                behaviour.changes.push(change);
            }
        }
        for first in differing.changes {
            if behaviour
                .changes
                .iter()
                .any(|change| change.what == first.what)
            {
                continue;
            }
            let text = format!(
                "{} differed once and not again: {} with the base, {} with the candidate",
                first.what, first.base, first.candidate
            );
            match first.kind {
                ChangeKind::NewFailure => behaviour.unclear.push(text),
                _ => behaviour.notes.push(text),
            }
        }
        Ok(())
    }

    fn differing(
        &self,
        only: &[String],
        (done, all): (usize, usize),
    ) -> Result<Differing, RunError> {
        self.progress.show(done, all, "checks of the base");
        let base = self.battery(Side::Base, only)?;
        self.progress.show(done + 1, all, "checks of the candidate");
        let candidate = self.battery(Side::Candidate, only)?;
        Ok(Differing {
            checks: candidate.len().min(base.len()),
            changes: compare(&base, &candidate),
        })
    }

    fn battery(&self, side: Side, only: &[String]) -> Result<Vec<Outcome>, RunError> {
        let server = self.server(side);
        let args = CheckArgs {
            target: self.target_args(side),
            only: only.to_vec(),
            ..CheckArgs::default()
        };
        let selection: Selection = check::selection(&args, server)?;
        let mut battery = check::battery(&args, server, &selection, self.interrupt.clone());
        if !self.can_repeat() {
            battery.reproduce.clear();
        }
        match battery.run(&|_| {}) {
            Ok((outcomes, _)) => Ok(outcomes),
            Err(RehearsalError::Interrupted) => Ok(Vec::new()),
            Err(error) => Err(of_side(side, rehearsal_error(&error, server))),
        }
    }

    /// Whether a command line names the candidate and its talk: a file names one server only.
    fn can_repeat(&self) -> bool {
        self.args.candidate.is_none() || self.args.target.talk.is_some()
    }

    /// The flags that name the server alone.
    fn target_args(&self, side: Side) -> TargetArgs {
        let cmd = match side {
            Side::Base => &self.args.base,
            Side::Candidate => &self.args.candidate,
        };
        let cmd = cmd.as_ref().filter(|_| self.args.target.talk.is_some());
        let words = cmd.and_then(|cmd| shell_words::split(cmd).ok());
        let mut target = self.args.target.clone();
        target.cmd = words.unwrap_or(target.cmd);
        target
    }

    /// Runs each stored case on both servers.
    fn cases(&self, behaviour: &mut Behaviour) -> Result<(), RunError> {
        let scratch = Tmp::new().map_err(|error| {
            RunError::internal(format!("a temporary folder cannot be created: {error}"))
        })?;
        let paths = self.case_files(scratch.path())?;
        let begun = Instant::now();
        let limit = self.args.behaviour.cases_time.unwrap_or(CASES_TIME);
        let deadline = Deadline::at(Some(begun + limit), self.interrupt.clone());
        let target = |side| {
            let server = self.server(side);
            let rehearsal = rehearse(&server.subject, self.interrupt);
            let rehearsal =
                rehearsal.map_err(|error| of_side(side, rehearsal_error(&error, server)))?;
            Ok::<_, RunError>(
                FuzzTarget::new(server.subject.clone(), &rehearsal).until(deadline.clone()),
            )
        };
        let pair = CasePair {
            base: target(Side::Base)?,
            candidate: target(Side::Candidate)?,
            runtime: runtime(),
        };
        for (number, path) in paths.iter().enumerate() {
            self.progress.show(number, paths.len(), "cases");
            let shown = path.strip_prefix(scratch.path()).unwrap_or(path);
            pair.compare(path, &format!("case {}", shown.display()), behaviour);
            if deadline.is_over() {
                break;
            }
            behaviour.cases += 1;
        }
        if behaviour.cases == 0 {
            let why =
                "no case was compared: give some with --corpus, or more time with --cases-time";
            behaviour.unclear.push(why.into());
        }
        let left = paths.len() - behaviour.cases;
        if left > 0 && !self.interrupt.is_set() {
            behaviour.notes.push(format!(
                "there was no time for {left} of {} cases: --cases-time allows more than {} s",
                paths.len(),
                limit.as_secs()
            ));
        }
        Ok(())
    }

    /// The stored cases and findings, or what a short campaign on the base leaves in `scratch`.
    fn case_files(&self, scratch: &Path) -> Result<Vec<PathBuf>, RunError> {
        if let Some(place) = &self.args.behaviour.corpus {
            return stored(place);
        }
        let usual = Path::new(fuzz::OUT);
        let found = if usual.is_dir() {
            read(usual)?
        } else {
            Vec::new()
        };
        if !found.is_empty() {
            return Ok(found);
        }
        self.progress.show(0, 1, "a campaign on the base");
        let base = self.server(Side::Base);
        fuzz::cases_of(
            base,
            &self.target_args(Side::Base),
            scratch,
            CAMPAIGN,
            self.seed,
            self.interrupt,
        )
        .map_err(|error| of_side(Side::Base, error))?;
        read(scratch)
    }
}

/// The verdicts of two batteries that differ.
struct Differing {
    checks: usize,
    changes: Vec<BehaviourChange>,
}

/// The id of the check that differs.
fn id(change: &BehaviourChange) -> &str {
    change.what.strip_prefix("check ").unwrap_or(&change.what)
}

/// Both servers, for cases.
struct CasePair {
    base: FuzzTarget,
    candidate: FuzzTarget,
    runtime: Runtime,
}

impl CasePair {
    fn compare(&self, path: &Path, what: &str, behaviour: &mut Behaviour) {
        let known = match SavedFinding::read(path) {
            Ok(known) => known,
            Err(error) => {
                behaviour.unclear.push(error.to_string());
                return;
            }
        };
        // A recording or a difference is no failure by itself.
        if known.recorded.is_none() && known.claim.kind != FindingKind::Difference {
            match self.failure(&known, what) {
                Failing::Both => return,
                Failing::One(change) => {
                    behaviour.changes.push(change);
                    return;
                }
                Failing::Unclear(why) => {
                    behaviour.unclear.push(format!("{what}: {why}"));
                    return;
                }
                Failing::Neither => {}
            }
        }
        let mut target = self.candidate.clone();
        target.against = Some(Arc::new(self.base.clone()));
        let replayed = known.replay(&target, &self.runtime, Patience::Exactly(1));
        let Some(symptom) = replayed.symptom.filter(|_| replayed.confirmed.seen > 0) else {
            return;
        };
        let reply = |name: &str| {
            let text = symptom
                .evidence
                .get(name)
                .and_then(serde_json::Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        behaviour.changed_reply(what.to_owned(), reply("reply_of_against"), reply("reply"));
    }

    /// Whether the case makes a server fail, and which one.
    fn failure(&self, known: &SavedFinding, what: &str) -> Failing {
        let ask = |target: &FuzzTarget, times| {
            known.replay(target, &self.runtime, Patience::Exactly(times))
        };
        let fails = |replayed: &ReplayOutcome| replayed.confirmed.seen > 0;
        let (base, candidate) = (ask(&self.base, 1), ask(&self.candidate, 1));
        let kind = match (fails(&base), fails(&candidate)) {
            (true, true) => return Failing::Both,
            (false, false) => return Failing::Neither,
            (false, true) => ChangeKind::NewFailure,
            (true, false) => ChangeKind::Fixed,
        };
        let (base, candidate) = (ask(&self.base, AGAIN), ask(&self.candidate, AGAIN));
        let (sound, failing) = match kind {
            ChangeKind::Fixed => (&candidate, &base),
            _ => (&base, &candidate),
        };
        if sound.confirmed.of < AGAIN || failing.confirmed.of < AGAIN {
            return Failing::Unclear("there was no time to ask enough fresh servers".into());
        }
        if fails(sound) {
            return Failing::Both;
        }
        if failing.confirmed.seen < AGREE_MIN {
            return Failing::Unclear(format!(
                "it failed once, and {} fresh servers again",
                failing.confirmed
            ));
        }
        let told = |replayed: &ReplayOutcome| match &replayed.symptom {
            Some(symptom) => format!("{}: {}", symptom.kind.name(), symptom.title),
            None => "serves it".to_owned(),
        };
        Failing::One(BehaviourChange {
            kind,
            what: what.to_owned(),
            base: told(&base),
            candidate: told(&candidate),
            count: 1,
            reproduce: None,
        })
    }
}

/// Which of the servers a case makes fail.
enum Failing {
    Neither,
    Both,
    One(BehaviourChange),
    /// It differs, but not always.
    Unclear(String),
}
