//! Writes that fail on one connection.

use std::time::Duration;

use super::broken;
use crate::check::{Check, Checked, Cx, Need, Runs, Weight};
use crate::process::CallSet;
use crate::process::injector::CallKind;

/// Makes a write to one connection fail.
pub(super) const ENTRY: Check = Check {
    id: "send-error",
    group: super::GROUP,
    battery: 1,
    requirement: "POSIX send(): ENOBUFS, ENOMEM, ETIMEDOUT and EHOSTUNREACH concern this connection or this moment; the server may close the connection, and serves the others",
    stimulus: "a write to one connection returns ENOBUFS, on the next one ENOMEM, then ETIMEDOUT, then EHOSTUNREACH, while another client is connected",
    needs: &[Need::Spawned, Need::Accepts],
    runs: Runs::Injected(CallSet::Interruptible),
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(40),
    by_hand: "strace -f -qq -o /dev/null -e inject=sendto,sendmsg:error=ENOBUFS:when=1+2 {cmd} & p=$!; sleep 2; for i in 1 2 3 4; do python3 -c \"import socket; s=socket.create_connection(('{host}',{port})); s.settimeout(2); s.send({request}); print(s.recv(4096))\" 2>&1 | tail -n1; done; kill $(pgrep -P $p) 2>/dev/null && echo 'the server still ran' || echo 'the server has ended' # every second reply of a thread fails; inject=write,writev for a server that replies so",
    run: |cx| Box::pin(run(cx)),
};

async fn run(cx: &Cx) -> Checked {
    broken::each(cx, CallKind::Send, "send or write").await
}
