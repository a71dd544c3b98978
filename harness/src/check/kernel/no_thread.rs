//! No thread for a client.

use std::time::{Duration, Instant};

use super::trial::{Bystander, Trials, arm, ask, patience};
use crate::check::concurrency::at_once::{ask_at_once, enter};
use crate::check::{Check, Checked, Cx, Need, Runs, Weight};
use crate::process::CallSet;
use crate::process::injector::{CallKind, Injected, Place, Rule};

/// Makes the start of a thread or process fail.
pub(super) const ENTRY: Check = Check {
    id: "no-thread",
    group: super::GROUP,
    battery: 1,
    requirement: "pthread_create(3), fork(2), clone(2): EAGAIN, a limit on the number of threads or processes was reached; a server that cannot start one loses that client, and not all others",
    stimulus: "clone, fork and vfork return EAGAIN three times, while 6 clients come, one after the other and, if that needs no thread, 24 at the same moment, whose replies then take 30 ms longer to send, and another one is connected",
    needs: &[Need::Spawned, Need::Accepts],
    runs: Runs::Injected(CallSet::Threads),
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(40),
    by_hand: "strace -f -qq -o /dev/null -e inject=clone,clone3,fork,vfork:error=EAGAIN:when=4..6 {cmd} & p=$!; sleep 2; python3 -c \"import socket; [(lambda s: (s.settimeout(2), s.send({request}), print(s.recv(4096))))(socket.create_connection(('{host}',{port}))) for _ in range(6)]\"; kill $(pgrep -P $p)",
    run: |cx| Box::pin(run(cx)),
};

/// Number of threads that are not started, and of clients.
const TIMES: u32 = 3;
const CLIENTS: usize = 6;
/// Number of clients at the same moment.
const TOGETHER: usize = 24;
/// How late sends return then: a runtime such as Go's starts a thread only while all of its threads are in calls that take long.
const SLOW: Duration = Duration::from_millis(30);
/// For how long they come again while no thread was started.
const TOGETHER_TIME: Duration = Duration::from_millis(1_500);

async fn run(cx: &Cx) -> Checked {
    let mut trials = Trials::new(cx);
    let mut bystander = Bystander::enter(cx).await?;
    let refused = Rule {
        times: TIMES,
        ..Rule::new(
            &[CallKind::Thread],
            &[Place::Thread],
            Injected::Error(libc::EAGAIN),
        )
    };
    let mut injection = arm(cx, refused.clone())?;
    for _ in 0..CLIENTS {
        ask(cx).await?;
    }
    at_once(cx, Duration::ZERO).await?;
    if injection.record().count() == 0 {
        let _ = injection.end();
        injection = arm(
            cx,
            Rule {
                slow_sends: Some(SLOW),
                ..refused
            },
        )?;
        let begun = Instant::now();
        while injection.record().count() == 0 && begun.elapsed() < TOGETHER_TIME {
            at_once(cx, SLOW).await?;
        }
    }
    if trials.note(&injection.end()) {
        let after = "after the start of a thread has returned EAGAIN";
        bystander.is_served(after).await?;
        trials.goes_on(after).await?;
    }
    drop(bystander);
    trials.conclude("clone or fork for a client")
}

/// Clients that ask at the same moment: a server with a pool of threads starts one only if all others are busy. A server with
/// one thread sends one reply after the other, each `slow`.
async fn at_once(cx: &Cx, slow: Duration) -> Checked {
    let together = cx.connections(TOGETHER);
    let patience = patience(cx) + slow * together as u32;
    let mut clients = Vec::new();
    for _ in 0..together {
        clients.extend(enter(cx, patience).await);
    }
    ask_at_once(cx, &mut clients, patience).await?;
    Ok(())
}
