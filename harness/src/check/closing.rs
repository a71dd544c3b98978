//! Requests that reach a connection which the server is about to close.

use std::time::Duration;

use super::Cx;
use crate::process::socket_table;
use crate::session::{PeerError, Session};

/// Time for a reset to arrive after a FIN.
const RESET_WITHIN: Duration = Duration::from_millis(300);

/// Whether a request failed because the server had closed the connection without reading it. A server may close a
/// connection between two requests, and the client may send such a request again (RFC 9112 section 9.5). The server's
/// kernel answers data for a closed connection with a reset, also after a FIN.
pub(super) async fn was_closed_unread(cx: &Cx, session: &Session, error: &PeerError) -> bool {
    match error {
        PeerError::Reset { after: 0, .. } => true,
        PeerError::Eof { after: 0, .. } => {
            cx.eventually(RESET_WITHIN, || is_reset(cx, session)).await
        }
        _ => false,
    }
}

/// Whether the client's end of the connection has been reset: it is no longer in the socket table.
fn is_reset(cx: &Cx, session: &Session) -> bool {
    let ends = session.local().zip(cx.server().addr());
    ends.is_some_and(|(local, server)| {
        socket_table::find(local, server).is_ok_and(|found| found.is_none())
    })
}
