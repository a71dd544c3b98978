//! A PROXY header that arrives in pieces.

use std::time::Duration;

use crate::check::{Ascribe, Check, Checked, Cx, Need, Runs, Weight};

/// Cuts the header.
pub(super) const ENTRY: Check = Check {
    id: "proxy-split",
    group: super::GROUP,
    battery: 1,
    requirement: "PROXY protocol section 2: a sender may need several segments for its header, and the receiver must wait for the rest; what follows the header in the same segment belongs to the conversation",
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
    for cut in 1..=CUTS {
        let mut client = cx.connect_bare().await?;
        let header = client.proxy_header();
        let at = (header.len() * cut / (CUTS + 1)).clamp(1, header.len() - 1);
        client.send_raw(&header[..at]).await?;
        let place = || format!("a header of {} bytes, cut after {at}", header.len());
        client.until_read().await.at(place)?;
        cx.proved("the server had read the first piece of the header before the second was sent");
        client.send_raw(&header[at..]).await.at(place)?;
        client.handshake().await.at(place)?;
        client.opening().await.at(place)?;
        let turn = client.turn()?;
        client.exchange(&turn).await.at(place)?;
        client.close();
    }
    cx.note("offsets", CUTS);
    merged(cx).await
}

/// The header and what follows it in one segment.
async fn merged(cx: &Cx) -> Checked {
    let mut client = cx.connect_bare().await?;
    let place = || "the header and the next bytes in one segment".to_owned();
    let header = client.proxy_header();
    client.hold(&header);
    client.handshake().await.at(place)?;
    client.opening().await.at(place)?;
    let turn = client.turn()?;
    client.exchange(&turn).await.at(place)?;
    client.close();
    Ok(())
}
