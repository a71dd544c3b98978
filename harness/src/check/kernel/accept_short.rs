//! Accepts without memory or descriptors.

use std::time::Duration;

use super::accepting;
use crate::check::{Check, Checked, Cx, Need, Runs, Weight};
use crate::process::CallSet;

/// Makes accept fail for want of a resource.
pub(super) const ENTRY: Check = Check {
    id: "accept-short",
    group: super::GROUP,
    battery: 1,
    requirement: "POSIX accept(): ENOBUFS, ENOMEM and EMFILE, no buffer space, memory or descriptor is available; they pass, so the server accepts again later (tiny-http#284, cpython#127529)",
    stimulus: "every second accept returns ENOBUFS, then ENOMEM, then EMFILE, four times each, while 12 clients come and another one is connected",
    needs: &[Need::Spawned, Need::Accepts],
    runs: Runs::Injected(CallSet::Interruptible),
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(40),
    by_hand: "strace -f -qq -o /dev/null -e inject=accept,accept4:error=ENOBUFS:when=1..7+2 {cmd} & p=$!; sleep 2; python3 -c \"import socket; [(lambda s: (s.settimeout(2), s.send({request}), print(s.recv(4096))))(socket.create_connection(('{host}',{port}))) for _ in range(12)]\"; kill $(pgrep -P $p)",
    run: |cx| Box::pin(run(cx)),
};

async fn run(cx: &Cx) -> Checked {
    accepting::fails(cx, &[libc::ENOBUFS, libc::ENOMEM, libc::EMFILE]).await
}
