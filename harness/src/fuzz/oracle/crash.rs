//! Crash: a process of the server ended, by a signal or an exit that nobody asked for.

use super::{Symptom, text};
use crate::fuzz::Kind;
use crate::fuzz::life::Life;
use crate::process::{Exit, signal_name};

/// How the end of a process is called that is not the main one. Whether a signal ended it only its parent knows.
pub const WORKER: &str = "a worker process of the server ended";

/// Says how the server ended; it has.
pub fn seen(life: &mut Life<'_>) -> Symptom {
    let main_ended = life.ended().is_none() || life.ended() == life.server().pid();
    let exit = if main_ended { life.exit() } else { None };
    let how = match exit {
        Some(exit) => format!("the server {exit}"),
        None if main_ended => "the server is gone".to_owned(),
        None => WORKER.to_owned(),
    };
    let stderr = text::decode(&life.server().stderr_since(0).0);
    let cause = text::cause(&stderr);
    let title = match text::message(&stderr) {
        Some(message) => format!("{how}: {message}"),
        None => how.clone(),
    };
    let ended = match exit {
        Some(Exit::Signal(signal)) => signal_name(signal).into_owned(),
        Some(Exit::Code(code)) => format!("exit {code}"),
        None => how.clone(),
    };
    let mut symptom =
        Symptom::new(Kind::Crash, format!("{ended} {cause}"), title).with("exit", how);
    if !stderr.trim().is_empty() {
        symptom = symptom.with("stderr", text::lines_shown(&stderr));
    }
    symptom
}
