//! Bytes that are no TLS handshake.

use std::time::Duration;

use crate::check::{Check, Checked, Cx, FailureKind, Need, Runs, Weight, warned};
use crate::session::{ConnectionEnd, PeerError};

/// Sends other things than a ClientHello.
pub(super) const ENTRY: Check = Check {
    id: "tls-garbage",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 8446 section 6.2: an implementation that receives an unexpected message sends a fatal alert and closes the connection; the server keeps serving others",
    stimulus: "plain text, zeros, a record with the largest length, a record of an unknown type, and half a record before the FIN, each in place of a ClientHello",
    needs: &[Need::Tls],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(60),
    by_hand: "",
    run: |cx| Box::pin(run(cx)),
};

/// What is sent instead of a ClientHello, and its name.
const INSTEAD: [(&str, &[u8]); 5] = [
    ("plain text", b"GET / HTTP/1.0\r\n\r\n"),
    ("zeros", &[0; 64]),
    (
        "a record of 65,535 bytes",
        b"\x16\x03\x01\xff\xff\x01\x00\x00\x00",
    ),
    ("a record of an unknown type", b"\x63\x03\x03\x00\x04abcd"),
    (
        "a record with an empty handshake message",
        b"\x16\x03\x01\x00\x04\x01\x00\x00\x00",
    ),
];
/// Time limit for the server to close.
const CLOSES_WITHIN: Duration = Duration::from_secs(2);

async fn run(cx: &Cx) -> Checked {
    let mut read = 0;
    let mut open = Vec::new();
    for (name, bytes) in INSTEAD {
        let mut client = cx.connect_bare().await?;
        let mut start = client.proxy_header();
        start.extend_from_slice(bytes);
        client.send_raw(&start).await?;
        // A server may close without reading the rest.
        match client.until_read().await {
            Ok(()) | Err(PeerError::Reset { .. } | PeerError::Unproven(_)) => read += 1,
            Err(_) => {}
        }
        if read > 0 {
            cx.proved(format!(
                "the server read or refused {read} messages that are no ClientHello"
            ));
        }
        if client.drained(CLOSES_WITHIN).await == ConnectionEnd::StillOpen {
            open.push(name);
        }
        client.close();
        cx.is_alive().await?;
    }
    // A server that waits for the rest of a record that it was promised need not close yet.
    open.retain(|name| !name.contains("65,535"));
    if !open.is_empty() {
        return warned(
            FailureKind::Blocked,
            "the server refuses what is no TLS handshake, and closes",
            format!(
                "the connection was still open after {CLOSES_WITHIN:?}: {}",
                open.join(", ")
            ),
        );
    }
    Ok(())
}
