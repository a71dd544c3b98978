//! A connection without the PROXY header.

use std::time::Duration;

use crate::check::{Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed};

/// Begins with the conversation, or TLS, instead of the header.
pub(super) const ENTRY: Check = Check {
    id: "proxy-missing",
    group: super::GROUP,
    battery: 1,
    requirement: "PROXY protocol section 2: a receiver that expects the header must not guess whether it is there; otherwise any client that reaches the port can go around the proxy or forge an address",
    stimulus: "a client without the header performs a whole exchange",
    needs: &[Need::Proxy],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(30),
    by_hand: "",
    run: |cx| Box::pin(run(cx)),
};

async fn run(cx: &Cx) -> Checked {
    let mut client = cx.connect_bare().await?;
    let served = super::exchange(&mut client).await.is_ok();
    cx.proved(format!(
        "a connection was opened and {} bytes of the conversation were sent without a header",
        client.sent()
    ));
    if served {
        return failed(
            FailureKind::Accepted,
            "a connection without the header is not served",
            "the exchange succeeded without a header",
        );
    }
    client.leave();
    cx.is_alive().await
}
