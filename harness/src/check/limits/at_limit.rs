//! Requests exactly at the limit, and one byte longer.

use std::time::Duration;

use crate::check::{Ascribe, Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed, framing};
use crate::session::{PeerError, Session};
use crate::talk::{Judgement, Turn};
use crate::text::escape;

/// Sends one byte less than the promised limit, the limit, and one byte more.
pub(super) const ENTRY: Check = Check {
    id: "at-limit",
    group: super::GROUP,
    battery: 1,
    requirement: "promise.max_message: a request of that many bytes is accepted, one byte more is refused with a reply or a FIN",
    stimulus: "requests of limit-1, limit and limit+1 bytes",
    needs: &[Need::Frame, Need::Payload, Need::MaxMessage],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(20),
    by_hand: "python3 -c \"import socket; [(s:=socket.create_connection(('{host}',{port})), s.sendall({payload(b'x'*(n-{overhead}))}), print(n, s.recv(60)), s.close()) for n in ({limit}-1,{limit},{limit}+1)]\"",
    run: |cx| Box::pin(run(cx)),
};

async fn run(cx: &Cx) -> Checked {
    cx.payload_is_answered()?;
    let Some(limit) = cx.promise().max_message else {
        return Ok(());
    };
    for size in [limit - 1, limit] {
        let mut client = cx.open_for_payload().await?;
        let Some(turn) = framing::sized(cx, &mut client, size)? else {
            continue;
        };
        client.owe(turn.request.clone());
        let expected = format!("a request of {size} bytes is accepted: the limit is {limit}");
        let reply = client.expect(&turn).await;
        cx.proved(format!("a request of exactly {size} bytes was sent"));
        reply.ascribe(FailureKind::LostReply, &expected)?;
        client.close();
    }
    let mut client = cx.open_for_payload().await?;
    let Some(turn) = framing::sized(cx, &mut client, limit + 1)? else {
        return Ok(());
    };
    refused(cx, &mut client, &turn, limit).await
}

/// One byte too many: the server must refuse or close with a FIN, neither stay silent nor reply.
async fn refused(cx: &Cx, client: &mut Session, turn: &Turn, limit: usize) -> Checked {
    client.owe(turn.request.clone());
    let reply = client.any_reply(turn).await;
    cx.proved(format!("a request of exactly {} bytes was sent", limit + 1));
    let expected = format!(
        "a request of {} bytes is refused: the limit is {limit}",
        limit + 1
    );
    match reply {
        Ok(reply) if matches!(turn.judge_message(&reply), Judgement::Match(_)) => failed(
            FailureKind::Accepted,
            expected,
            format!(
                "it was answered: \"{}\"",
                escape(&turn.frame.body(&reply), 60)
            ),
        ),
        Ok(_) | Err(PeerError::Eof { .. }) => Ok(()),
        Err(error) => Err(error).ascribe(
            FailureKind::LostReply,
            &format!("{expected}, with a reply or a FIN"),
        ),
    }
}
