//! Lines that end in other ways.

use std::time::Duration;

use crate::check::{
    Ascribe, Check, Checked, Cx, FailureKind, Need, Runs, Shortfall, Weight, skip, warned,
};
use crate::session::{ConnectionEnd, PeerError, Session};
use crate::talk::{Frame, Judgement, Turn};
use crate::text::escape;

/// Ends lines with a lone CR, a lone LF and both.
pub(super) const ENTRY: Check = Check {
    id: "eol-variants",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 9112 section 2.2: a lone CR ends no line; a server for which it does, or which loses count of requests after a line that ends in another way, disagrees with what is in front of it about where a request ends (CWE-444)",
    stimulus: "the first [[talk.turn]] with a lone CR, a lone LF, and CR LF at the end of each line; then good requests on the same connection, which must get their own replies, or find it closed; another client is served",
    needs: &[
        Need::Frame,
        Need::ManyTurns,
        Need::Reply,
        Need::DistinctReplies,
    ],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(60),
    by_hand: "python3 -c \"import socket; r={request}; [(s:=socket.create_connection(('{host}',{port})), s.settimeout(2), s.sendall(r.replace(b'\\r\\n',b'\\n').replace(b'\\n',e)), print(e, s.recv(4096))) for e in (b'\\n', b'\\r\\n', b'\\r')]\"",
    run: |cx| Box::pin(run(cx)),
};

const ENDS: [(&str, &[u8]); 3] = [
    ("a lone CR", b"\r"),
    ("a lone LF", b"\n"),
    ("CR LF", b"\r\n"),
];
/// An answer is over after this time without bytes.
const QUIET: Duration = Duration::from_millis(30);
/// Maximum number of bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Time limit for an answer that need not come.
const ANSWER: Duration = Duration::from_millis(250);

async fn run(cx: &Cx) -> Checked {
    let is_text = matches!(
        cx.talk().request,
        Frame::Until(_) | Frame::Lines(_) | Frame::LastLine(_) | Frame::Http1
    );
    let example = cx.voice().turn()?.request;
    let lines = example.iter().filter(|byte| **byte == b'\n').count();
    if !is_text || !example.ends_with(b"\n") {
        return skip("requests do not end with the end of a line");
    }
    // After another first line the server may wait for as many bytes as that announces.
    if lines > 1 && cx.talk().request != Frame::Http1 {
        return skip("a request has several lines");
    }
    for (name, end) in ENDS {
        ended(cx, name, end)
            .await
            .at(|| format!("after a request with {name} at the end of each line"))?;
        cx.is_alive().await?;
    }
    Ok(())
}

async fn ended(cx: &Cx, name: &str, end: &[u8]) -> Checked {
    let mut client = cx.open().await?;
    let turn = client.turn()?;
    let request = with_ends(&turn.request, end);
    if request == turn.request {
        return Ok(());
    }
    client.send(&request).await?;
    cx.proved(format!(
        "a request with {name} at the end of each line was sent"
    ));
    let limit = ANSWER.max(cx.pace().exchange * 3);
    let (answer, connection) = client.hear(limit, QUIET, ANSWER_BYTES_MAX).await;
    if end == b"\r" && is_reply(&turn, &answer) {
        return warned(
            FailureKind::Accepted,
            "a lone CR does not end a request",
            format!("it was answered: \"{}\"", escape(&answer, 60)),
        );
    }
    if connection != ConnectionEnd::StillOpen {
        return Ok(());
    }
    // Where the variant ends no line, this is the rest of it.
    let next = client.turn()?;
    if client.send(&next.request).await.is_err() {
        return Ok(());
    }
    let (_, connection) = client
        .hear(limit.max(ANSWER * 2), QUIET, ANSWER_BYTES_MAX)
        .await;
    if connection != ConnectionEnd::StillOpen {
        return Ok(());
    }
    in_step(&mut client).await
}

/// A further request gets its own reply, unless the server has closed the connection.
async fn in_step(client: &mut Session) -> Checked {
    let turn = client.turn()?;
    match client.exchange(&turn).await {
        Ok(_) | Err(PeerError::Eof { after: 0, .. } | PeerError::Reset { after: 0, .. }) => Ok(()),
        Err(error) => Err(Shortfall::from(error)),
    }
}

/// Whether these bytes are the reply to the turn.
fn is_reply(turn: &Turn, answer: &[u8]) -> bool {
    let whole = turn.frame.decoder().next(answer);
    let Ok(Some(length)) = whole else {
        return false;
    };
    matches!(turn.judge_message(&answer[..length]), Judgement::Match(_))
}

/// The request with this end of each of its lines.
fn with_ends(request: &[u8], end: &[u8]) -> Vec<u8> {
    let mut changed = Vec::with_capacity(request.len() + 16);
    for line in request.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(text) => {
                changed.extend_from_slice(text.strip_suffix(b"\r").unwrap_or(text));
                changed.extend_from_slice(end);
            }
            None => changed.extend_from_slice(line),
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ends_change() {
        assert_eq!(with_ends(b"a\r\nb\n\r\n", b"\r"), b"a\rb\r\r");
        assert_eq!(with_ends(b"a\r\nb", b"\n"), b"a\nb");
        assert_eq!(with_ends(b"a\n", b"\r\n"), b"a\r\n");
    }
}
