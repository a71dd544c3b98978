//! The two servers of a gate, from the arguments.

use std::time::{Duration, Instant};

use super::GateArgs;
use crate::cli::draft::Draft;
use crate::cli::rehearse::rehearsal_error;
use crate::cli::target::{PreparedTarget, usage};
use crate::gate::same::Relation;
use crate::gate::{BrokenServer, Side, pad_both, same};
use crate::process::StartOptions;
use crate::report::RunError;
use crate::subject::{Interrupt, RehearsalError, rehearse, start};

/// Base and candidate.
pub(super) struct Sides {
    pub base: PreparedTarget,
    pub candidate: PreparedTarget,
    /// Whether the commands name other paths with the same content.
    pub are_copies: bool,
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
        are_copies: false,
    };
    if !sides.base.subject.runs_beside_itself() || !sides.candidate.subject.runs_beside_itself() {
        return Err(usage(
            "`singleton = true` allows one instance at a time, but a gate runs base and candidate side by side\nnext: give each instance what it must not share with {port}, {port:NAME} and {tmp}, and remove `singleton`; or compare counts with --save-baseline and --baseline".into(),
        ));
    }
    let relation = relation(&sides);
    sides.are_copies = relation == Some(Relation::SameContent);
    if !args.allow_same && relation == Some(Relation::SameCommand) {
        return Err(usage(
            "base and candidate are the same command: the same program with the same arguments\nnext: correct the paths, or add --allow-same to see how steady this machine is".into(),
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

fn relation(sides: &Sides) -> Option<Relation> {
    let base = sides.base.subject.launch()?;
    Some(same::relation(base, sides.candidate.subject.launch()?))
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

/// What the rehearsals of both servers told.
pub(super) enum Rehearsed {
    /// Both hold the conversation.
    Held(Speed),
    /// The candidate does not answer, and the base does.
    Broken(BrokenServer),
    /// The user interrupted them.
    Interrupted,
}

/// How fast the servers are.
pub(super) struct Speed {
    /// Time to start and stop both servers once.
    pub overhead: Duration,
    /// The slowest exchange of the base.
    pub exchange: Duration,
}

impl Sides {
    /// Rehearses both servers, the base first, and measures the time to start and stop both. A candidate that does not
    /// answer where the base does is worse; any other deviation from the conversation is an error, since it may be the
    /// wrong server.
    pub(crate) fn rehearse(
        &self,
        draft: &mut Draft,
        max_time: Duration,
        interrupt: &Interrupt,
    ) -> Result<Rehearsed, RunError> {
        let limited = interrupt.or_at(draft.begun() + max_time);
        let base = match rehearse(&self.base.subject, &limited) {
            Ok(rehearsal) => rehearsal,
            Err(RehearsalError::Interrupted) if interrupt.is_set() => {
                return Ok(interrupted(draft));
            }
            Err(error) => return Err(of_side(Side::Base, failed(&error, &self.base, max_time))),
        };
        let begun = Instant::now();
        match rehearse(&self.candidate.subject, &limited) {
            Ok(_) => {}
            Err(RehearsalError::Interrupted) if interrupt.is_set() => {
                return Ok(interrupted(draft));
            }
            Err(error) => match silence(&error, base.took, begun.elapsed()) {
                Some(what) => {
                    let side = Side::Candidate;
                    return Ok(Rehearsed::Broken(BrokenServer { side, what }));
                }
                None => {
                    let error = failed(&error, &self.candidate, max_time);
                    return Err(of_side(Side::Candidate, error));
                }
            },
        }
        let [one, other] =
            [(Side::Base, &self.base), (Side::Candidate, &self.candidate)].map(|(side, server)| {
                started_and_stopped(server).map_err(|error| of_side(side, error))
            });
        let (base_start, candidate_start) = (one?, other?);
        Ok(Rehearsed::Held(Speed {
            // A candidate that starts much more slowly must not make the time too short: it is to fail.
            overhead: base_start + candidate_start.min(base_start * STARTS_SLOWER_MAX),
            exchange: base.pace.exchange,
        }))
    }
}

fn interrupted(draft: &mut Draft) -> Rehearsed {
    draft.interrupted(true);
    Rehearsed::Interrupted
}

fn failed(error: &RehearsalError, server: &PreparedTarget, max_time: Duration) -> RunError {
    match error {
        RehearsalError::Interrupted => usage(format!(
            "the time is too short: one rehearsal of the conversation was not over after {max_time:.0?}\nnext: allow more with --max-time"
        )),
        error => rehearsal_error(error, server),
    }
}

/// A rehearsal that the time limit ends is the candidate's fault if it took this many times as long as that of the base,
/// and this long.
const REHEARSAL_SLOWER: u32 = 10;
const REHEARSAL_LEAST: Duration = Duration::from_secs(5);

/// What a candidate did that does not answer. `None` if it failed in another way.
fn silence(error: &RehearsalError, base_took: Duration, took: Duration) -> Option<String> {
    match error {
        RehearsalError::Conversation {
            silent: true,
            label,
            actual,
            ..
        } => Some(format!(
            "did not answer in its rehearsal ({label}: {actual})"
        )),
        RehearsalError::Interrupted
            if took > (base_took * REHEARSAL_SLOWER).max(REHEARSAL_LEAST) =>
        {
            Some(format!(
                "did not finish its rehearsal in {took:.1?}, which took the base {base_took:.1?}"
            ))
        }
        _ => None,
    }
}

/// Factor by which the candidate may start more slowly in the plan of a gate.
const STARTS_SLOWER_MAX: u32 = 2;
/// How often a start is timed, and for how long: on a busy machine some take much longer than others.
const STARTS: usize = 4;
const STARTS_TIME: Duration = Duration::from_secs(1);

/// The time to start and stop a server: the shortest of several.
fn started_and_stopped(server: &PreparedTarget) -> Result<Duration, RunError> {
    let begun = Instant::now();
    let mut shortest = Duration::MAX;
    for _ in 0..STARTS {
        let once = Instant::now();
        start(&server.subject, StartOptions::default())
            .map_err(|failure| rehearsal_error(&failure.into(), server))?
            .kill();
        shortest = shortest.min(once.elapsed());
        if begun.elapsed() > STARTS_TIME {
            break;
        }
    }
    Ok(shortest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rehearsal_that_the_limit_ends_is_no_fault_unless_it_took_much_longer() {
        let seconds = Duration::from_secs;
        let fault = |base, took| {
            silence(&RehearsalError::Interrupted, seconds(base), seconds(took)).is_some()
        };
        assert!(!fault(1, 2) && !fault(0, 4) && !fault(2, 19));
        assert!(fault(0, 6) && fault(2, 21));
    }
}
