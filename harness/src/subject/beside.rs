//! What a second instance of a server does beside the first, and what the server does with a connection on which nothing
//! happens. The second instance has a port and a folder of its own: a server that does not run twice needs something else that
//! exists once.

use std::rc::Rc;
use std::time::Duration;

use super::client::RehearsalClient;
use super::unasked::{self, Unasked};
use super::{RehearsalError, Subject, patient};
use crate::process::{Server, StartFailure};
use crate::text::last_line;

/// How long a connection may be idle while the server is learned.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// The longest time after which an idle connection was closed that is waited for again.
const IDLE_AGAIN_MAX: Duration = Duration::from_millis(1_500);
/// Two times after which idle connections are closed may differ by this part of the first, and by this time.
const IDLE_SPREAD: f64 = 0.25;
const IDLE_SPREAD_MIN: Duration = Duration::from_millis(150);

/// A second instance.
pub(super) enum Second {
    /// Both serve.
    Runs(RehearsalClient),
    /// It does not run beside the first, or ends that.
    Refuses(String),
    /// It was not started, or was not ready in time.
    Unknown,
}

/// Starts the server, and a second one beside it. A server that runs only once is started alone, twice asked. Returns the
/// server, the second one, and why only one can run.
///
/// # Errors
/// The server does not start.
pub(super) async fn start(
    subject: &Subject,
    patience: Duration,
) -> Result<(RehearsalClient, Second), RehearsalError> {
    let first = client(subject, patience).await?;
    if !subject.runs_beside_itself() {
        return Ok((first, Second::Unknown));
    }
    match started_beside(subject, &first, patience).await {
        Second::Refuses(_) => {}
        other => return Ok((first, other)),
    }
    // It may have been something else: the server must start alone, and not beside itself again.
    first.server().end();
    drop(first);
    let again = client(subject, patience).await?;
    let second = started_beside(subject, &again, patience).await;
    again.server().end();
    drop(again);
    let second = match second {
        Second::Refuses(how) => Second::Refuses(how),
        Second::Runs(_) | Second::Unknown => Second::Unknown,
    };
    Ok((client(subject, patience).await?, second))
}

async fn client(subject: &Subject, patience: Duration) -> Result<RehearsalClient, RehearsalError> {
    let server = subject.server(patient(subject)).await?;
    Ok(RehearsalClient::new(subject, Rc::new(server), patience))
}

/// Starts a server beside the first one.
async fn started_beside(subject: &Subject, first: &RehearsalClient, patience: Duration) -> Second {
    let second: Server = match subject.server(patient(subject)).await {
        Ok(second) => second,
        Err(StartFailure::Exited {
            exit, stderr_tail, ..
        }) => {
            let said = last_line(&stderr_tail).map_or(String::new(), |line| format!(": {line}"));
            return Second::Refuses(format!("it {exit}{said}"));
        }
        Err(_) => return Second::Unknown,
    };
    let second = RehearsalClient::new(subject, Rc::new(second), patience);
    if first.exchange().await.is_err() {
        return Second::Refuses("the first one no longer serves beside it".to_owned());
    }
    match second.exchange().await {
        Ok(()) => Second::Runs(second),
        Err(_) => Second::Unknown,
    }
}

/// After which time an idle connection is closed, as far as that happens before `until` is ready; measured twice. What the server
/// sends meanwhile goes into `unasked`.
pub(super) async fn idle_close(
    client: &RehearsalClient,
    until: impl Future<Output = ()>,
    unasked: &mut Option<Unasked>,
) -> Option<Duration> {
    tokio::pin!(until);
    let closed = tokio::select! {
        closed = closed_after(client, IDLE_MAX, unasked) => closed?,
        () = &mut until => return None,
    };
    if closed > IDLE_AGAIN_MAX {
        return None;
    }
    let spread = closed.mul_f64(IDLE_SPREAD).max(IDLE_SPREAD_MIN);
    let again = closed_after(client, closed + spread, unasked).await?;
    (again.abs_diff(closed) <= spread).then_some(again)
}

/// After which time one idle connection is closed; `None` if it is still open.
async fn closed_after(
    client: &RehearsalClient,
    limit: Duration,
    unasked: &mut Option<Unasked>,
) -> Option<Duration> {
    let mut session = client.open().await.ok()?;
    if !client.talk().carries_many_turns() {
        return None;
    }
    let turn = session.turn().ok()?;
    session.exchange(&turn).await.ok()?;
    unasked::closed_after(&mut session, client.talk(), limit, unasked).await
}
