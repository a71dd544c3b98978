//! Which servers a gate compares, and whether they can be compared.

use std::time::{Duration, Instant};

use super::GateArgs;
use crate::cli::draft::Draft;
use crate::cli::rehearse::{holds_conversation, rehearsal_error};
use crate::cli::target::{Resolved, usage};
use crate::gate::result::{BASE, CANDIDATE};
use crate::gate::same;
use crate::process::{Launch, StartOptions};
use crate::report::RunError;
use crate::subject::{Interrupt, Origin, Subject, start};

/// Base and candidate.
pub(super) struct Sides {
    pub base: Resolved,
    pub candidate: Resolved,
}

/// Which servers are meant.
pub(super) fn both(args: &GateArgs, seed: u64) -> Result<Sides, RunError> {
    starts_its_servers(args)?;
    let Some(base) = &args.base else {
        return Err(usage(
            "which server is the candidate to be compared with? Give its command as --base 'CMD {port}', or a stored --baseline FILE".into(),
        ));
    };
    let mut sides = Sides {
        base: side(args, BASE, Some(base), seed)?,
        candidate: candidate(args, seed)?,
    };
    if !args.allow_same && is_same(&sides) {
        return Err(usage(
            "base and candidate are the same program with the same arguments: nothing can have changed\nnext: correct the paths, or say --allow-same to see how steady this machine is".into(),
        ));
    }
    pad_both(&mut sides.base.subject, &mut sides.candidate.subject)?;
    Ok(sides)
}

/// The candidate by itself.
pub(super) fn candidate(args: &GateArgs, seed: u64) -> Result<Resolved, RunError> {
    starts_its_servers(args)?;
    if args.candidate.is_none() && args.target.cmd.is_empty() && args.target.talk.is_some() {
        return Err(usage(
            "which server is the candidate? Give its command as --candidate 'CMD {port}'".into(),
        ));
    }
    side(args, CANDIDATE, args.candidate.as_ref(), seed)
}

fn starts_its_servers(args: &GateArgs) -> Result<(), RunError> {
    match args.target.connect {
        Some(_) => Err(usage(
            "a gate starts both servers, many times: it cannot use --connect; give --base CMD and --candidate CMD".into(),
        )),
        None => Ok(()),
    }
}

fn side(
    args: &GateArgs,
    name: &str,
    cmd: Option<&String>,
    seed: u64,
) -> Result<Resolved, RunError> {
    let words = cmd.map(|cmd| words(name, cmd)).transpose()?;
    let resolved = args.target.resolve_as(words, seed);
    resolved.map_err(|error| of_side(name, error))
}

/// Whose mistake it is.
pub(super) fn of_side(name: &str, error: RunError) -> RunError {
    RunError {
        message: format!("the {name}: {}", error.message),
        ..error
    }
}

fn is_same(sides: &Sides) -> bool {
    let launches = sides
        .base
        .subject
        .launch()
        .zip(sides.candidate.subject.launch());
    launches.is_some_and(|(base, candidate)| same::is_same(base, candidate))
}

/// One string, as a shell splits it.
fn words(side: &str, cmd: &str) -> Result<Vec<String>, RunError> {
    let words = shell_words::split(cmd).map_err(|error| {
        usage(format!(
            "--{side}: {cmd} cannot be split into words: {error}"
        ))
    })?;
    if words.is_empty() {
        return Err(usage(format!("--{side} is empty")));
    }
    Ok(words)
}

/// Arguments and environment lie above the stack: a longer path moves all of it, and with it what shares a
/// cache line (Mytkowicz et al., Producing Wrong Data Without Doing Anything Obviously Wrong, 2009). Both
/// sides get the same number of bytes.
pub(in crate::cli) fn pad_both(
    base: &mut Subject,
    candidate: &mut Subject,
) -> Result<(), RunError> {
    let (Origin::Spawn(base), Origin::Spawn(candidate)) = (&mut base.origin, &mut candidate.origin)
    else {
        return Err(usage("a gate starts both servers".into()));
    };
    let length = |launch: &Launch| {
        let words = launch.cmd.iter().chain(launch.params.values());
        words.map(String::len).sum::<usize>()
    };
    let (one, other) = (length(base), length(candidate));
    let longest = one.max(other);
    for (launch, length) in [(base, one), (candidate, other)] {
        let filler = "x".repeat(longest - length);
        launch.env.insert("TCPROVE_PAD".into(), filler);
    }
    Ok(())
}

impl Sides {
    /// Holds the conversation with each of them once, and gives the time that starting and ending both
    /// takes. `None`: somebody asked for the end meanwhile.
    pub fn hold_their_conversation(
        &self,
        draft: &mut Draft,
        interrupt: &Interrupt,
    ) -> Result<Option<Duration>, RunError> {
        let mut overhead = Duration::ZERO;
        for (name, side) in [(BASE, &self.base), (CANDIDATE, &self.candidate)] {
            let of_side = |error| of_side(name, error);
            if !holds_conversation(draft, side, interrupt).map_err(of_side)? {
                return Ok(None);
            }
            let once = || {
                let begun = Instant::now();
                start(&side.subject, StartOptions::default())
                    .map_err(|failure| of_side(rehearsal_error(&failure.into(), side)))?
                    .kill();
                Ok(begun.elapsed())
            };
            overhead += once()?.min(once()?);
        }
        Ok(Some(overhead))
    }
}
