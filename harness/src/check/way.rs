//! The steps that a connection takes: its opening, then turns.

use std::time::Duration;

use super::cx::Cx;
use super::outcome::Checked;
use crate::session::Session;
use crate::talk::{Opening, Talk};

/// The payload of turns whose payload does not matter.
pub(super) const PAYLOAD: &[u8] = b"ping";

/// Time for the server's end of a connection to appear in the socket table. It never does on another machine.
const SHOWS_WITHIN: Duration = Duration::from_millis(200);

/// Everything that comes before the plain turn: the opening, and the turns that must come first.
pub(super) fn to_plain(talk: &Talk) -> Vec<Opening> {
    with_turns(talk, &talk.before(talk.plain()))
}

/// The opening, then these turns.
pub(super) fn with_turns(talk: &Talk, turns: &[usize]) -> Vec<Opening> {
    let turns = turns.iter().filter_map(|index| talk.turns.get(*index));
    let turns = turns.cloned().map(Opening::Exchange);
    talk.open.iter().cloned().chain(turns).collect()
}

/// Performs these steps on a new connection.
pub(super) async fn walk(client: &mut Session, steps: &[Opening]) -> Checked {
    client.handshake().await?;
    for step in steps {
        client.perform(step).await?;
    }
    Ok(())
}

/// The name of a step in messages: its place in the file.
pub(super) fn label(step: &Opening) -> &str {
    match step {
        Opening::Exchange(exchange) => &exchange.label,
        Opening::Exec(exec) => &exec.label,
        Opening::StartTls => "the TLS handshake",
    }
}

/// Waits until the server has read everything sent on this connection, or has ended it. Returns false if neither happens
/// within the time limit of a reply.
///
/// The kernel keeps no byte counts of a connection that the server has closed; it sends a FIN only if no data was left
/// unread.
pub(super) async fn is_read(cx: &Cx, client: &mut Session) -> bool {
    if client.local().is_none() {
        return client.until_read().await.is_ok();
    }
    let has_read = || {
        cx.peer(client)
            .is_some_and(|peer| peer.recv_q == 0 && client.has_arrived(&peer))
    };
    let shows = || cx.peer(client).is_some() || cx.is_over(client);
    if !cx.eventually(SHOWS_WITHIN, shows).await {
        return false;
    }
    cx.eventually(cx.pace().reply_limit(), || has_read() || cx.is_over(client))
        .await
}
