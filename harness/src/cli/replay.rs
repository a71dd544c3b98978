//! `tcprove replay`: runs findings on fresh servers again.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use super::draft::{self, Draft};
use super::output::{OutputArgs, note};
use super::rehearse::rehearsal_error;
use super::target::{PreparedTarget, TargetArgs, usage};
use super::{against, interrupt};
use crate::fuzz::FindingKind;
use crate::fuzz::deadline::Deadline;
use crate::fuzz::replay::{Patience, SavedFinding, files};
use crate::fuzz::target::FuzzTarget;
use crate::report::{Body, ReplayItem, ReplayReport, RunError};
use crate::subject::{Interrupt, RehearsalError, rehearse, runtime};

/// How many fresh servers are asked at least.
const TIMES: u32 = 3;

/// Arguments of `replay`.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct ReplayArgs {
    /// Replay this case file, or all case files in this folder, such as findings
    #[arg(required = true, value_name = "FILE|DIR")]
    pub places: Vec<PathBuf>,
    /// Run each on exactly this many fresh servers [default: 3, and if none of them shows the bug as many as its rate
    /// requires]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub times: Option<u32>,
    /// Run each on the server that this command starts, too, and tell where its replies differ: one string that contains
    /// {port}
    #[arg(long, value_name = "CMD")]
    pub against: Option<String>,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

pub(super) fn main(args: &ReplayArgs) -> ExitCode {
    let draft = Draft::new("replay", None);
    draft::run(draft, &args.output, |draft| perform(draft, args))
}

fn perform(draft: &mut Draft, args: &ReplayArgs) -> Result<Body, RunError> {
    let mut paths = Vec::new();
    for place in &args.places {
        if !place.exists() {
            return Err(usage(format!("{} does not exist", place.display())));
        }
        let found = files(place)
            .map_err(|error| usage(format!("{} cannot be read: {error}", place.display())))?;
        paths.extend(found);
    }
    let resolved = args.target.resolve(draft.seed())?;
    draft.target(&resolved);
    let interrupt = interrupt::watch()?;
    draft.announce(&resolved);
    let rehearsal = match rehearse(&resolved.subject, &interrupt) {
        Ok(rehearsal) => rehearsal,
        Err(RehearsalError::Interrupted) => {
            draft.interrupted(true);
            return Ok(Body::Nothing {});
        }
        Err(error) => return Err(rehearsal_error(&error, &resolved)),
    };
    let mut target = FuzzTarget::new(resolved.subject.clone(), &rehearsal);
    if let Some(cmd) = &args.against {
        let other = against::resolve(&args.target, &resolved, cmd, draft.seed())?;
        let rehearsal = rehearse(&other, &interrupt)
            .map_err(|error| RunError::target(format!("the server of --against: {error}")))?;
        target.against = Some(Arc::new(FuzzTarget::new(other, &rehearsal)));
    }
    let target = target.until(Deadline::at(None, interrupt.clone()));
    let items = replay_all(&paths, &target, &resolved, &interrupt, args);
    draft.interrupted(interrupt.is_set());
    Ok(Body::Replay(ReplayReport { items }))
}

fn replay_all(
    paths: &[PathBuf],
    target: &FuzzTarget,
    resolved: &PreparedTarget,
    interrupt: &Interrupt,
    args: &ReplayArgs,
) -> Vec<ReplayItem> {
    let patience = match (resolved.subject.launch(), args.times) {
        (Some(_), Some(times)) => Patience::Exactly(times),
        // A difference is seen on three fresh servers of each kind.
        (Some(_), None) if args.against.is_some() => Patience::Exactly(1),
        (Some(_), None) => Patience::Enough(TIMES),
        // A second attempt would meet the state that the first one left behind.
        (None, _) => Patience::Exactly(1),
    };
    let mut items = Vec::new();
    for path in paths {
        if interrupt.is_set() {
            break;
        }
        if args.output.verbose {
            note(&format!("replaying {}", path.display()));
        }
        items.push(one(path, target, patience));
    }
    items
}

fn one(path: &Path, target: &FuzzTarget, patience: Patience) -> ReplayItem {
    let known = match SavedFinding::read(path) {
        Ok(known) => known,
        Err(error) => {
            return ReplayItem {
                path: path.to_owned(),
                error: Some(error.to_string()),
                ..ReplayItem::default()
            };
        }
    };
    let replayed = known.replay(target, &runtime(), patience);
    let compared = target.against.is_some() || known.recorded.is_some();
    let detail = match &replayed.symptom {
        Some(symptom) if compared || known.is_that_of(symptom) => symptom.title.clone(),
        // An exception that is caught or not: its text is the same.
        Some(symptom) if !known.title.is_empty() && symptom.title.ends_with(&known.title) => {
            format!(
                "as a {} (it was a {}): {}",
                symptom.kind.name(),
                known.claim.kind.name(),
                symptom.title
            )
        }
        Some(symptom) => format!(
            "another one than before: {} (it was: {})",
            symptom.title, known.title
        ),
        None if compared => "the replies are the same".to_owned(),
        None => format!("no longer seen: {}", known.title),
    };
    ReplayItem {
        path: path.to_owned(),
        id: known.id,
        kind: match compared {
            true => FindingKind::Difference.name().into(),
            false => known.claim.kind.name().into(),
        },
        compared,
        seen: replayed.confirmed.to_string(),
        reproduced: replayed.confirmed.seen > 0,
        detail,
        error: replayed.unclear,
    }
}
