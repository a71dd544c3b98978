//! A length field with an excessive value.

use std::time::Duration;

use crate::check::{Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed};
use crate::session::{ConnectionEnd, PeerError};
use crate::talk::Frame;

/// Announces gigabytes and sends a few bytes.
pub(super) const ENTRY: Check = Check {
    id: "huge-length",
    group: super::GROUP,
    battery: 1,
    requirement: "a length that a client announces is a claim, not a reason to allocate memory (CWE-789)",
    stimulus: "messages that announce 2^31 and 2^32-1 bytes, if the field can hold them, and contain 3",
    needs: &[Need::LengthField, Need::Process],
    runs: Runs::AloneOnMachine,
    weight: Weight::Fails,
    control: true,
    limit: Duration::from_secs(30),
    by_hand: "python3 -c \"import socket; s=socket.create_connection(('{host}',{port})); s.settimeout(3); s.sendall(b'\\xff\\xff\\xff\\xffabc'); print(s.recv(4096))\"; ps -C SERVER -o rss,vsz,cmd",
    run: |cx| Box::pin(run(cx)),
};

/// Maximum growth of peak memory in bytes, for unrelated reasons.
const GROWTH_BYTES_MAX: u64 = 48 << 20;
/// Time limit for the server to refuse.
const ANSWER: Duration = Duration::from_millis(1500);

async fn run(cx: &Cx) -> Checked {
    let frame = &cx.talk().request;
    cx.exchange().await?;
    let before = cx.usage()?;
    for (claim, header) in claims(frame) {
        let mut client = cx.open().await?;
        match client.send(&[&header[..], b"abc"].concat()).await {
            Ok(()) | Err(PeerError::Reset { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let ended = client.drained(ANSWER).await;
        cx.proved(format!(
            "a length of {claim} was announced, and {} bytes of it were sent",
            3
        ));
        let after = cx.usage()?;
        let growth = after.rss_peak_bytes.saturating_sub(before.rss_peak_bytes);
        cx.note("rss_peak_growth_bytes", growth);
        cx.note(
            "vm_growth_bytes",
            after.vm_bytes.saturating_sub(before.vm_bytes),
        );
        cx.note("refused", ended != ConnectionEnd::StillOpen);
        if growth > GROWTH_BYTES_MAX {
            return failed(
                FailureKind::Growth,
                "the claim is refused, or memory stays flat",
                format!(
                    "a length of {claim} made peak memory grow by {} MB",
                    growth >> 20
                ),
            );
        }
    }
    cx.others_are_served().await
}

/// Lengths to announce, as far as the frame can hold them, and the headers that do.
fn claims(frame: &Frame) -> Vec<(u64, Vec<u8>)> {
    let most = match frame {
        Frame::Len(len) => len.number_max(),
        _ => i64::MAX as u64,
    };
    let mut claims = vec![1 << 31, u64::from(u32::MAX), most / 2, most];
    claims.sort_unstable();
    claims.dedup();
    let header = |claim| Some((claim, frame.announcing(claim)?));
    claims.into_iter().filter_map(header).collect()
}
