//! Reads that return a part of what is there.

use std::time::Duration;

use super::transfers::{self, Part};
use crate::check::{Check, Checked, Cx, Need, Runs, Weight};
use crate::process::CallSet;
use crate::process::injector::{CallKind, Injected, Place};

/// Returns one byte of a read.
pub(super) const ENTRY: Check = Check {
    id: "short-read",
    group: super::GROUP,
    battery: 1,
    requirement: "POSIX recv(), read(): the return value is the number of bytes that were received, which may be less than was asked for and less than is there; the rest comes with another call",
    stimulus: "reads from a connection return only their first byte though there are more (received for the server), 8 times, while clients hold their conversations",
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
        what: "a read",
        kinds: &[CallKind::Receive],
        places: &[Place::Connection],
    }];
    transfers::lose_nothing(
        cx,
        &parts,
        Injected::Short,
        "recv or read with more than one byte",
    )
    .await
}
