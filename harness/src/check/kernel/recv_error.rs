//! Reads that fail on one connection.

use std::time::Duration;

use super::broken;
use crate::check::{Check, Checked, Cx, Need, Runs, Weight};
use crate::process::CallSet;
use crate::process::injector::CallKind;

/// Makes a read from one connection fail.
pub(super) const ENTRY: Check = Check {
    id: "recv-error",
    group: super::GROUP,
    battery: 1,
    requirement: "POSIX recv(): ENOBUFS, ENOMEM, ETIMEDOUT, and recv(2) with ip(7): EHOSTUNREACH, concern this connection or this moment; the server may close the connection, and serves the others",
    stimulus: "a read from one connection returns ENOBUFS, on the next one ENOMEM, then ETIMEDOUT, then EHOSTUNREACH, while another client is connected",
    needs: &[Need::Spawned, Need::Accepts],
    runs: Runs::Injected(CallSet::Interruptible),
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(40),
    by_hand: "strace -f -qq -o /dev/null -e inject=recvfrom,recvmsg:error=ETIMEDOUT:when=2 {cmd} & p=$!; sleep 2; python3 -c \"import socket; [(lambda s: (s.settimeout(2), s.send({request}), print(s.recv(4096))))(socket.create_connection(('{host}',{port}))) for _ in range(4)]\"; kill $(pgrep -P $p)",
    run: |cx| Box::pin(run(cx)),
};

async fn run(cx: &Cx) -> Checked {
    broken::each(cx, CallKind::Receive, "recv or read").await
}
