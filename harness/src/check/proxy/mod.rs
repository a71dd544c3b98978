//! The PROXY protocol: headers that are split, missing or late.

mod late;
mod missing;
mod split;

use super::Check;
use crate::session::{PeerError, Session};

const GROUP: &str = "proxy protocol";

pub(super) const CHECKS: &[&Check] = &[&split::ENTRY, &missing::ENTRY, &late::ENTRY];

/// Everything after the header: the TLS handshake if there is one, the opening, and a turn.
async fn exchange(client: &mut Session) -> Result<(), PeerError> {
    client.handshake().await?;
    client.opening().await?;
    let turn = client.turn()?;
    client.exchange(&turn).await.map(drop)
}
