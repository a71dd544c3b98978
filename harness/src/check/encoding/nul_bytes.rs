//! NULs in the payload.

use std::time::Duration;

use crate::check::{Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed};
use crate::session::PeerError;
use crate::talk::Judgement;
use crate::text::escape;

/// Sends payloads with a NUL at the start, in the middle and at the end.
pub(super) const ENTRY: Check = Check {
    id: "nul-bytes",
    group: super::GROUP,
    battery: 1,
    requirement: "accepted data is not altered: a NUL is treated like any other byte, or refused (CWE-158)",
    stimulus: "payloads with NULs; the server must send the exact reply or refuse, never cut the request at the NUL, drop the NUL or replace it",
    needs: &[Need::Frame, Need::Payload],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(20),
    by_hand: "python3 -c \"import socket; s=socket.create_connection(('{host}',{port})); s.settimeout(2); s.sendall({payload(b'abc\\0def')}); print(s.recv(4096))\"",
    run: |cx| Box::pin(run(cx)),
};

const PAYLOADS: [&[u8]; 4] = [b"abc\0def", b"\0abc", b"abc\0", b"a\0\0b\0c"];

/// Time limit for a reply. Silence counts as a refusal: the server may wait for more.
const SILENCE: Duration = Duration::from_millis(400);

async fn run(cx: &Cx) -> Checked {
    cx.payload_is_answered()?;
    for payload in PAYLOADS {
        let mut client = cx.open_for_payload().await?;
        let turn = cx.payload_turn(&mut client, payload)?;
        client.send(&turn.request).await?;
        cx.proved(format!("a request with {} was sent", escape(payload, 40)));
        client.set_limit(SILENCE);
        match client.any_reply(&turn).await {
            Ok(reply) => not_altered(cx, payload, &turn, &reply)?,
            Err(PeerError::Eof { .. } | PeerError::Reset { .. } | PeerError::Silent { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        client.close();
    }
    Ok(())
}

/// What a server may make of the payload without a word about it.
fn altered(payload: &[u8]) -> [(&'static str, Vec<u8>); 4] {
    let cut = payload.split(|byte| *byte == 0).next().unwrap_or_default();
    let with = |other: &[u8]| {
        let parts: Vec<&[u8]> = payload.split(|byte| *byte == 0).collect();
        parts.join(other)
    };
    [
        ("cut at its NUL", cut.to_vec()),
        ("without its NULs", with(b"")),
        ("with spaces for its NULs", with(b" ")),
        ("with U+FFFD for its NULs", with("\u{fffd}".as_bytes())),
    ]
}

/// Fails if the reply is the right one for another payload, which the server has made of this one.
fn not_altered(cx: &Cx, payload: &[u8], turn: &crate::talk::Turn, reply: &[u8]) -> Checked {
    if matches!(turn.judge_message(reply), Judgement::Match(_)) {
        return Ok(());
    }
    let Some(exchange) = cx
        .voice()
        .payload_exchange()
        .filter(|exchange| exchange.expects_payload())
    else {
        return Ok(());
    };
    for (how, other) in altered(payload) {
        let expected = cx.voice().render_like(turn, exchange, &other)?;
        if matches!(expected.judge_message(reply), Judgement::Match(_)) {
            let actual = format!(
                "{} was processed {how}, as {}: \"{}\"",
                escape(payload, 40),
                escape(&other, 40),
                escape(&turn.frame.body(reply), 100)
            );
            let expected = "the exact reply or a refusal";
            return failed(FailureKind::WrongReply, expected, actual);
        }
    }
    Ok(())
}
