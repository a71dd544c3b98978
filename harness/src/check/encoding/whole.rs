//! The control of checks that cut text: the same text in one piece.

use crate::check::{Checked, Cx, skip};
use crate::session::PeerError;

/// Skips the check if the server answers a request with this text, sent whole, otherwise than the talk says: then it is not the cut
/// that makes the difference. A server may write characters in another way, as JSON allows (RFC 8259 section 7).
pub(super) async fn is_answered_as_said(cx: &Cx, text: &str) -> Checked {
    if cx.server().exit().is_some() {
        return Ok(());
    }
    let Ok(mut client) = cx.open_for_payload().await else {
        return Ok(());
    };
    let turn = cx.payload_turn(&mut client, text.as_bytes())?;
    let Err(PeerError::Wrong { .. }) = client.exchange(&turn).await else {
        client.close();
        return Ok(());
    };
    skip(format!(
        "the reply to a request with {text:?} is not as `expect` says when it arrives whole either: if the server writes such characters in another way, `expect = {{ json = ... }}` compares values"
    ))
}
