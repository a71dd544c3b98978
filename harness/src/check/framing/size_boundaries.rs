//! Request sizes around the powers of two.

use std::time::Duration;

use crate::check::{Check, Checked, Cx, Failure, FailureKind, Need, Runs, Shortfall, Weight};
use crate::session::{PeerError, Session};
use crate::talk::Mismatch;

/// Sends requests at, just below and just above each power of two.
pub(super) const ENTRY: Check = Check {
    id: "size-boundaries",
    group: super::GROUP,
    battery: 1,
    requirement: "a request of any size within the limit gets its exact reply, even if it fills the receive buffer completely (the tutorial's recv(1024))",
    stimulus: "requests of 2^k-1, 2^k and 2^k+1 bytes, up to promise.max_message, or else up to what the server was seen to accept",
    needs: &[Need::Frame, Need::Payload],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(30),
    by_hand: "python3 -c \"import socket,time; [(s:=socket.create_connection(('{host}',{port})), s.sendall({payload(b'x'*(n-{overhead}))}), time.sleep(.1), print(n, len(s.recv(1<<20))), s.close()) for n in (1023,1024,1025)]\"",
    run: |cx| Box::pin(run(cx)),
};

/// Maximum size in bytes for a server of which no limit is known. It may refuse larger requests.
const UNKNOWN_BYTES: usize = 4097;
/// Maximum size in bytes for a server without `promise.max_message`.
const UNPROMISED_BYTES_MAX: usize = (1 << 16) + 1;
/// Maximum size in bytes for any server.
const BYTES_MAX: usize = (1 << 20) + 1;

async fn run(cx: &Cx) -> Checked {
    let promised = cx.promise().max_message;
    // Requests of up to this size are known to be answered.
    let known = promised.unwrap_or(cx.answered_request());
    let likely = known.clamp(UNKNOWN_BYTES, UNPROMISED_BYTES_MAX);
    let longest = cx.longest_request().map(|most| match promised {
        Some(_) => most,
        None => most.min(UNPROMISED_BYTES_MAX),
    });
    let most = longest.unwrap_or(likely).min(BYTES_MAX);
    let mut refused: Option<(usize, Failure)> = None;
    let mut tried = 0;
    for size in sizes(most) {
        let mut client = cx.open_for_payload().await?;
        let Some(turn) = sized(cx, &mut client, size)? else {
            continue;
        };
        client
            .send(&turn.request)
            .await
            .or_else(reset_is_an_answer)?;
        tried += 1;
        let reply = client.expect(&turn).await;
        // A request that is too long is answered otherwise or ends the connection.
        let is_left = matches!(
            &reply,
            Err(PeerError::Silent { .. } | PeerError::NotTaken { .. })
        );
        match reply.map_err(Shortfall::from) {
            // A server that refuses one size must refuse every larger one.
            Ok(_) => match refused.take() {
                Some((smaller, failure)) => return Err(wrong(cx, smaller, failure, Some(size))),
                None => client.close(),
            },
            Err(Shortfall::Failed(failure)) if size <= known || is_left => {
                return Err(wrong(cx, size, failure, None));
            }
            Err(Shortfall::Failed(failure)) => refused = refused.or(Some((size, failure))),
            Err(other) => return Err(other),
        }
    }
    cx.note("sizes_tried", tried);
    if let Some((size, _)) = &refused {
        cx.note("refused_from_bytes", *size);
    }
    cx.proved(format!("{tried} requests of exactly these sizes were sent"));
    cx.is_alive_if_unanswered().await
}

/// A server may refuse before it has read the whole request. Its reply is read nevertheless.
fn reset_is_an_answer(error: PeerError) -> Result<(), PeerError> {
    if matches!(error, PeerError::Reset { .. }) {
        Ok(())
    } else {
        Err(error)
    }
}

fn wrong(cx: &Cx, size: usize, failure: Failure, accepted: Option<usize>) -> Shortfall {
    cx.note("bytes", size);
    cx.proved(format!("a request of exactly {size} bytes was sent"));
    let beside = accepted.map_or(String::new(), |larger| {
        format!(", although one of {larger} bytes is answered")
    });
    let kind = if failure.kind == FailureKind::Reset {
        FailureKind::LostReply
    } else {
        failure.kind
    };
    let Mismatch {
        expected, actual, ..
    } = failure.mismatch;
    let actual = format!("a request of {size} bytes{beside}: {actual}");
    Shortfall::Failed(Failure::new(kind, expected, actual))
}

/// The payload turn whose request is exactly `size` bytes long, if there is one.
pub(in crate::check) fn sized(
    cx: &Cx,
    client: &mut Session,
    size: usize,
) -> Checked<Option<crate::talk::Turn>> {
    let least = cx.payload_turn(client, b"")?.request.len();
    let Some(mut payload) = size.checked_sub(least) else {
        return Ok(None);
    };
    // A decimal length field grows with the payload: two corrections are enough.
    for _ in 0..3 {
        let turn = cx.payload_turn(client, &vec![b'x'; payload])?;
        match turn.request.len() {
            length if length == size => return Ok(Some(turn)),
            length => payload = (payload + size).saturating_sub(length),
        }
    }
    Ok(None)
}

fn sizes(most: usize) -> Vec<usize> {
    let around = (5..=20).flat_map(|k| [(1 << k) - 1, 1 << k, (1 << k) + 1]);
    around.filter(|size| *size <= most).collect()
}
