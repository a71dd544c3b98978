//! Connections that end before they are accepted.

use std::time::Duration;

use super::accepting;
use crate::check::{Check, Checked, Cx, Need, Runs, Weight};
use crate::process::CallSet;

/// Makes accept fail as if the client had left.
pub(super) const ENTRY: Check = Check {
    id: "accept-aborted",
    group: super::GROUP,
    battery: 1,
    requirement: "POSIX accept(): ECONNABORTED, a connection has been aborted; accept(2): treat ECONNABORTED and EPROTO like EAGAIN by retrying; no reason to end the loop (EternalTerminal#756, hickory-dns#3725, grpc#29318)",
    stimulus: "every second accept returns ECONNABORTED, then EPROTO, four times each, while 12 clients come and another one is connected",
    needs: &[Need::Spawned, Need::Accepts],
    runs: Runs::Injected(CallSet::Interruptible),
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(40),
    by_hand: "strace -f -qq -o /dev/null -e inject=accept,accept4:error=ECONNABORTED:when=1..7+2 {cmd} & p=$!; sleep 2; python3 -c \"import socket; [(lambda s: (s.settimeout(2), s.send({request}), print(s.recv(4096))))(socket.create_connection(('{host}',{port}))) for _ in range(12)]\"; kill $(pgrep -P $p)",
    run: |cx| Box::pin(run(cx)),
};

async fn run(cx: &Cx) -> Checked {
    accepting::fails(cx, &[libc::ECONNABORTED, libc::EPROTO]).await
}
