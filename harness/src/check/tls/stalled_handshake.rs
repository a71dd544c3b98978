//! A client that stops in the middle of its TLS handshake.

use std::time::Duration;

use crate::check::{Check, Checked, Cx, Need, Runs, Weight};

/// Leaves handshakes unfinished while another client sends a request.
pub(super) const ENTRY: Check = Check {
    id: "tls-stalled-handshake",
    group: super::GROUP,
    battery: 1,
    requirement: "POSIX listen(), accept(): a server accepts further connections while one is open; a handshake that is performed in the accept loop holds up everybody (golang/go#13224, eventlet#188)",
    stimulus: "three clients send half of a ClientHello and stay silent; another one sends its request",
    needs: &[Need::Tls],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(30),
    by_hand: "",
    run: |cx| Box::pin(run(cx)),
};

/// Number of unfinished handshakes at the same time.
const STALLED: usize = 3;

async fn run(cx: &Cx) -> Checked {
    let mut stalled = Vec::with_capacity(STALLED);
    let mut read = 0;
    for _ in 0..STALLED {
        let mut client = cx.connect_bare().await?;
        let mut start = client.proxy_header();
        let hello = client.client_hello()?;
        start.extend_from_slice(&hello[..hello.len() / 2]);
        client.send_raw(&start).await?;
        // A server that performs handshakes one after the other does not read the later ones.
        read += usize::from(client.until_read().await.is_ok());
        stalled.push(client);
    }
    cx.proved(format!(
        "the server has read half of a ClientHello on {read} of {STALLED} connections"
    ));
    cx.others_are_served().await
}
