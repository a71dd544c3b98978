//! Prints the port that it was asked for. With port 0 nobody learns which one the kernel chose.

use super::Fault;
use crate::config::hooks::Hooks;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "announces-asked-port",
    caught_by: "start-port0",
    kind: "unannounced",
    about: "announces port 0 instead of the port that the kernel chose",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        announced: Some(as_asked),
        ..Hooks::NONE
    },
};

fn as_asked(line: String) -> String {
    match line.rsplit_once(':') {
        Some((host, _)) => format!("{host}:0"),
        None => line,
    }
}
