//! A message without an end.

use std::time::{Duration, Instant};

use crate::check::stall::{self, Stall, stall};
use crate::check::{
    Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed, inconclusive, skip,
};
use crate::process::Usage;
use crate::session::{FloodEnd, Session};
use crate::talk::Frame;

/// Sends bytes without a delimiter for as long as the server reads them.
pub(super) const ENTRY: Check = Check {
    id: "endless-message",
    group: super::GROUP,
    battery: 1,
    requirement: "a client decides how much it sends, not how much the server stores (CWE-770: allocation without limits)",
    stimulus: "up to 256 MB without a delimiter; then another client sends a request; if the server stopped reading, 8 more clients do the same at once, read a part of the replies and go on, 6 times, and reset their connections",
    needs: &[Need::Frame, Need::Process],
    runs: Runs::AloneOnMachine,
    weight: Weight::Fails,
    control: true,
    limit: Duration::from_secs(60),
    by_hand: "{cmd} & p=$!; sleep 1; ps -o pid,rss,args -p $p --ppid $p; head -c 268435456 /dev/zero | tr '\\0' a | timeout 20 python3 -c \"import socket,sys,shutil; s=socket.create_connection(('{host}',{port})); shutil.copyfileobj(sys.stdin.buffer, s.makefile('wb'))\"; ps -o pid,rss,args -p $p --ppid $p; kill $p",
    run: |cx| Box::pin(run(cx)),
};

/// Maximum number of bytes sent.
const TOTAL_BYTES: u64 = 256 << 20;
/// Bytes sent between two looks at the server.
const PART_BYTES: u64 = 2 << 20;
/// Bytes sent at once.
const PIECE_BYTES: usize = 64 * 1024;
/// Minimum growth in bytes that counts as a failure: allocators reserve memory in steps, and a server may store some.
const GROWTH_BYTES_MIN: u64 = 64 << 20;
/// Minimum growth in bytes of a server that is still busy with all it has read when the time is over.
const SLOW_GROWTH_BYTES_MIN: u64 = 2 << 20;
/// Minimum growth per byte that counts as a failure.
const GROWTH_PER_BYTE: f64 = 0.5;
/// Minimum number of bytes read for a pass of a server that goes on reading, if memory grows by less than this per byte.
const READ_BYTES_MIN: u64 = 4 << 20;
const FLAT_RATIO: f64 = 0.1;
/// Maximum duration of sending.
const TIME_MAX: Duration = Duration::from_secs(8);
/// The server takes no more bytes for this long, which may have several reasons.
const PAUSE: Duration = Duration::from_millis(500);

/// Why the client sends no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Everything was sent.
    Sent,
    /// The server has ended the connection.
    Closed,
    /// The server sleeps, with bytes in its receive queue.
    Asleep,
    /// The time is over, and the server still reads.
    Slow,
}

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
    let end = endless(cx, &mut client, &before).await?;
    cx.note("ended", format!("{end:?}").to_lowercase());
    let (read, after) = (bytes_read(cx, &client), cx.usage()?);
    cx.note("bytes_read", read);
    keeps(cx, &before, &after, client.sent())?;
    if end == End::Slow {
        keeps_slowly(cx, &before, &after, read)?;
    }
    cx.others_are_served().await?;
    let growth = after.own_bytes.saturating_sub(before.own_bytes);
    let is_flat = read >= READ_BYTES_MIN && (growth as f64) < FLAT_RATIO * read as f64;
    if end == End::Slow && !is_flat {
        return inconclusive(format!(
            "the server reads too slowly for a verdict: {} MB in {TIME_MAX:?}, and memory grew by {} MB",
            read >> 20,
            growth >> 20
        ));
    }
    if end == End::Asleep {
        client.reset()?;
        return stall::further_clients(cx, cx.talk().plain(), &[b'a'; PIECE_BYTES]).await;
    }
    Ok(())
}

/// Sends bytes without a delimiter until the server shows that it is bounded, or the time is over.
async fn endless(cx: &Cx, client: &mut Session, before: &Usage) -> Checked<End> {
    let piece = vec![b'a'; PIECE_BYTES];
    let begun = Instant::now();
    let mut sent = 0;
    loop {
        let flood = client.flood(&piece, PART_BYTES, PAUSE).await;
        sent += flood.bytes;
        cx.note("bytes_sent", sent);
        cx.proved(format!(
            "the server's kernel accepted {sent} bytes without a delimiter"
        ));
        keeps(cx, before, &cx.usage()?, sent)?;
        match flood.end {
            FloodEnd::Sent if sent >= TOTAL_BYTES => return Ok(End::Sent),
            FloodEnd::Closed => return Ok(End::Closed),
            FloodEnd::Blocked => match stall(cx, client).await {
                Stall::Asleep => return Ok(End::Asleep),
                Stall::Ended => return Ok(End::Closed),
                Stall::Stuck | Stall::Busy => {}
            },
            FloodEnd::Sent => {}
        }
        if begun.elapsed() > TIME_MAX {
            return Ok(End::Slow);
        }
    }
}

fn bytes_read(cx: &Cx, client: &Session) -> u64 {
    stall::read(cx, client).unwrap_or(client.sent())
}

/// Fails if memory grows with the number of bytes sent.
fn keeps(cx: &Cx, before: &Usage, after: &Usage, sent: u64) -> Checked {
    let growth = after.rss_bytes.saturating_sub(before.rss_bytes);
    cx.note("rss_before_bytes", before.rss_bytes);
    cx.note("rss_after_bytes", after.rss_bytes);
    let per_byte = growth as f64 / sent.max(1) as f64;
    if growth < GROWTH_BYTES_MIN || per_byte < GROWTH_PER_BYTE {
        return Ok(());
    }
    grew(format!(
        "{} MB were sent and memory grew by {} MB ({per_byte:.2} bytes per byte sent)",
        sent >> 20,
        growth >> 20
    ))
}

/// Fails if a slow server has kept what it has read, which will go on as long as the client sends.
fn keeps_slowly(cx: &Cx, before: &Usage, after: &Usage, read: u64) -> Checked {
    let growth = after.own_bytes.saturating_sub(before.own_bytes);
    cx.note("own_growth_bytes", growth);
    let per_byte = growth as f64 / read.max(1) as f64;
    if growth < SLOW_GROWTH_BYTES_MIN || per_byte < GROWTH_PER_BYTE {
        return Ok(());
    }
    grew(format!(
        "it goes on reading, slowly: {:.1} MB in {TIME_MAX:?}, and memory grew by {:.1} MB ({per_byte:.2} bytes per byte read)",
        read as f64 / 1e6,
        growth as f64 / 1e6
    ))
}

fn grew(actual: String) -> Checked {
    let expected = "a message without an end is refused, or memory stays bounded";
    failed(FailureKind::Growth, expected, actual)
}
