//! A disk that is full or broken.

use std::time::Duration;

use super::trial::{Bystander, Trials, arm, ask_for, named};
use crate::check::{Check, Checked, Cx, FailureKind, Need, Runs, Weight, warned};
use crate::process::CallSet;
use crate::process::injector::{CallKind, Injected, Place, Rule};

/// Makes writes to the output and to files fail.
pub(super) const ENTRY: Check = Check {
    id: "disk-full",
    group: super::GROUP,
    battery: 1,
    requirement: "POSIX write(): ENOSPC, no free space is left on the device, and EIO; what a server prints should not decide whether it serves; one that cannot store data may refuse requests, and may end with a message",
    stimulus: "writes to stdout and stderr return ENOSPC, then EIO, then writes to files return ENOSPC, then EIO, up to 8 times each, while a client comes for each turn of the talk and another one is connected",
    needs: &[Need::Spawned, Need::Accepts],
    runs: Runs::Injected(CallSet::Interruptible),
    weight: Weight::Warns,
    control: false,
    limit: Duration::from_secs(40),
    by_hand: "",
    run: |cx| Box::pin(run(cx)),
};

/// Number of writes that fail.
const TIMES: u32 = 8;
/// Minimum number of clients.
const CLIENTS: usize = 3;
/// Time limit for the end of a server to become visible.
const ENDING: Duration = Duration::from_millis(300);

async fn run(cx: &Cx) -> Checked {
    let mut trials = Trials::new(cx);
    let mut bystander = Bystander::enter(cx).await?;
    for place in [Place::Output, Place::File] {
        for error in [libc::ENOSPC, libc::EIO] {
            one(cx, &mut trials, &mut bystander, place, error).await?;
        }
    }
    drop(bystander);
    trials.conclude("write for a file or its output while it serves")
}

async fn one(
    cx: &Cx,
    trials: &mut Trials<'_>,
    bystander: &mut Bystander,
    place: Place,
    error: i32,
) -> Checked {
    let (places, what): (&'static [Place], _) = match place {
        Place::Output => (&[Place::Output], "a write to its output"),
        _ => (&[Place::File], "a write to a file"),
    };
    let result = Injected::Error(error);
    let rule = Rule {
        times: TIMES,
        ..Rule::new(&[CallKind::Send, CallKind::Sync], places, result)
    };
    let from = cx.server().printed().stderr;
    let injection = arm(cx, rule)?;
    // One turn may read and another one store.
    let turns = &cx.talk().turns;
    for turn in turns.iter().cycle().take(CLIENTS.max(turns.len())) {
        ask_for(cx, turn).await?;
    }
    if !trials.note(&injection.end()) {
        return Ok(());
    }
    let after = format!("after {what} has returned {}", named(result));
    let ended = cx.server().wait_exit(ENDING).await;
    if let (Place::File, Some(exit)) = (place, ended) {
        let (stderr, _) = cx.server().stderr_since(from);
        if !stderr.is_empty() {
            return warned(
                FailureKind::Died,
                "the server goes on, or refuses what it cannot store",
                format!("the server {exit} {after}, with a message"),
            );
        }
    }
    bystander.is_served(&after).await?;
    trials.goes_on(&after).await
}
