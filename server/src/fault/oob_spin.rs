//! After one MSG_OOB byte, poll returns immediately every time (beanstalkd 1.12). Ordinary data is still
//! served, and reading past the urgent byte ends the spin.

use rustix::event::PollFlags;

use super::Fault;
use crate::config::hooks::Hooks;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "oob-spin",
    caught_by: "oob-byte",
    kind: "spin",
    about: "polls for urgent data that it never reads",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        watch: PollFlags::PRI,
        ..Hooks::NONE
    },
};
