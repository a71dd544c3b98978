//! Invalid UTF-8 that is changed and accepted.

use std::time::Duration;

use super::utf8_invalid::INVALID;
use crate::check::{Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed, skip};
use crate::session::PeerError;
use crate::subject::Encoding;
use crate::talk::Judgement;
use crate::text::escape;

/// Sends every kind of invalid sequence, and looks whether the reply contains something like it.
pub(super) const ENTRY: Check = Check {
    id: "utf8-invalid-lossy",
    group: super::GROUP,
    battery: 1,
    requirement: "promise.encoding: invalid text is refused, not changed and then accepted: two different requests would mean the same (Unicode TR 36 section 3.5; decode(errors=\"replace\") and errors=\"ignore\")",
    stimulus: "requests with lone continuations, overlong forms, surrogates, truncated characters, code points past U+10FFFF, ff and fe; none may be answered like the same request with U+FFFD or ? in their place, or with nothing",
    needs: &[Need::Payload, Need::Encoding],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(40),
    by_hand: "python3 -c \"import socket; s=socket.create_connection(('{host}',{port})); s.settimeout(2); s.sendall(b'a\\x80b\\n'); print(s.recv(4096))\"",
    run: |cx| Box::pin(run(cx)),
};

async fn run(cx: &Cx) -> Checked {
    if cx.promise().encoding != Some(Encoding::Utf8) {
        return skip("promise.encoding is not \"utf-8\"");
    }
    let Some(exchange) = cx.voice().payload_exchange() else {
        return skip("no [[talk.turn]] sends {payload}");
    };
    if !exchange.expects_payload() {
        return skip("the reply does not contain the {payload}");
    }
    for (what, bytes) in INVALID {
        let mut client = cx.open_for(exchange).await?;
        let turn = cx.payload_turn(&mut client, bytes)?;
        client.send(&turn.request).await?;
        cx.proved(format!("{what} was sent in a whole request"));
        let reply = match client.any_reply(&turn).await {
            Ok(reply) => reply,
            Err(PeerError::Eof { .. } | PeerError::Reset { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        for (how, text) in changed(bytes) {
            let other = client.voice().render_like(&turn, exchange, &text)?;
            if matches!(other.judge_message(&reply), Judgement::Match(_)) {
                return failed(
                    FailureKind::Accepted,
                    "invalid UTF-8 is refused (promise.encoding = \"utf-8\")",
                    format!(
                        "{what} was {how} and accepted: \"{}\"",
                        escape(&turn.frame.body(&reply), 100)
                    ),
                );
            }
        }
        client.close();
    }
    Ok(())
}

/// What decoders that tolerate errors make of these bytes.
fn changed(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let joined = |per_sequence: &str, per_byte: &str| {
        let chunk = |chunk: std::str::Utf8Chunk<'_>| {
            let invalid = chunk.invalid().len();
            let end = if invalid > 0 { per_sequence } else { "" };
            format!("{}{end}{}", chunk.valid(), per_byte.repeat(invalid))
        };
        bytes
            .utf8_chunks()
            .map(chunk)
            .collect::<String>()
            .into_bytes()
    };
    vec![
        ("replaced with U+FFFD", joined("\u{fffd}", "")),
        ("replaced with U+FFFD", joined("", "\u{fffd}")),
        ("replaced with ?", joined("?", "")),
        ("replaced with ?", joined("", "?")),
        ("dropped", joined("", "")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoders_change_bytes() {
        let changed = changed(b"a\xc0\xafb");
        let texts: Vec<&[u8]> = changed.iter().map(|(_, text)| &text[..]).collect();
        assert_eq!(texts[1], "a\u{fffd}\u{fffd}b".as_bytes());
        assert_eq!(texts[3], b"a??b");
        assert_eq!(texts[4], b"ab");
        // Each invalid byte may be a sequence of its own.
        assert_eq!(texts[0], "a\u{fffd}\u{fffd}b".as_bytes());
    }
}
