//! One MSG_OOB byte: poll returns at once, again and again (beanstalkd 1.12). Ordinary data is
//! still served, and ends the spin once it was read past the urgent byte.

use rustix::event::PollFlags;

use super::Fault;
use crate::hooks::Hooks;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "oob-spin",
    caught_by: "oob-byte",
    kind: "spin",
    about: "waits for urgent data that it never reads",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        watch: PollFlags::PRI,
        ..Hooks::NONE
    },
};
