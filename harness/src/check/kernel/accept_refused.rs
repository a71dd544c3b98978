//! Accepts that a firewall forbids.

use std::time::Duration;

use super::accepting;
use crate::check::{Check, Checked, Cx, Need, Runs, Weight};
use crate::process::CallSet;

/// Makes accept fail as a firewall does.
pub(super) const ENTRY: Check = Check {
    id: "accept-refused",
    group: super::GROUP,
    battery: 1,
    requirement: "accept(2): EPERM, firewall rules forbid connection; that concerns one connection, not the server",
    stimulus: "every second accept returns EPERM, four times, while 12 clients come and another one is connected",
    needs: &[Need::Spawned, Need::Accepts],
    runs: Runs::Injected(CallSet::Interruptible),
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(40),
    by_hand: "strace -f -qq -o /dev/null -e inject=accept,accept4:error=EPERM:when=1..7+2 {cmd} & p=$!; sleep 2; python3 -c \"import socket; [(lambda s: (s.settimeout(2), s.send({request}), print(s.recv(4096))))(socket.create_connection(('{host}',{port}))) for _ in range(12)]\"; kill $(pgrep -P $p)",
    run: |cx| Box::pin(run(cx)),
};

async fn run(cx: &Cx) -> Checked {
    accepting::fails(cx, &[libc::EPERM]).await
}
