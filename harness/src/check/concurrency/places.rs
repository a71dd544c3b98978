//! Clients that take all the places of a server.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::check::{Checked, Cx, Failure, FailureKind, Shortfall, failed, skip};
use crate::session::{After, Session};

/// Largest promised number of places that is filled without `--slow`. A check fills them twice or more.
const PLACES_MAX: usize = 500;
/// Number of clients that connect at the same time: short queues of connections are not what is tested.
const AT_ONCE: usize = 16;
/// Descriptors that tcprove needs for everything else.
const DESCRIPTORS_BESIDE: u64 = 500;
/// Time that filling may take in all.
const FILLING: Duration = Duration::from_secs(10);
/// Time before a client that was refused tries again.
const PAUSE: Duration = Duration::from_millis(20);

/// The number of places that the server promises, to be filled `fills` times, with `more` further clients. Skips if that
/// takes too many connections.
pub(super) fn promised(cx: &Cx, fills: u32, more: usize) -> Checked<usize> {
    let places = cx.promise().max_connections.unwrap_or_default();
    if places > PLACES_MAX && !cx.is_slow() {
        return cx.skip_as_slow(format!(
            "promise.max_connections is {places}; only --slow fills more than {PLACES_MAX} places"
        ));
    }
    let (soft, _) =
        crate::sys::raise_nofile_limit().unwrap_or_else(|_| crate::sys::initial_nofile());
    if (places + more) as u64 + DESCRIPTORS_BESIDE > soft {
        return skip(format!(
            "promise.max_connections is {places}, and tcprove itself may open only {soft} descriptors"
        ));
    }
    let each = cx.pace().exchange / 4;
    let takes = each
        .saturating_mul(fills)
        .saturating_mul(u32::try_from(places).unwrap_or(u32::MAX));
    if takes > FILLING && !cx.is_slow() {
        return cx.skip_as_slow(format!(
            "promise.max_connections is {places}: at the pace of this server, filling them {fills} times takes about {takes:.0?} (--slow waits for that)"
        ));
    }
    Ok(places)
}

/// Clients that are connected and were served.
pub(super) struct Filled {
    pub(super) clients: Vec<Session>,
    /// What happened instead to the first client that was not served.
    pub(super) trouble: Option<Failure>,
}

/// Connects `count` clients that are served and stay. One that is refused tries again, for as long as a reply may take: the
/// server may not have noticed yet that others have left.
pub(super) async fn fill(cx: &Cx, count: usize) -> Checked<Filled> {
    let patience = cx.pace().reply_limit();
    let begun = Rc::new(Cell::new(0));
    let parts = cx
        .crowd(AT_ONCE.min(count), |cx, _| {
            let begun = begun.clone();
            async move {
                let (mut clients, mut trouble) = (Vec::new(), None);
                while begun.get() < count {
                    begun.set(begun.get() + 1);
                    match placed(&cx, Instant::now() + patience).await {
                        Ok(client) => clients.push(client),
                        Err(Shortfall::Failed(failure)) => {
                            trouble = Some(failure);
                            break;
                        }
                        Err(other) => return Err(other),
                    }
                }
                Ok((clients, trouble))
            }
        })
        .await;
    let mut filled = Filled {
        clients: Vec::with_capacity(count),
        trouble: None,
    };
    for part in parts {
        let (clients, trouble) = part?;
        filled.clients.extend(clients);
        filled.trouble = filled.trouble.or(trouble);
    }
    if let Some(exit) = cx.server().exit() {
        return failed(
            FailureKind::Died,
            "the server keeps running",
            format!("the server {exit}"),
        );
    }
    Ok(filled)
}

/// One client that is served, after some attempts if need be.
async fn placed(cx: &Cx, deadline: Instant) -> Checked<Session> {
    let mut last = None;
    loop {
        let failure = match timeout_at(deadline, served(cx)).await {
            Ok(Err(Shortfall::Failed(failure))) => failure,
            Ok(done) => return done,
            Err(_) => {
                let silent = || {
                    Failure::new(
                        FailureKind::Blocked,
                        "the client is served",
                        format!("no reply within {:?}", cx.pace().reply_limit()),
                    )
                };
                return Err(Shortfall::Failed(last.unwrap_or_else(silent)));
            }
        };
        last = Some(failure);
        tokio::time::sleep(PAUSE).await;
    }
}

async fn served(cx: &Cx) -> Checked<Session> {
    let mut client = cx.open().await?;
    again(&mut client).await?;
    Ok(client)
}

/// One exchange of a client that stays.
async fn again(client: &mut Session) -> Checked {
    let turn = client.turn()?;
    match client.exchange(&turn).await?.after {
        After::Open => Ok(()),
        After::Closed | After::Reset => failed(
            FailureKind::LostReply,
            "the connection stays open",
            "the server ended it after its reply",
        ),
    }
}
