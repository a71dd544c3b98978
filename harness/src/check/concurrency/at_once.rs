//! Clients that ask at the same moment, whatever else the machine does.

use std::time::Duration;

use super::stopped::Stopped;
use crate::check::{Checked, Cx};
use crate::session::Session;

/// A client that connects and performs the opening of the talk; `None` if it is not let in within `patience`.
pub(in crate::check) async fn enter(cx: &Cx, patience: Duration) -> Option<Session> {
    let entered = async {
        let mut client = cx.try_connect().await.ok()?;
        client.opening().await.ok()?;
        Some(client)
    };
    tokio::time::timeout(patience, entered).await.ok().flatten()
}

/// Lets each client send a request while the server is stopped, so that the server finds all of them at once, and waits for
/// the replies, each of which may fail to come within `patience`. Returns how many came. A server that cannot be stopped finds
/// them one after the other.
pub(in crate::check) async fn ask_at_once(
    cx: &Cx,
    clients: &mut [Session],
    patience: Duration,
) -> Checked<usize> {
    let stopped = Stopped::hold(cx).await.ok();
    let mut asked = Vec::new();
    for client in clients {
        let turn = client.turn()?;
        if client.send(&turn.request).await.is_ok() {
            asked.push((client, turn));
        }
    }
    if let Some(stopped) = stopped {
        stopped.resume();
    }
    let mut served = 0;
    for (client, turn) in asked {
        let reply = tokio::time::timeout(patience, client.expect(&turn)).await;
        served += usize::from(matches!(reply, Ok(Ok(_))));
    }
    Ok(served)
}
