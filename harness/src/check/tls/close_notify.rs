//! The end of a TLS connection.

use std::time::Duration;

use crate::check::{Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed, warned};
use crate::session::ConnectionEnd;

/// Closes with and without close_notify.
pub(super) const ENTRY: Check = Check {
    id: "tls-close-notify",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 8446 section 6.1: each party must send a close_notify alert before it closes its write side; otherwise the peer cannot tell the end from a truncation",
    stimulus: "a client sends close_notify and FIN after a reply and reads to the end; others leave without close_notify",
    needs: &[Need::Tls],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(60),
    by_hand: "",
    run: |cx| Box::pin(run(cx)),
};

/// Number of clients that leave without close_notify.
const ABRUPT: usize = 5;
/// Time limit for the server to close.
const CLOSES_WITHIN: Duration = Duration::from_secs(5);

async fn run(cx: &Cx) -> Checked {
    for _ in 0..ABRUPT {
        let mut client = cx.open().await?;
        let turn = client.turn()?;
        client.exchange(&turn).await?;
        client.leave();
    }
    cx.is_alive().await?;
    let mut client = cx.open().await?;
    let turn = client.turn()?;
    client.exchange(&turn).await?;
    if !client.has_ended() {
        client.half_close().await?;
    }
    cx.proved("a whole exchange was followed by close_notify and FIN");
    match client.drained(CLOSES_WITHIN).await {
        ConnectionEnd::Eof if client.was_closed_by_alert() => Ok(()),
        ConnectionEnd::Eof => warned(
            FailureKind::LostReply,
            "the server sends close_notify before its FIN",
            "the server closed the connection without close_notify",
        ),
        ConnectionEnd::Reset => warned(
            FailureKind::Reset,
            "the server sends close_notify and FIN",
            "the server reset the connection",
        ),
        ConnectionEnd::StillOpen => failed(
            FailureKind::Leak,
            "the server closes a connection that the client has ended",
            format!("the connection was still open {CLOSES_WITHIN:?} after close_notify and FIN"),
        ),
    }
}
