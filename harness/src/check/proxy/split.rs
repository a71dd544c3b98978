//! A PROXY header that arrives in pieces.

use std::time::Duration;

use crate::check::{Ascribe, Check, Checked, Cx, FailureKind, Need, Runs, Weight, warned};
use crate::session::{PeerError, Session};

/// Cuts the header.
pub(super) const ENTRY: Check = Check {
    id: "proxy-split",
    group: super::GROUP,
    battery: 1,
    requirement: "PROXY protocol section 2: a receiver should wait for the rest of a header that is split on its way, or may drop the connection (a warning); what follows the header in the same segment belongs to the conversation",
    stimulus: "the header cut at several offsets, each piece read before the next; and the header together with the first request",
    needs: &[Need::Proxy],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(60),
    by_hand: "",
    run: |cx| Box::pin(run(cx)),
};

/// Number of offsets at which the header is cut.
const CUTS: usize = 6;

async fn run(cx: &Cx) -> Checked {
    merged(cx).await?;
    for cut in 1..=CUTS {
        let client = cx.connect_bare().await?;
        let header = client.proxy_header();
        let at = (header.len() * cut / (CUTS + 1)).clamp(1, header.len() - 1);
        let place = format!("a header of {} bytes, cut after {at}", header.len());
        match in_two(cx, client, &header, at).await {
            Ok(()) => {}
            Err(error @ (PeerError::Eof { .. } | PeerError::Reset { .. })) => {
                return warned(
                    FailureKind::LostReply,
                    "the server waits for the rest of the header",
                    format!("{place}: {error}"),
                );
            }
            failed => return failed.at(|| place),
        }
    }
    cx.note("offsets", CUTS);
    Ok(())
}

/// A whole exchange behind a header whose second part is sent once the first was read.
async fn in_two(cx: &Cx, mut client: Session, header: &[u8], at: usize) -> Result<(), PeerError> {
    client.send_raw(&header[..at]).await?;
    client.until_read().await?;
    cx.proved("the server had read the first piece of the header before the second was sent");
    client.send_raw(&header[at..]).await?;
    super::exchange(&mut client).await?;
    client.close();
    Ok(())
}

/// The header and what follows it in one segment.
async fn merged(cx: &Cx) -> Checked {
    let mut client = cx.connect_bare().await?;
    let header = client.proxy_header();
    client.hold(&header);
    super::exchange(&mut client)
        .await
        .at(|| "the header and the next bytes in one segment".to_owned())?;
    cx.proved("the header and a request were sent in one segment");
    client.close();
    Ok(())
}
