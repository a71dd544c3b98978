//! Bytes that are not UTF-8.

use std::time::Duration;

use crate::check::{Ascribe, Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed};
use crate::session::{PeerError, Session};
use crate::subject::Encoding;
use crate::talk::{Judgement, Turn};
use crate::text::escape;

/// Sends every kind of invalid sequence.
pub(super) const ENTRY: Check = Check {
    id: "utf8-invalid",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 3629 section 10: decoders must protect against invalid sequences; data sent by one client must not end the server",
    stimulus: "requests with lone continuations, overlong forms, surrogates, truncated characters, code points past U+10FFFF, ff and fe",
    needs: &[Need::Payload],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(40),
    by_hand: "python3 -c \"import socket; s=socket.create_connection(('{host}',{port})); s.settimeout(2); s.sendall({payload(b'\\xff\\xfe')}); print(s.recv(4096))\"; python3 -c \"import socket; s=socket.create_connection(('{host}',{port})); s.settimeout(2); s.sendall({request}); print(s.recv(4096))\"",
    run: |cx| Box::pin(run(cx)),
};

/// One sequence of each kind. RFC 3629 section 4 defines the well-formed sequences.
pub(super) const INVALID: [(&str, &[u8]); 9] = [
    ("a lone continuation byte", b"a\x80b"),
    ("an overlong form of /", b"a\xc0\xafb"),
    ("an overlong form of NUL in three bytes", b"a\xe0\x80\x80b"),
    ("a surrogate", b"a\xed\xa0\x80b"),
    ("a truncated character", b"a\xe9\x97b"),
    ("a code point past U+10FFFF", b"a\xf4\x90\x80\x80b"),
    ("a five-byte form", b"a\xf8\x88\x80\x80\x80b"),
    ("the byte ff", b"a\xffb"),
    ("the byte fe", b"a\xfeb"),
];

/// Time limit for a reply of a server that does not promise an encoding.
const SILENCE: Duration = Duration::from_millis(250);

async fn run(cx: &Cx) -> Checked {
    for (what, bytes) in INVALID {
        let mut client = cx.open_for_payload().await?;
        let turn = cx.payload_turn(&mut client, bytes)?;
        client.send(&turn.request).await?;
        cx.proved(format!("{what} was sent in a whole request"));
        let promised = cx.promise().encoding == Some(Encoding::Utf8);
        if !promised {
            client.set_limit(SILENCE);
        }
        let answer = match turn.expect.has_reply() {
            true => client.any_reply(&turn).await,
            false => client.expect(&turn).await.map(|reply| reply.bytes),
        };
        let promised = promised && turn.expect.has_reply();
        match answer {
            Ok(reply) if promised => refused(cx, &mut client, what, &turn, &reply)?,
            Err(error @ PeerError::Silent { .. }) if promised => return Err(error.into()),
            Ok(_)
            | Err(PeerError::Eof { .. } | PeerError::Reset { .. } | PeerError::Silent { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        client.close();
        // Examined after each sequence, so that the failure names the sequence.
        cx.is_alive()
            .await
            .at(|| format!("after {what} ({})", escape(bytes, 40)))?;
    }
    Ok(())
}

/// The server promises UTF-8: it must not answer as if the text were valid, and must refuse in the
/// way that the talk describes, if it does.
fn refused(cx: &Cx, client: &mut Session, what: &str, turn: &Turn, reply: &[u8]) -> Checked {
    let body = turn.frame.body(reply);
    if matches!(turn.judge_message(reply), Judgement::Match(_)) {
        let actual = format!(
            "{what} was answered like valid text: \"{}\"",
            escape(&body, 100)
        );
        return failed(
            FailureKind::Accepted,
            "invalid UTF-8 is refused (promise.encoding = \"utf-8\")",
            actual,
        );
    }
    let Some(bad) = cx.talk().bad.first().cloned() else {
        return Ok(());
    };
    let bad = client.voice().render(&bad, b"")?;
    match bad.judge_message(reply) {
        Judgement::Match(_) => Ok(()),
        _ => failed(
            FailureKind::WrongReply,
            format!(
                "refused as described in {}: {}",
                bad.label,
                bad.expect.describe()
            ),
            format!("{what} was answered with \"{}\"", escape(&body, 100)),
        ),
    }
}
