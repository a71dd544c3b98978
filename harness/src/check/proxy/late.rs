//! A client whose PROXY header does not come.

use std::time::Duration;

use crate::check::{Check, Checked, Cx, Need, Runs, Weight};

/// Sends half a header, and waits.
pub(super) const ENTRY: Check = Check {
    id: "proxy-late",
    group: super::GROUP,
    battery: 1,
    requirement: "POSIX listen(), accept(): a server accepts further connections while one is open; a header that is read in the accept loop holds up everybody",
    stimulus: "three clients send half of a header and stay silent; another one sends its request",
    needs: &[Need::Proxy],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(30),
    by_hand: "",
    run: |cx| Box::pin(run(cx)),
};

async fn run(cx: &Cx) -> Checked {
    cx.others_are_served_during("half of a header", |client| {
        let header = client.proxy_header();
        Ok(header[..header.len() / 2].to_vec())
    })
    .await
}
