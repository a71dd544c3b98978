//! `println!` panics when stdout is a file on a full disk.

use std::io::{self, Write};
use std::os::fd::BorrowedFd;

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "unwrap-print",
    caught_by: "disk-full",
    kind: "died",
    about: "exits if a request cannot be printed",
    protocol: Protocol::Tutorial,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(print),
        ..Hooks::NONE
    },
};

fn print(_: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    if let Received::Bytes(bytes, _) = received {
        let mut stdout = io::stdout().lock();
        let printed = writeln!(stdout, "received {} bytes", bytes.len());
        if let Err(error) = printed.and_then(|()| stdout.flush()) {
            super::die(&format!("failed printing to stdout: {error}"));
        }
    }
}
