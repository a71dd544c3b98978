//! A request longer than one receive buffer.

use std::time::Duration;

use crate::check::{
    Check, Checked, Cx, FailureKind, Need, Runs, Shortfall, Weight, failed, skip, warned,
};
use crate::session::{After, PeerError};

/// Sends more than one receive buffer holds, reading while it writes.
pub(super) const ENTRY: Check = Check {
    id: "over-buffer",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 2525 section 2.17: closing with unread data resets the connection, and a reset discards data that has not been delivered",
    stimulus: "a request of 4 to 32 KiB, longer than one receive buffer; the client reads while it writes",
    needs: &[Need::Payload],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(30),
    by_hand: "python3 -c \"import socket; s=socket.create_connection(('{host}',{port})); s.sendall({payload(b'x'*{size})}); print(s.recv(4096)); print(s.recv(4096))\"",
    run: |cx| Box::pin(run(cx)),
};

/// Payload sizes in bytes, larger than common buffers.
const SIZES: [usize; 3] = [4 * 1024, 8 * 1024, 32 * 1024];

async fn run(cx: &Cx) -> Checked {
    cx.payload_is_answered()?;
    let longest = cx.longest_request();
    let most = longest.map_or(usize::MAX, |most| most - most / 8);
    // A size that met something odd before is judged here.
    let odd = cx.odd_request().filter(|_| longest.is_none());
    let mut sizes = SIZES.to_vec();
    sizes.retain(|size| *size <= most);
    sizes.extend(odd);
    if sizes.is_empty() {
        return skip(cx.below_buffers());
    }
    for size in sizes {
        let mut client = cx.open_for_payload().await?;
        let turn = cx.payload_turn(&mut client, &vec![b'x'; size])?;
        client.owe(turn.request.clone());
        cx.step(format!(
            "send {} bytes, reading at the same time",
            turn.request.len()
        ));
        let reply = client.expect(&turn).await;
        cx.proved(format!(
            "{} of {} bytes were accepted before the reply",
            client.sent(),
            turn.request.len()
        ));
        cx.note("bytes", turn.request.len());
        match reply {
            Ok(reply) if reply.after == After::Reset => {
                return warned(
                    FailureKind::Reset,
                    "the connection ends with a FIN after the reply",
                    format!(
                        "a request of {} bytes: the reply was complete, then the connection was reset",
                        turn.request.len()
                    ),
                );
            }
            Ok(_) => client.close(),
            // A refusal of a size that the server did not promise: what came is no part of a reply to this request, and may
            // have been lost with a reset.
            Err(error)
                if cx.promise().max_message.is_none() && error.is_refusal_of(&turn.token) =>
            {
                cx.note("refused_from_bytes", turn.request.len());
                if size <= SIZES[0] {
                    return skip(format!(
                        "the server refuses requests of {} bytes",
                        turn.request.len()
                    ));
                }
                break;
            }
            Err(PeerError::Reset { after, .. }) => {
                return failed(
                    FailureKind::Reset,
                    "the reply is complete",
                    format!(
                        "a request of {} bytes: the connection was reset after {after} bytes of the reply",
                        turn.request.len()
                    ),
                );
            }
            Err(error) => return Err(Shortfall::from(error)),
        }
    }
    Ok(())
}
