//! A length or a count with an excessive value.

use std::time::Duration;

use super::http;
use crate::check::way::PAYLOAD;
use crate::check::{Ascribe, Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed};
use crate::session::{ConnectionEnd, PeerError};
use crate::talk::{Exchange, Frame};

/// Announces gigabytes and sends a few bytes.
pub(super) const ENTRY: Check = Check {
    id: "huge-length",
    group: super::GROUP,
    battery: 1,
    requirement: "a length that a client announces is a claim, not a reason to allocate memory (CWE-789)",
    stimulus: "messages that announce 2^31 and 2^32-1 bytes or more, if the field can hold them, and contain 3; in RESP also 2^31-1 elements, in HTTP a Content-Length and the size of a chunk",
    needs: &[Need::LengthField, Need::Process],
    runs: Runs::AloneOnMachine,
    weight: Weight::Fails,
    control: true,
    limit: Duration::from_secs(30),
    by_hand: "{cmd} & p=$!; sleep 1; for q in $p $(pgrep -P $p); do grep VmHWM /proc/$q/status; done; python3 -c \"import socket,time; c=[socket.create_connection(('{host}',{port})) for _ in {huge}]; [s.sendall(h+b'abc') for s,h in zip(c,{huge})]; time.sleep(2)\"; for q in $p $(pgrep -P $p); do grep VmHWM /proc/$q/status; done; kill $p && echo 'the server still ran; VmHWM is its peak of memory, before and after'",
    run: |cx| Box::pin(run(cx)),
};

/// Maximum growth of peak memory in bytes, for unrelated reasons.
const GROWTH_BYTES_MAX: u64 = 48 << 20;
/// Time limit for the server to refuse, or to allocate.
const ANSWER: Duration = Duration::from_millis(800);
/// What follows an announcement.
const CONTENT: &[u8] = b"abc";

async fn run(cx: &Cx) -> Checked {
    let carrier = carrier(cx);
    let claims = match cx.talk().request {
        Frame::Http1 => {
            let request = cx.voice().render(carrier, PAYLOAD)?.request;
            in_http(&request)
        }
        Frame::Resp => in_resp(),
        ref frame => in_frame(frame),
    };
    cx.exchange().await?;
    let before = cx.usage()?;
    for Claim { what, message } in claims {
        let mut client = cx.open_for(carrier).await?;
        match client.send(&message).await {
            Ok(()) | Err(PeerError::Reset { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let ended = client.drained(ANSWER).await;
        cx.proved(format!(
            "{what} was announced, and {} bytes of it were sent",
            CONTENT.len()
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
                format!("{what} made peak memory grow by {} MB", growth >> 20),
            );
        }
        // Examined after each claim, so that the failure names it.
        cx.is_alive().await.at(|| format!("after {what}"))?;
    }
    cx.others_are_served().await
}

/// The exchange whose connection carries the claims: in HTTP, one with a body if there is one.
fn carrier(cx: &Cx) -> &Exchange {
    let is_one = |exchange: &&Exchange| {
        let turn = cx.voice().render(exchange, PAYLOAD);
        turn.is_ok_and(|turn| http::has_body(&turn.request))
    };
    let is_http = cx.talk().request == Frame::Http1;
    let with_body = cx.talk().turns.iter().find(is_one).filter(|_| is_http);
    with_body.unwrap_or(cx.talk().plain())
}

/// A message that announces more than it contains.
struct Claim {
    /// What it announces.
    what: String,
    message: Vec<u8>,
}

impl Claim {
    fn new(what: impl Into<String>, announcement: impl AsRef<[u8]>) -> Self {
        Self {
            what: what.into(),
            message: [announcement.as_ref(), CONTENT].concat(),
        }
    }
}

/// Lengths to announce, as far as the frame can hold them.
fn in_frame(frame: &Frame) -> Vec<Claim> {
    let most = match frame {
        Frame::Len(len) => len.number_max(),
        _ => i64::MAX as u64,
    };
    let mut claims = vec![1 << 31, u64::from(u32::MAX), most / 2, most];
    claims.sort_unstable();
    claims.dedup();
    let claim = |length| {
        let header = frame.announcing(length)?;
        Some(Claim::new(format!("a length of {length}"), header))
    };
    claims.into_iter().filter_map(claim).collect()
}

/// Numbers of elements and lengths of strings. Redis takes 512 MiB, and reads the string as it comes.
fn in_resp() -> Vec<Claim> {
    let elements = [1 << 20, i64::from(i32::MAX), i64::MAX].map(|count| {
        Claim::new(
            format!("an array of {count} elements"),
            format!("*{count}\r\n$3\r\n"),
        )
    });
    let strings = [
        512 << 20,
        i64::from(i32::MAX),
        i64::from(u32::MAX),
        i64::MAX,
    ]
    .map(|length| {
        Claim::new(
            format!("a string of {length} bytes"),
            format!("*1\r\n${length}\r\n"),
        )
    });
    elements.into_iter().chain(strings).collect()
}

/// Lengths of bodies and of chunks.
fn in_http(request: &[u8]) -> Vec<Claim> {
    let bodies = [1 << 31, u64::from(u32::MAX), i64::MAX as u64].map(|length| {
        let field = format!("Content-Length: {length}");
        Claim::new(
            format!("a body of {length} bytes"),
            http::rewritten(request, &field, b""),
        )
    });
    let chunks = ["7fffffff", "ffffffff", "7fffffffffffffff"].map(|size| {
        let line = format!("{size}\r\n");
        let message = http::rewritten(request, "Transfer-Encoding: chunked", line.as_bytes());
        Claim::new(format!("a chunk of 0x{size} bytes"), message)
    });
    bodies.into_iter().chain(chunks).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::escape;

    #[test]
    fn announcements() {
        let shown = |claims: Vec<Claim>| {
            let shown = |claim: &Claim| escape(&claim.message, 90);
            claims.iter().map(shown).collect::<Vec<_>>()
        };
        let resp = shown(in_resp());
        assert!(
            resp.contains(&r"*2147483647\r\n$3\r\nabc".to_owned()),
            "{resp:?}"
        );
        assert!(
            resp.contains(&r"*1\r\n$4294967295\r\nabc".to_owned()),
            "{resp:?}"
        );
        let http = shown(in_http(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
        let length = r"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 4294967295\r\n\r\nabc";
        assert_eq!(http[1], length);
        assert!(http[4].ends_with(r"Transfer-Encoding: chunked\r\n\r\nffffffff\r\nabc"));
    }
}
