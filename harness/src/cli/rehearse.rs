//! The conversation is held once before anything is judged; what to do next if that fails.

use super::draft::Draft;
use super::target::PreparedTarget;
use crate::process::StartFailure;
use crate::report::RunError;
use crate::subject::{Interrupt, Origin, RehearsalError, rehearse};

/// Holds the conversation once on a clean server. False: somebody asked for the end meanwhile.
pub(super) fn holds_conversation(
    draft: &mut Draft,
    resolved: &PreparedTarget,
    interrupt: &Interrupt,
) -> Result<bool, RunError> {
    match rehearse(&resolved.subject, interrupt) {
        Ok(_) => Ok(true),
        Err(RehearsalError::Interrupted) => {
            draft.interrupted(true);
            Ok(false)
        }
        Err(error) => Err(rehearsal_error(&error, resolved)),
    }
}

/// What went wrong before anything was measured, and what to try next.
pub(super) fn rehearsal_error(error: &RehearsalError, resolved: &PreparedTarget) -> RunError {
    if let (RehearsalError::Conversation { refused: true, .. }, Origin::Attach { addr, .. }) =
        (error, &resolved.subject.origin)
    {
        return RunError::target(format!(
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
    RunError::target(format!("{error}{next}"))
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
