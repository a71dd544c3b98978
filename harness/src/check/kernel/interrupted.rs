//! Calls that a signal interrupts.

use std::time::Duration;

use super::transfers::{self, Part};
use crate::check::{Check, Checked, Cx, Need, Runs, Weight};
use crate::process::CallSet;
use crate::process::injector::{CallKind, Injected, Place};

/// Interrupts calls that wait.
pub(super) const ENTRY: Check = Check {
    id: "interrupted",
    group: super::GROUP,
    battery: 1,
    requirement: "signal(7), POSIX: accept, recv, send, poll, select and epoll_wait fail with EINTR when a signal handler runs before anything has happened; nothing is lost, and the call is made again (EINTR is no end of file)",
    stimulus: "every second accept, then read, then write, then wait for events that may block returns EINTR, and then every other second one, up to 8 times each, while clients hold their conversations",
    needs: &[Need::Spawned, Need::Accepts],
    runs: Runs::Injected(CallSet::Interruptible),
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(40),
    by_hand: "strace -f -qq -o /dev/null -e inject=epoll_wait,epoll_pwait,poll,ppoll,select,pselect6:error=EINTR:when=3+2 {cmd} & p=$!; sleep 2; python3 -c \"import socket; [(lambda s: (s.settimeout(2), s.send({request}), print(s.recv(4096))))(socket.create_connection(('{host}',{port}))) for _ in range(12)]\"; kill $(pgrep -P $p)",
    run: |cx| Box::pin(run(cx)),
};

async fn run(cx: &Cx) -> Checked {
    let part = |what, kinds, places| Part {
        what,
        kinds,
        places,
    };
    let parts = [
        part("accept", &[CallKind::Accept], &[Place::Listener]),
        part("a read", &[CallKind::Receive], &[Place::Connection]),
        part("a write", &[CallKind::Send], &[Place::Connection]),
        part("a wait for events", &[CallKind::Wait], &[Place::Wait]),
    ];
    let result = Injected::Error(libc::EINTR);
    transfers::lose_nothing(cx, &parts, result, "accept, recv, send or poll").await
}
