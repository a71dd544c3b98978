//! The two servers of a gate, from the arguments.

use std::time::{Duration, Instant};

use super::GateArgs;
use crate::cli::draft::Draft;
use crate::cli::rehearse::{holds_conversation, rehearsal_error};
use crate::cli::target::{PreparedTarget, usage};
use crate::gate::{Side, pad_both, same};
use crate::process::StartOptions;
use crate::report::RunError;
use crate::subject::{Interrupt, start};

/// Base and candidate.
pub(super) struct Sides {
    pub base: PreparedTarget,
    pub candidate: PreparedTarget,
}

/// Base and candidate, ready to be started.
pub(super) fn both(args: &GateArgs, seed: u64) -> Result<Sides, RunError> {
    starts_its_servers(args)?;
    let Some(base) = &args.base else {
        return Err(usage(
            "there is no base to compare with: give its command as --base 'CMD {port}', or stored counts as --baseline FILE".into(),
        ));
    };
    let mut sides = Sides {
        base: resolved(args, Side::Base, Some(base), seed)?,
        candidate: candidate(args, seed)?,
    };
    if !sides.base.subject.runs_beside_itself() || !sides.candidate.subject.runs_beside_itself() {
        return Err(usage(
            "`singleton = true` allows one instance at a time, but a gate runs base and candidate side by side\nnext: give each instance what it must not share with {port}, {port:NAME} and {tmp}, and remove `singleton`; or compare counts with --save-baseline and --baseline".into(),
        ));
    }
    if !args.allow_same && is_same(&sides) {
        return Err(usage(
            "base and candidate are the same program with the same arguments\nnext: correct the paths, or add --allow-same to see how steady this machine is".into(),
        ));
    }
    pad_both(&mut sides.base.subject, &mut sides.candidate.subject)
        .map_err(|error| usage(error.to_string()))?;
    Ok(sides)
}

/// The candidate alone.
pub(super) fn candidate(args: &GateArgs, seed: u64) -> Result<PreparedTarget, RunError> {
    starts_its_servers(args)?;
    if args.candidate.is_none() && args.target.cmd.is_empty() && args.target.talk.is_some() {
        return Err(usage(
            "there is no candidate: give its command as --candidate 'CMD {port}'".into(),
        ));
    }
    resolved(args, Side::Candidate, args.candidate.as_ref(), seed)
}

fn starts_its_servers(args: &GateArgs) -> Result<(), RunError> {
    match args.target.connect {
        // Base and candidate must hold the same conversation, so it is not detected from one of them.
        None if args.target.names_no_talk() => Err(usage(format!(
            "a gate needs a conversation: add --talk NAME, or write a file with `tcprove init {}`",
            args.target.words()
        ))),
        Some(_) => Err(usage(
            "a gate starts both servers many times, so --connect cannot be used: give --base CMD and --candidate CMD".into(),
        )),
        None => Ok(()),
    }
}

fn resolved(
    args: &GateArgs,
    side: Side,
    cmd: Option<&String>,
    seed: u64,
) -> Result<PreparedTarget, RunError> {
    let words = cmd.map(|cmd| words(side, cmd)).transpose()?;
    let resolved = args.target.resolve_as(words, seed);
    resolved.map_err(|error| of_side(side, error))
}

/// Names the server in an error.
pub(super) fn of_side(side: Side, error: RunError) -> RunError {
    RunError {
        message: format!("the {side}: {}", error.message),
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

/// Splits a command as a shell does.
fn words(side: Side, cmd: &str) -> Result<Vec<String>, RunError> {
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

impl Sides {
    /// Rehearses both servers and measures the time to start and stop both. `None`: the user interrupted it.
    pub(crate) fn rehearse(
        &self,
        draft: &mut Draft,
        interrupt: &Interrupt,
    ) -> Result<Option<Duration>, RunError> {
        let mut overhead = Duration::ZERO;
        for (side, server) in [(Side::Base, &self.base), (Side::Candidate, &self.candidate)] {
            let of_side = |error| of_side(side, error);
            if !holds_conversation(draft, server, interrupt).map_err(of_side)? {
                return Ok(None);
            }
            let once = || {
                let begun = Instant::now();
                start(&server.subject, StartOptions::default())
                    .map_err(|failure| of_side(rehearsal_error(&failure.into(), server)))?
                    .kill();
                Ok(begun.elapsed())
            };
            overhead += once()?.min(once()?);
        }
        Ok(Some(overhead))
    }
}
