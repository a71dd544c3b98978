//! Reads or writes that fail on one connection.

use std::time::Duration;

use super::trial::{Asked, Bystander, Trials, arm, ask_again, named};
use crate::check::{Ascribe, Checked, Cx, Shortfall};
use crate::process::injector::{CallKind, Injected, Injection, Place, Rule};
use crate::session::{ConnectionEnd, Session};

/// Errors of this connection or this moment.
const ERRORS: [i32; 4] = [
    libc::ENOBUFS,
    libc::ENOMEM,
    libc::ETIMEDOUT,
    libc::EHOSTUNREACH,
];
/// Maximum number of requests until the call is made: one may be waiting when the rule comes into force.
const REQUESTS: usize = 3;

/// Time for the server to end a connection that it has refused.
const ENDS: Duration = Duration::from_millis(500);

/// Makes calls of this kind fail, each error on a connection of its own. `call` names them.
pub(super) async fn each(cx: &Cx, kind: CallKind, call: &str) -> Checked {
    let kinds: &'static [CallKind] = match kind {
        CallKind::Send => &[CallKind::Send],
        _ => &[CallKind::Receive],
    };
    let mut trials = Trials::new(cx);
    let mut bystander = Bystander::enter(cx).await?;
    for error in ERRORS {
        bystander.freshen(cx).await?;
        let result = Injected::Error(error);
        let (mut session, injection) =
            armed(cx, Rule::new(kinds, &[Place::Connection], result)).await?;
        let mut asked = Asked::Served;
        for _ in 0..REQUESTS {
            asked = ask_again(cx, &mut session).await?;
            if asked == Asked::Lost {
                // A slow server may make its call only now.
                let is_made = || injection.record().count() > 0;
                cx.eventually(cx.pace().reply_limit(), is_made).await;
            }
            let is_served = asked == Asked::Served && cx.talk().carries_many_turns();
            if injection.record().count() > 0 || !is_served {
                break;
            }
        }
        let record = injection.end();
        let happened = trials.note(&record);
        let after = format!("after a {} has returned {}", verb(kind), named(result));
        if let Asked::Otherwise(shortfall) = asked {
            let is_message = kind == CallKind::Receive || is_framed(cx, &shortfall);
            if !(happened && is_message && refuses(&mut session).await) {
                return Err(shortfall).at(|| after);
            }
        }
        session.close();
        if !happened {
            continue;
        }
        bystander.is_served(&after).await?;
        trials.goes_on(&after).await?;
    }
    drop(bystander);
    trials.conclude(call)
}

/// A connection, and the rule in force for its calls. Where it carries a single request the server may wait in read() as soon as
/// there is a connection, so that the rule comes first: nobody else says anything meanwhile.
async fn armed(cx: &Cx, rule: Rule) -> Checked<(Session, Injection)> {
    if !cx.talk().carries_many_turns() && cx.talk().open.is_empty() {
        let injection = arm(cx, rule)?;
        return Ok((cx.open().await?, injection));
    }
    let session = cx.open().await?;
    let peer = session.local();
    Ok((session, arm(cx, Rule { peer, ..rule })?))
}

/// Whether the reply, though not the expected one, is a whole message. After a write that has failed and others that have not,
/// bytes are missing in the middle.
fn is_framed(cx: &Cx, wrong: &Shortfall) -> bool {
    let frame = cx.talk().plain().reply_frame(cx.talk()).describe();
    match wrong {
        Shortfall::Failed(failure) => failure.mismatch.expected != frame,
        _ => false,
    }
}

/// Whether the server ends the connection, after it has refused in the protocol's own words what it cannot read or answer.
async fn refuses(session: &mut Session) -> bool {
    session.drained(ENDS).await != ConnectionEnd::StillOpen
}

fn verb(kind: CallKind) -> &'static str {
    match kind {
        CallKind::Send => "write",
        _ => "read",
    }
}
