//! What comes before every run that ends with a report: its seed, signals, the trial of the conversation.

use super::interrupt;
use serde::Serialize;

use super::output::{OutputArgs, note};
use super::target::Resolved;
use crate::process::StartFailure;
use crate::report::{Report, RunError, RunPlan, Servers};
use crate::subject::{Interrupt, Origin, RehearsalError, ServerPlan, rehearse};
use crate::text::escape_text;

/// Says on stderr what is about to be run, and with which seed.
pub(super) fn announce(report: &Report, resolved: &Resolved) {
    note(&format!(
        "tcprove {}: {}, seed {}",
        report.command,
        escape_text(&resolved.name, 80),
        report.seed
    ));
}

/// Signals are watched from now on.
pub(super) fn interrupt() -> Result<Interrupt, RunError> {
    interrupt::watch().map_err(|error| internal(format!("signals cannot be watched: {error}")))
}

/// Holds the conversation once on a clean server. False: somebody asked for the end meanwhile.
pub(super) fn holds_conversation(
    report: &mut Report,
    resolved: &Resolved,
    interrupt: &Interrupt,
) -> Result<bool, RunError> {
    match rehearse(&resolved.subject, interrupt) {
        Ok(_) => Ok(true),
        Err(RehearsalError::Interrupted) => {
            report.interrupted = true;
            Ok(false)
        }
        Err(error) => Err(rehearsal_error(&error, resolved)),
    }
}

/// The server as the plan describes it.
pub(super) fn server_plan(resolved: &Resolved) -> ServerPlan {
    let mut server = ServerPlan::of(&resolved.name, &resolved.subject);
    if resolved.embedded {
        // Where this executable lies is no part of the plan: its hash is the same everywhere.
        server.cmd[0] = "tcprove".into();
    }
    server
}

/// The plan of a run on one server.
pub(super) fn run_plan<P>(resolved: &Resolved, feature: P, output: &OutputArgs) -> RunPlan<P> {
    RunPlan {
        servers: Servers::One {
            server: server_plan(resolved),
        },
        talk: resolved.subject.talk.name.clone(),
        feature,
        on_inconclusive: output.on_inconclusive.into(),
    }
}

/// Writes the plan of a run on one server into its report.
pub(super) fn planned<P: Serialize>(
    report: &mut Report,
    resolved: &Resolved,
    feature: P,
    output: &OutputArgs,
) {
    let plan = run_plan(resolved, feature, output);
    report.planned(&plan, plan.hash());
}

/// What went wrong before anything was measured, and what to try next.
pub(super) fn rehearsal_error(error: &RehearsalError, resolved: &Resolved) -> RunError {
    if let (RehearsalError::Conversation { actual, .. }, Origin::Attach { addr, .. }) =
        (error, &resolved.subject.origin)
        && actual.starts_with("connection refused")
    {
        return target_error(format!(
            "nobody listens on {addr}: the connection was refused\nnext: start the server there, or correct the address"
        ));
    }
    let next = match (error, &resolved.command_by_hand) {
        (RehearsalError::Start(StartFailure::Exited { .. } | StartFailure::NotReady { .. }), Some(command)) => {
            format!("\nnext: start it by hand and see what it says: {command}")
        }
        (RehearsalError::Conversation { .. }, None) => {
            "\nnext: does the server run there, and is it the one that this talk is for? `tcprove send TEXT --connect HOST:PORT` shows what it says".into()
        }
        (RehearsalError::Conversation { .. }, Some(_)) => adapt(&resolved.subject.talk.name),
        _ => String::new(),
    };
    target_error(format!("{error}{next}"))
}

/// What to do about a conversation that the server does not hold.
fn adapt(talk: &str) -> String {
    if crate::file::builtin(talk).is_none() {
        return "\nnext: correct [talk] in the file; `tcprove send` shows what the server says"
            .into();
    }
    format!(
        "\nnext: is `{talk}` the talk of this server? `tcprove init --talk {talk}` writes it to a file, to be adapted"
    )
}

fn target_error(message: String) -> RunError {
    RunError {
        code: "target",
        message,
        location: None,
    }
}

pub(super) fn clock_seed() -> u64 {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    now.as_nanos() as u64 & 0xffff_ffff
}

pub(super) fn internal(message: String) -> RunError {
    RunError {
        code: "internal",
        message,
        location: None,
    }
}
