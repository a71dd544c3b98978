//! Writes that the kernel takes in part.

use std::time::Duration;

use super::transfers::{self, Part};
use crate::check::{Check, Checked, Cx, Need, Runs, Weight};
use crate::process::CallSet;
use crate::process::injector::{CallKind, Injected, Place};

/// Lets the kernel take one byte of a write.
pub(super) const ENTRY: Check = Check {
    id: "short-write",
    group: super::GROUP,
    battery: 1,
    requirement: "POSIX send(), write(): the return value is the number of bytes that were sent, which may be less than was asked for; the rest is sent with another call",
    stimulus: "writes to a connection take only their first byte (sent for the server), 8 times, while clients hold their conversations",
    needs: &[Need::Spawned, Need::Accepts],
    runs: Runs::Injected(CallSet::Interruptible),
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(40),
    by_hand: "",
    run: |cx| Box::pin(run(cx)),
};

async fn run(cx: &Cx) -> Checked {
    let parts = [Part {
        what: "a write",
        kinds: &[CallKind::Send],
        places: &[Place::Connection],
    }];
    transfers::lose_nothing(
        cx,
        &parts,
        Injected::Short,
        "send or write with more than one byte",
    )
    .await
}
