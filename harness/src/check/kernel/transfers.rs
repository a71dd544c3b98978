//! Reads and writes that are interrupted or short: nothing may be lost.

use std::time::Duration;

use super::trial::{Trials, arm, named};
use crate::check::{Ascribe, Checked, Cx, FailureKind};
use crate::process::injector::{CallKind, Injected, Place, Rule};
use crate::session::Session;

/// Number of calls that have the result, and of clients.
const TIMES: u32 = 8;
const CLIENTS: usize = 4;

/// One kind of calls, and how it is named.
pub(super) struct Part {
    pub(super) what: &'static str,
    pub(super) kinds: &'static [CallKind],
    pub(super) places: &'static [Place],
}

/// Gives every second call of each part this result. Every client must be served as if nothing had happened.
pub(super) async fn lose_nothing(cx: &Cx, parts: &[Part], result: Injected, call: &str) -> Checked {
    let mut trials = Trials::new(cx);
    // Different calls may take turns: every second one, and then every other second one.
    let rounds: &[(u32, u32)] = match result {
        Injected::Short => &[(0, 1)],
        _ => &[(0, 2), (1, 2)],
    };
    for (part, (skip, every)) in parts
        .iter()
        .flat_map(|part| rounds.iter().map(move |round| (part, *round)))
    {
        let past_header = past_header(cx, part, result).await?;
        let rule = Rule {
            skip,
            every,
            times: TIMES,
            peer: past_header.as_ref().and_then(Session::local),
            ..Rule::new(part.kinds, part.places, result)
        };
        let injection = arm(cx, rule)?;
        let served = match past_header {
            Some(session) => requests(cx, session, Duration::ZERO).await,
            None => clients(cx, part).await,
        };
        let record = injection.end();
        trials.note(&record);
        let happened = format!("{} was {}", part.what, said(result));
        served
            .ascribe(
                FailureKind::LostReply,
                "a call that has transferred less than was asked for loses nothing",
            )
            .at(|| happened.clone())?;
        if record.count() > 0 {
            trials.goes_on(&format!("after {happened}")).await?;
        }
    }
    trials.conclude(call)
}

fn said(result: Injected) -> String {
    match result {
        Injected::Error(libc::EINTR) => "interrupted (EINTR)".to_owned(),
        Injected::Short => "short (1 byte)".to_owned(),
        other => named(other),
    }
}

/// A busy server asks for events without waiting for them, so clients leave it time to fall asleep.
const REST: Duration = Duration::from_millis(4);

async fn clients(cx: &Cx, part: &Part) -> Checked {
    let rest = if part.kinds == [CallKind::Wait] {
        REST
    } else {
        Duration::ZERO
    };
    for _ in 0..CLIENTS {
        cx.exchange().await?;
        tokio::time::sleep(rest).await;
    }
    if cx.talk().carries_many_turns() {
        requests(cx, cx.open().await?, rest).await?;
    }
    Ok(())
}

/// Several requests on one connection, if it carries them.
async fn requests(cx: &Cx, mut session: Session, rest: Duration) -> Checked {
    let count = if cx.talk().carries_many_turns() {
        CLIENTS
    } else {
        1
    };
    for _ in 0..count {
        let turn = session.turn()?;
        session.exchange(&turn).await?;
        tokio::time::sleep(rest).await;
    }
    session.close();
    Ok(())
}

/// A connection whose PROXY header the server has read, if its reads are going to be short: the specification allows a server
/// to drop a connection whose header does not arrive at once (section 2).
async fn past_header(cx: &Cx, part: &Part, result: Injected) -> Checked<Option<Session>> {
    let has_header = cx.server().endpoint().transport.proxy.is_some();
    if !has_header || result != Injected::Short || part.kinds != [CallKind::Receive] {
        return Ok(None);
    }
    let mut session = cx.open().await?;
    session.until_read().await?;
    Ok(Some(session))
}
