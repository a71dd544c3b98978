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
    stimulus: "payloads with NULs; the server must send the exact reply or refuse, never cut the request at the NUL",
    needs: &[Need::Frame, Need::Payload],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(20),
    by_hand: "python3 -c \"import socket; s=socket.create_connection(('{host}',{port})); s.settimeout(2); s.sendall(b'abc\\0def\\n'); print(s.recv(4096))\"",
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
            Ok(reply) => not_cut(cx, payload, &turn, &reply)?,
            Err(PeerError::Eof { .. } | PeerError::Reset { .. } | PeerError::Silent { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        client.close();
    }
    Ok(())
}

/// Fails if the reply is the right one for the payload up to its first NUL.
fn not_cut(cx: &Cx, payload: &[u8], turn: &crate::talk::Turn, reply: &[u8]) -> Checked {
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
    let cut = &payload[..memchr::memchr(0, payload).unwrap_or(payload.len())];
    let expected = cx.voice().render_like(turn, exchange, cut)?;
    if matches!(expected.judge_message(reply), Judgement::Match(_)) {
        let actual = format!(
            "{} was processed as {}: \"{}\"",
            escape(payload, 40),
            escape(cut, 40),
            escape(&turn.frame.body(reply), 100)
        );
        return failed(
            FailureKind::WrongReply,
            "the exact reply or a refusal",
            actual,
        );
    }
    Ok(())
}
