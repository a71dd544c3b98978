//! Options and names that the kernel refuses.

use std::time::{Duration, Instant};

use super::trial::{Bystander, Trials, arm, ask, named};
use crate::check::{Check, Checked, Cx, Need, Runs, Weight};
use crate::process::injector::{CallKind, Injected, Place, Rule};
use crate::process::{CallSet, StartOptions};

/// Refuses options, names and shutdowns of connections.
pub(super) const ENTRY: Check = Check {
    id: "options-refused",
    group: super::GROUP,
    battery: 1,
    requirement: "setsockopt(2): EINVAL; getpeername(2), shutdown(2): ENOTCONN, the client has left; some systems return them for a new connection; they concern one connection",
    stimulus: "setsockopt on new connections returns EINVAL, also on up to 14 fresh servers, then getpeername ENOTCONN, then shutdown ENOTCONN, while clients come and another one is connected",
    needs: &[Need::Spawned, Need::Accepts],
    runs: Runs::Injected(CallSet::Options),
    weight: Weight::FailsAtOnce,
    control: false,
    limit: Duration::from_secs(40),
    by_hand: "strace -f -qq -o /dev/null -e inject=setsockopt:error=EINVAL:when=4+ {cmd} & p=$!; sleep 2; python3 -c \"import socket; [(lambda s: (s.settimeout(2), s.send({request}), print(s.recv(4096))))(socket.create_connection(('{host}',{port}))) for _ in range(4)]\"; kill $(pgrep -P $p)",
    run: |cx| Box::pin(run(cx)),
};

/// Number of clients. What a server with several threads does may be a race: with 3 clients, gearmand died 5 times of 6.
const CLIENTS: usize = 9;
/// Number of clients at the same time before that.
const FIRST: usize = 40;
/// Number of calls that fail.
const TIMES: u32 = 36;
/// Maximum number of further servers on which setsockopt fails, and the time for them. An error is logged on a path that nobody has
/// tried, and what an uninitialized variable holds there depends on where the kernel has placed the stack: gearmand, whose message
/// has one argument too few, died in 9 of 30 starts.
const LIVES: usize = 14;
const LIVES_TIME: Duration = Duration::from_secs(3);
/// Number of clients of each.
const CLIENTS_OF_A_LIFE: usize = 2;

async fn run(cx: &Cx) -> Checked {
    let mut trials = Trials::new(cx);
    // A thread that accepts may try the options once, on the first connection that it happens to get (varnish): then it would be
    // chance which call that is. Clients that are too many for the backlog (mpd's is 5) do no harm, and are not judged.
    let crowd = cx.crowd(
        cx.connections(FIRST),
        |cx, _| async move { cx.exchange().await },
    );
    drop(crowd.await);
    let mut bystander = Bystander::enter(cx).await?;
    let parts: [(&str, &'static [CallKind], i32); 3] = [
        ("setsockopt", &[CallKind::Option], libc::EINVAL),
        ("getpeername", &[CallKind::PeerName], libc::ENOTCONN),
        ("shutdown", &[CallKind::Shutdown], libc::ENOTCONN),
    ];
    let mut is_made = false;
    for (name, kinds, error) in parts {
        let result = Injected::Error(error);
        bystander.freshen(cx).await?;
        if !refused(cx, &mut trials, kinds, result, CLIENTS).await? {
            continue;
        }
        let after = format!("after {name} has returned {}", named(result));
        bystander.is_served(&after).await?;
        trials.goes_on(&after).await?;
        is_made |= name == parts[0].0;
    }
    drop(bystander);
    if is_made {
        in_other_lives(cx, parts[0]).await?;
    }
    trials.conclude("setsockopt, getpeername or shutdown on a connection")
}

/// Makes these calls fail for so many clients. Returns whether the server has made one.
async fn refused(
    cx: &Cx,
    trials: &mut Trials<'_>,
    kinds: &'static [CallKind],
    result: Injected,
    clients: usize,
) -> Checked<bool> {
    let rule = Rule {
        times: TIMES,
        ..Rule::new(kinds, &[Place::Connection], result)
    };
    let injection = arm(cx, rule)?;
    for _ in 0..clients {
        ask(cx).await?;
    }
    Ok(trials.note(&injection.end()))
}

/// Does the same on fresh servers, whose stacks are at other addresses, where they start fast.
async fn in_other_lives(
    cx: &Cx,
    (name, kinds, error): (&str, &'static [CallKind], i32),
) -> Checked {
    if cx.launch()?.singleton {
        return Ok(());
    }
    let result = Injected::Error(error);
    let after = format!("after {name} has returned {}", named(result));
    let begun = Instant::now();
    let mut lives = 0;
    while lives < LIVES && begun.elapsed() < LIVES_TIME {
        let options = StartOptions {
            inject: Some(CallSet::Options),
            ..StartOptions::default()
        };
        let fresh = cx.on(cx.start(options).await?);
        let mut trials = Trials::new(&fresh);
        fresh.exchange().await?;
        refused(&fresh, &mut trials, kinds, result, CLIENTS_OF_A_LIFE).await?;
        trials.goes_on(&after).await?;
        lives += 1;
    }
    cx.note("further_starts", lives);
    Ok(())
}
