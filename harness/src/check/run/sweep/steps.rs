//! The client of a sweep: it takes one step at a time, and before each it waits until the server has done what the step before
//! asked for. So the server makes the same calls each time, on a busy machine too.

use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::check::kernel::trial::{Asked, judged};
use crate::check::{Checked, Cx};
use crate::process::injector::Injection;
use crate::session::PeerError;

/// Time without a call and without computing after which a step is done.
const STEP: Duration = Duration::from_millis(5);
/// The same for an exchange: its last calls may follow a timer.
const QUIET: Duration = Duration::from_millis(20);
/// Maximum time to wait for either.
const REST_MAX: Duration = Duration::from_millis(800);
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(1);
/// Time that the client waits for a reply. Some servers pause for a second after a failed accept.
const PATIENCE: Duration = Duration::from_secs(2);
/// The same while the server computes or makes calls.
const PATIENCE_MAX: Duration = Duration::from_secs(10);

/// What became of an exchange.
pub(super) struct Exchange {
    pub(super) asked: Asked,
    /// The rule has acted before anything followed the PROXY header.
    pub(super) is_in_header: bool,
}

/// Holds the plain exchange on a new connection.
pub(super) async fn exchange(cx: &Cx, injection: &Injection) -> Checked<Exchange> {
    let has_header = cx.server().endpoint().transport.proxy.is_some();
    let mut is_in_header = false;
    let exchange = async {
        let mut session = cx.try_connect().await?;
        if has_header {
            // Why the server has not read it shows in what follows.
            let _ = session.until_read().await;
        }
        // A server that never rests is not waited for again.
        let comes_to_rest = rests(cx, STEP).await;
        is_in_header = has_header && injection.record().count() > 0;
        session.opening().await.map_err(|opening| opening.error)?;
        if comes_to_rest {
            rests(cx, STEP).await;
        }
        let turn = session.turn()?;
        session.exchange(&turn).await?;
        if comes_to_rest {
            rests(cx, STEP).await;
        }
        let local = session.local();
        session.close();
        Ok::<_, PeerError>(local)
    };
    let done = in_time(cx, exchange).await;
    if let Some(Ok(local)) = &done {
        has_closed(cx, *local).await;
    }
    Ok(Exchange {
        asked: judged(done.ok_or(())),
        is_in_header,
    })
}

/// Waits until the server has closed the connection of this client, which has left. On a busy machine even the kernel may take a
/// while to tell the server.
async fn has_closed(cx: &Cx, client: Option<SocketAddr>) {
    let is_closed = || {
        let peer = cx.server().peer_socket(client);
        peer.is_none_or(|peer| peer.has_sent_fin())
    };
    cx.eventually(REST_MAX, is_closed).await;
}

/// The result, unless the server has stopped working on it.
async fn in_time<T>(cx: &Cx, wanted: impl Future<Output = T>) -> Option<T> {
    tokio::pin!(wanted);
    let begun = Instant::now();
    let least = PATIENCE.max(cx.pace().exchange * 2);
    let mut limit = least;
    loop {
        let before = cx.server().calls().count;
        if let Ok(done) = tokio::time::timeout(limit, &mut wanted).await {
            return Some(done);
        }
        let works = cx.server().calls().count != before || cx.server().is_computing();
        if !works || begun.elapsed() >= least.max(PATIENCE_MAX) {
            return None;
        }
        limit = QUIET;
    }
}

/// Waits until the server makes no calls and has closed the connections of earlier clients: those calls are no part of the
/// next exchange.
pub(super) async fn settled(cx: &Cx) {
    rests_and(cx, QUIET, || !is_held(cx)).await;
}

/// Whether the server has not closed a connection whose client has left. A dump of the socket table may miss one while the table
/// changes, so one answer does not end a wait.
pub(super) fn is_held(cx: &Cx) -> bool {
    let left = cx.server().abandoned();
    left.is_some_and(|left| left.total() > 0)
}

/// Waits until the server neither makes a call nor computes for so long. Returns whether it has come to that.
async fn rests(cx: &Cx, quiet: Duration) -> bool {
    rests_and(cx, quiet, || true).await
}

async fn rests_and(cx: &Cx, quiet: Duration, is_over: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    let mut count = cx.server().calls().count;
    let mut changed = begun;
    while changed.elapsed() < quiet {
        if begun.elapsed() >= REST_MAX {
            return false;
        }
        tokio::time::sleep(LOOK).await;
        let now = cx.server().calls().count;
        if now != count || cx.server().is_computing() || !is_over() {
            (count, changed) = (now, Instant::now());
        }
    }
    true
}
