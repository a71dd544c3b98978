//! A character whose bytes arrive in two reads.

use std::time::Duration;

use super::whole::is_answered_as_said;
use crate::check::{Ascribe, Check, Checked, Cx, Need, Runs, Shortfall, Weight};
use crate::session::PeerError;

/// Cuts requests inside multi-byte characters.
pub(super) const ENTRY: Check = Check {
    id: "utf8-split-char",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 3629 section 3: a character is a sequence of one to four octets; RFC 9293 section 2.2: a read may end inside one",
    stimulus: "a request cut inside characters of two, three and four bytes; the second part is sent once the server has read the first",
    needs: &[Need::Payload],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(30),
    by_hand: "python3 -c \"import socket,time; s=socket.create_connection(('{host}',{port})); s.setsockopt(6,1,1); m={payload('问'.encode())}; k=m.index(b'\\xe9')+2; s.send(m[:k]); time.sleep(.2); s.send(m[k:]); print(s.recv(4096))\"",
    run: |cx| Box::pin(run(cx)),
};

/// Characters of two, three and four bytes.
const CHARACTERS: [&str; 3] = ["é", "问", "😀"];

async fn run(cx: &Cx) -> Checked {
    for character in CHARACTERS {
        for inside in 1..character.len() {
            cut(cx, character, inside).await.at(|| {
                format!(
                    "cut after byte {inside} of {} in {character:?}",
                    character.len()
                )
            })?;
        }
    }
    cx.is_alive_if_unanswered().await
}

async fn cut(cx: &Cx, character: &str, inside: usize) -> Checked {
    let mut client = cx.open_for_payload().await?;
    let turn = cx.payload_turn(&mut client, character.as_bytes())?;
    let Some(start) = cx
        .talk()
        .request
        .find_in_body(&turn.request, character.as_bytes())
    else {
        return Err(Shortfall::Skip(
            "the request does not contain the payload unchanged".into(),
        ));
    };
    let (first, second) = turn.request.split_at(start + inside);
    client.send(first).await?;
    client.until_read().await?;
    cx.proved(format!(
        "the server had read {inside} of the {} bytes of a character before the rest was sent",
        character.len()
    ));
    client.send(second).await?;
    let reply = client.expect(&turn).await;
    client.close();
    if matches!(reply, Err(PeerError::Wrong { .. })) {
        is_answered_as_said(cx, character).await?;
    }
    reply?;
    Ok(())
}
