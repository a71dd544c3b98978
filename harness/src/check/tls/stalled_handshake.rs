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

async fn run(cx: &Cx) -> Checked {
    cx.others_are_served_during("half of a ClientHello", |client| {
        let hello = client.client_hello()?;
        Ok([client.proxy_header(), hello[..hello.len() / 2].to_vec()].concat())
    })
    .await
}
