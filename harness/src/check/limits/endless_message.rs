//! A message without an end.

use std::time::{Duration, Instant};

use crate::check::{Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed, skip};
use crate::process::Usage;
use crate::session::FloodEnd;
use crate::talk::Frame;

/// Sends bytes without a delimiter for as long as the server reads them.
pub(super) const ENTRY: Check = Check {
    id: "endless-message",
    group: super::GROUP,
    battery: 1,
    requirement: "a client decides how much it sends, not how much the server stores (CWE-770: allocation without limits)",
    stimulus: "up to 256 MB without a delimiter; then another client sends a request",
    needs: &[Need::Frame, Need::Process],
    runs: Runs::AloneOnMachine,
    weight: Weight::Fails,
    control: true,
    limit: Duration::from_secs(60),
    by_hand: "head -c 268435456 /dev/zero | tr '\\0' a | timeout 20 python3 -c \"import socket,sys,shutil; s=socket.create_connection(('{host}',{port})); shutil.copyfileobj(sys.stdin.buffer, s.makefile('wb'))\"; ps -C SERVER -o rss,cmd",
    run: |cx| Box::pin(run(cx)),
};

/// Maximum number of bytes sent.
const TOTAL_BYTES: u64 = 256 << 20;
/// Bytes sent between two memory samples.
const ROUND_BYTES: u64 = 16 << 20;
/// Minimum growth in bytes that counts as a failure: allocators reserve memory in steps.
const GROWTH_BYTES_MIN: u64 = 24 << 20;
/// Minimum growth per byte sent that counts as a failure.
const GROWTH_PER_BYTE: f64 = 0.5;
/// Maximum duration of sending.
const TIME_MAX: Duration = Duration::from_secs(8);

async fn run(cx: &Cx) -> Checked {
    if !matches!(
        cx.talk().request,
        Frame::Until(_) | Frame::LastLine(_) | Frame::Lines(_) | Frame::Resp | Frame::Http1
    ) {
        return skip("messages do not end with a delimiter: see huge-length");
    }
    cx.exchange().await?;
    let before = cx.usage()?;
    let mut client = cx.open().await?;
    let piece = vec![b'a'; 64 * 1024];
    let (begun, mut sent) = (Instant::now(), 0);
    let end = loop {
        let flood = client
            .flood(&piece, ROUND_BYTES, Duration::from_millis(500))
            .await;
        sent += flood.bytes;
        let after = cx.usage()?;
        cx.proved(format!(
            "the server's kernel accepted {sent} bytes without a delimiter"
        ));
        if flood.end == FloodEnd::Sent {
            keeps(cx, &before, &after, sent)?;
        }
        if flood.end != FloodEnd::Sent || sent >= TOTAL_BYTES || begun.elapsed() > TIME_MAX {
            break flood.end;
        }
    };
    cx.note("bytes_sent", sent);
    cx.note("ended", format!("{end:?}").to_lowercase());
    keeps(cx, &before, &cx.usage()?, sent)?;
    cx.others_are_served().await
}

/// Fails if memory grows with the number of bytes sent.
fn keeps(cx: &Cx, before: &Usage, after: &Usage, sent: u64) -> Checked {
    let growth = after.rss_bytes.saturating_sub(before.rss_bytes);
    cx.note("rss_before_bytes", before.rss_bytes);
    cx.note("rss_after_bytes", after.rss_bytes);
    let per_byte = growth as f64 / sent.max(1) as f64;
    if growth < GROWTH_BYTES_MIN.max(4 * ROUND_BYTES) || per_byte < GROWTH_PER_BYTE {
        return Ok(());
    }
    failed(
        FailureKind::Growth,
        "a message without an end is refused, or memory stays bounded",
        format!(
            "{} MB were sent and memory grew by {} MB ({per_byte:.2} bytes per byte sent)",
            sent >> 20,
            growth >> 20
        ),
    )
}
