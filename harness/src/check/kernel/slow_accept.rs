//! Accepts that return late.

use std::time::Duration;

use super::trial::{Bystander, Trials, arm};
use crate::check::{Ascribe, Check, Checked, Cx, FailureKind, Need, Runs, Weight};
use crate::process::CallSet;
use crate::process::injector::{CallKind, Injected, Place, Rule};

/// Delays accept.
pub(super) const ENTRY: Check = Check {
    id: "slow-accept",
    group: super::GROUP,
    battery: 1,
    requirement: "POSIX accept() has no time limit: on a loaded machine its result may come late; the clients in the queue have lost nothing by then",
    stimulus: "three accepts return 300 ms late, while four clients come at once and another one is connected",
    needs: &[Need::Spawned, Need::Accepts],
    runs: Runs::Injected(CallSet::Interruptible),
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(40),
    by_hand: "strace -f -qq -o /dev/null -e inject=accept,accept4:delay_exit=300000:when=1..3 {cmd} & p=$!; sleep 2; python3 -c \"import socket; [(lambda s: (s.settimeout(2), s.send({request}), print(s.recv(4096))))(socket.create_connection(('{host}',{port}))) for _ in range(4)]\"; kill $(pgrep -P $p)",
    run: |cx| Box::pin(run(cx)),
};

/// Number of accepts that are late, by how much, and number of clients.
const TIMES: u32 = 3;
const LATE: Duration = Duration::from_millis(300);
const CLIENTS: usize = 4;

async fn run(cx: &Cx) -> Checked {
    let mut trials = Trials::new(cx);
    let mut bystander = Bystander::enter(cx).await?;
    let rule = Rule {
        times: TIMES,
        ..Rule::new(
            &[CallKind::Accept],
            &[Place::Listener],
            Injected::Late(LATE),
        )
    };
    let injection = arm(cx, rule)?;
    let crowd = cx.crowd(cx.connections(CLIENTS), |cx, _| async move {
        cx.exchange().await
    });
    let served: Checked<Vec<_>> = crowd.await.into_iter().collect();
    trials.note(&injection.end());
    served
        .ascribe(
            FailureKind::LostReply,
            "a client that was accepted late is served",
        )
        .at(|| "accept returned late".to_owned())?;
    let after = "after accept has returned late";
    bystander.is_served(after).await?;
    trials.goes_on(after).await?;
    drop(bystander);
    trials.conclude("accept")
}
