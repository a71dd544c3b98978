//! TCP is a byte stream: segment boundaries have no meaning.

mod big_reply;
mod coalesce_100;
mod eol_variants;
mod opening_coalesced;
mod opening_split;
mod pieces;
mod refuse_then_sync;
mod reply_order;
mod size_boundaries;
mod split_across_two;
mod split_bytewise;
mod split_delimiter;
mod split_each_offset;

pub(super) use size_boundaries::sized;

use std::time::Duration;

use super::{Check, Checked, Cx, FailureKind, failed, inconclusive};
use crate::session::Session;
use crate::talk::Turn;
use crate::text::escape;

const GROUP: &str = "framing";

pub(super) const CHECKS: &[&Check] = &[
    &split_bytewise::ENTRY,
    &split_each_offset::ENTRY,
    &split_delimiter::ENTRY,
    &coalesce_100::ENTRY,
    &split_across_two::ENTRY,
    &size_boundaries::ENTRY,
    &big_reply::ENTRY,
    &opening_split::ENTRY,
    &opening_coalesced::ENTRY,
    &reply_order::ENTRY,
    &refuse_then_sync::ENTRY,
    &eol_variants::ENTRY,
];

/// Time for bytes that nobody asked for to arrive.
const SURPLUS_WITHIN: Duration = Duration::from_millis(30);

/// Ends a connection on which every reply has been read. Fails if the server has sent more: a server that takes each read for
/// a message may answer several times with the same words.
pub(super) async fn end(cx: &Cx, mut client: Session) -> Checked {
    let surplus = client.leftover(SURPLUS_WITHIN).await;
    client.close();
    if surplus.is_empty() || !cx.talk().push.is_empty() {
        return Ok(());
    }
    // A server that adds something to every reply does so to a plain one too.
    let mut plain = cx.open().await?;
    let turn = plain.turn()?;
    plain.exchange(&turn).await?;
    if !plain.leftover(2 * SURPLUS_WITHIN).await.is_empty() {
        return Ok(());
    }
    failed(
        FailureKind::WrongReply,
        "one reply to each request, and nothing more",
        format!(
            "after the last reply the server sent {} more bytes: \"{}\"",
            surplus.len(),
            escape(&surplus, 100)
        ),
    )
}

/// The requests of these turns, one after the other.
fn requests(turns: &[Turn]) -> Vec<u8> {
    let requests = turns.iter().flat_map(|turn| &turn.request);
    requests.copied().collect()
}

/// Sends the requests of these turns in one write. Returns their number of bytes. Inconclusive if the kernel takes fewer.
fn in_one_write(client: &mut Session, turns: &[Turn]) -> Checked<usize> {
    let together = requests(turns);
    let written = client.link().try_write(&together);
    if written.as_ref().ok() != Some(&together.len()) {
        return inconclusive(format!(
            "unproven: one write did not accept all {} bytes: {written:?}",
            together.len()
        ));
    }
    Ok(together.len())
}
