//! A cheap system call for every read, that nobody needs: no user would notice, and no check can.

use std::hint;
use std::os::fd::BorrowedFd;

use super::Fault;
use crate::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "extra-syscall",
    caught_by: super::GATE,
    kind: "syscalls",
    about: "asks for the number of its parent after every read",
    protocol: Protocol::Line,
    model: Model::Sequential,
    hooks: Hooks {
        after_read: Some(ask),
        ..Hooks::NONE
    },
};

fn ask(_: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    if let Received::Bytes(..) = received {
        hint::black_box(rustix::process::getppid());
    }
}
