//! A cheap, needless system call per read: no user notices it, and no check can.

use std::hint;
use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "extra-syscall",
    caught_by: super::GATE,
    kind: "syscalls",
    about: "calls getppid after every read",
    protocol: Protocol::Line,
    model: Model::Sequential,
    hooks: Hooks {
        after_read: Some(call),
        ..Hooks::NONE
    },
};

fn call(_: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    if let Received::Bytes(..) = received {
        hint::black_box(rustix::process::getppid());
    }
}
