//! A character across the end of the receive buffer, for any buffer size that is a power of two.

use std::time::Duration;

use super::whole::is_answered_as_said;
use crate::check::{Check, Checked, Cx, Need, Runs, Shortfall, Weight, skip};
use crate::session::{PeerError, Session};
use crate::talk::Turn;

/// Sends text in which every power of two is an offset inside a character.
pub(super) const ENTRY: Check = Check {
    id: "utf8-split-buffer",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 3629 section 3: a character is a sequence of one to four octets; a full receive buffer (the tutorial's recv(1024)) may end inside one",
    stimulus: "one request of three-byte characters, in which every power of two is an offset inside a character",
    needs: &[Need::Payload],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(30),
    by_hand: "python3 -c \"import socket; s=socket.create_connection(('{host}',{port})); s.sendall({payload('问'.encode()*500)}); print(s.recv(4096))\"",
    run: |cx| Box::pin(run(cx)),
};

/// A character of three bytes: no power of two is a multiple of three.
const CHARACTER: &str = "问";
/// Sizes of the requests in bytes: larger than buffers of 1, 2, 4 and 8 KiB.
const SIZES: [usize; 4] = [1_400, 2_800, 5_600, 11_200];
/// Maximum size in bytes for a server of which no limit is known.
const UNKNOWN_BYTES: usize = 1_400;

async fn run(cx: &Cx) -> Checked {
    let most = cx.longest_request();
    let most = most.unwrap_or(cx.answered_request().max(UNKNOWN_BYTES));
    if most < SIZES[0] {
        return skip(cx.below_buffers());
    }
    for size in SIZES.into_iter().take_while(|size| *size <= most) {
        let mut client = cx.open_for_payload().await?;
        let turn = aligned(cx, &mut client, size)?;
        let sent = client.send(&turn.request).await;
        cx.note("bytes", turn.request.len());
        cx.proved(format!(
            "{} bytes were sent, in which every power of two is an offset inside a character",
            turn.request.len()
        ));
        // A server that closes early may reset unread data. Its reply is read nevertheless.
        if let Err(error) = sent
            && !matches!(error, PeerError::Reset { .. })
        {
            return Err(error.into());
        }
        let reply = client.expect(&turn).await;
        client.close();
        if let Err(error) = reply {
            if matches!(error, PeerError::Wrong { .. }) {
                is_answered_as_said(cx, CHARACTER).await?;
            }
            if error.is_refusal_of(&turn.token) && !plain_is_answered(cx, size).await? {
                return skip(format!(
                    "the server refuses requests of {} bytes, whatever they contain",
                    turn.request.len()
                ));
            }
            return Err(error.into());
        }
    }
    cx.is_alive_if_unanswered().await
}

/// Whether the server answers a request of the same size in ASCII. Without it a refusal says nothing about characters.
async fn plain_is_answered(cx: &Cx, size: usize) -> Checked<bool> {
    if cx.server().exit().is_some() {
        return Ok(true);
    }
    let Ok(mut client) = cx.open_for_payload().await else {
        return Ok(true);
    };
    let turn = cx.payload_turn(&mut client, &vec![b'x'; size])?;
    let sent = client.send(&turn.request).await;
    Ok(sent.is_ok() && client.expect(&turn).await.is_ok())
}

/// A turn of about `size` bytes whose characters start at multiples of three.
fn aligned(cx: &Cx, client: &mut Session, size: usize) -> Checked<Turn> {
    for padding in ["", "x", "xx"] {
        let payload = format!("{padding}{}", CHARACTER.repeat(size / CHARACTER.len()));
        let turn = cx.payload_turn(client, payload.as_bytes())?;
        match cx
            .talk()
            .request
            .find_in_body(&turn.request, CHARACTER.as_bytes())
        {
            Some(start) if start % CHARACTER.len() == 0 => return Ok(turn),
            Some(_) => {}
            None => {
                return Err(Shortfall::Skip(
                    "the request does not contain the payload unchanged".into(),
                ));
            }
        }
    }
    Err(Shortfall::Skip(
        "the payload cannot be aligned in the request".into(),
    ))
}
