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
/// Number of clients at the same time before that, how often they come, and the time after which they do not come again.
const FIRST: usize = 40;
const FIRST_TIMES: usize = 4;
const FIRST_TIME: Duration = Duration::from_secs(1);
/// Number of calls that fail.
const TIMES: u32 = 36;
/// Maximum number of fresh servers on which setsockopt fails, and the time for them. An error is logged on a path that nobody has
/// tried, and what an uninitialized variable holds there depends on where the kernel has placed the stack: gearmand died in 9 of 30
/// starts.
const FRESH: usize = 14;
const FRESH_TIME: Duration = Duration::from_secs(3);
/// Number of clients of each.
const FRESH_CLIENTS: usize = 2;

/// A call that fails.
#[derive(Clone, Copy)]
struct Refusal {
    name: &'static str,
    kinds: &'static [CallKind],
    error: i32,
    /// Whether it also fails on fresh servers.
    again: bool,
}

const REFUSALS: [Refusal; 3] = [
    Refusal {
        name: "setsockopt",
        kinds: &[CallKind::Option],
        error: libc::EINVAL,
        again: true,
    },
    Refusal {
        name: "getpeername",
        kinds: &[CallKind::PeerName],
        error: libc::ENOTCONN,
        again: false,
    },
    Refusal {
        name: "shutdown",
        kinds: &[CallKind::Shutdown],
        error: libc::ENOTCONN,
        again: false,
    },
];

impl Refusal {
    fn result(self) -> Injected {
        Injected::Error(self.error)
    }

    /// After what something is judged, for messages.
    fn after(self) -> String {
        format!("after {} has returned {}", self.name, named(self.result()))
    }

    /// Makes the call fail for so many clients. Returns whether the server has made it.
    async fn happens(self, cx: &Cx, trials: &mut Trials<'_>, clients: usize) -> Checked<bool> {
        let rule = Rule {
            times: TIMES,
            ..Rule::new(self.kinds, &[Place::Connection], self.result())
        };
        let injection = arm(cx, rule)?;
        for _ in 0..clients {
            ask(cx).await?;
        }
        Ok(trials.note(&injection.end()))
    }

    /// Makes it fail on fresh servers, whose stacks are at other addresses, as many as start in time.
    async fn happens_on_fresh_servers(self, cx: &Cx) -> Checked {
        if cx.launch()?.singleton {
            return Ok(());
        }
        let begun = Instant::now();
        let mut servers = 0;
        while servers < FRESH && begun.elapsed() < FRESH_TIME {
            let options = StartOptions {
                inject: Some(CallSet::Options),
                ..StartOptions::default()
            };
            let fresh = cx.on(cx.start(options).await?);
            let mut trials = Trials::new(&fresh);
            fresh.exchange().await?;
            self.happens(&fresh, &mut trials, FRESH_CLIENTS).await?;
            trials.goes_on(&self.after()).await?;
            servers += 1;
        }
        cx.note("further_starts", servers);
        Ok(())
    }
}

async fn run(cx: &Cx) -> Checked {
    let mut trials = Trials::new(cx);
    // A thread that accepts may try the options once, on the first connection that it happens to get (varnish): then it would be
    // chance which call that is. On a busy machine one thread may accept all of a crowd. Clients that are too many for the backlog
    // (mpd's is 5) do no harm, and are not judged.
    let begun = Instant::now();
    for _ in 0..FIRST_TIMES {
        let crowd = cx.crowd(
            cx.connections(FIRST),
            |cx, _| async move { cx.exchange().await },
        );
        drop(crowd.await);
        if begun.elapsed() > FIRST_TIME {
            break;
        }
    }
    let mut bystander = Bystander::enter(cx).await?;
    let mut again = None;
    for refusal in REFUSALS {
        bystander.freshen(cx).await?;
        if !refusal.happens(cx, &mut trials, CLIENTS).await? {
            continue;
        }
        let after = refusal.after();
        bystander.is_served(&after).await?;
        trials.goes_on(&after).await?;
        again = again.or(refusal.again.then_some(refusal));
    }
    drop(bystander);
    if let Some(refusal) = again {
        refusal.happens_on_fresh_servers(cx).await?;
    }
    trials.conclude("setsockopt, getpeername or shutdown on a connection")
}
