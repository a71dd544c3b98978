//! `tcprove replay`: runs findings on fresh servers again.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::draft::{self, Draft};
use super::interrupt;
use super::output::{OutputArgs, note};
use super::page::PageArgs;
use super::rehearse::rehearsal_error;
use super::target::{PreparedTarget, TargetArgs, usage};
use crate::fuzz::replay::{SavedFinding, files};
use crate::fuzz::target::FuzzTarget;
use crate::report::{Body, ReplayItem, ReplayReport, RunError};
use crate::subject::{Interrupt, RehearsalError, rehearse, runtime};

/// Arguments of `replay`.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct ReplayArgs {
    /// Replay this case file, or all case files in this folder, such as findings
    #[arg(required = true, value_name = "FILE|DIR")]
    pub places: Vec<PathBuf>,
    /// Run each on this many fresh servers
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub times: u32,
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

pub(super) fn main(args: &ReplayArgs) -> ExitCode {
    let draft = Draft::new("replay", None);
    draft::run(draft, &args.output, &PageArgs::default(), |draft| {
        perform(draft, args)
    })
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
    let target = FuzzTarget::new(resolved.subject.clone(), &rehearsal);
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
    let times = match resolved.subject.launch() {
        Some(_) => args.times,
        // A second attempt would meet the state that the first one left behind.
        None => 1,
    };
    let mut items = Vec::new();
    for path in paths {
        if interrupt.is_set() {
            break;
        }
        if args.output.verbose {
            note(&format!("replaying {}", path.display()));
        }
        items.push(one(path, target, times));
    }
    items
}

fn one(path: &Path, target: &FuzzTarget, times: u32) -> ReplayItem {
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
    let replayed = known.replay(target, &runtime(), times);
    let detail = match &replayed.symptom {
        Some(symptom) => symptom.title.clone(),
        None => format!("no longer seen: {}", known.title),
    };
    ReplayItem {
        path: path.to_owned(),
        id: known.id,
        kind: known.claim.kind.name().into(),
        seen: replayed.confirmed.to_string(),
        reproduced: replayed.confirmed.seen > 0,
        detail,
        error: None,
    }
}
