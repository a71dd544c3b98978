//! Reads or writes that fail on one connection.

use super::trial::{Bystander, Trials, arm, ask_again, named};
use crate::check::{Checked, Cx};
use crate::process::injector::{CallKind, Injected, Place, Rule};

/// Errors of this connection or this moment.
const ERRORS: [i32; 4] = [
    libc::ENOBUFS,
    libc::ENOMEM,
    libc::ETIMEDOUT,
    libc::EHOSTUNREACH,
];
/// Maximum number of requests until the call is made: one may be waiting when the rule comes into force.
const REQUESTS: usize = 3;

/// Makes calls of this kind fail, each error on a connection of its own. `call` names them.
pub(super) async fn each(cx: &Cx, kind: CallKind, call: &str) -> Checked {
    let kinds: &'static [CallKind] = match kind {
        CallKind::Send => &[CallKind::Send],
        _ => &[CallKind::Receive],
    };
    let mut trials = Trials::new(cx);
    let mut bystander = Bystander::enter(cx).await?;
    for error in ERRORS {
        let result = Injected::Error(error);
        let mut session = cx.open().await?;
        let rule = Rule {
            peer: session.local(),
            ..Rule::new(kinds, &[Place::Connection], result)
        };
        let injection = arm(cx, rule)?;
        for _ in 0..REQUESTS {
            ask_again(cx, &mut session).await?;
            if injection.record().count() > 0 || !cx.talk().carries_many_turns() {
                break;
            }
        }
        let record = injection.end();
        session.close();
        if !trials.note(&record) {
            continue;
        }
        let after = format!("after a {} has returned {}", verb(kind), named(result));
        bystander.is_served(&after).await?;
        trials.goes_on(&after).await?;
    }
    drop(bystander);
    trials.conclude(call)
}

fn verb(kind: CallKind) -> &'static str {
    match kind {
        CallKind::Send => "write",
        _ => "read",
    }
}
