//! Places of clients that have left.

use std::time::Duration;

use super::places::{Filled, fill, promised};
use crate::check::{Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed, skip};
use crate::session::Session;

/// Takes all places and leaves in several ways.
pub(super) const ENTRY: Check = Check {
    id: "places-given-back",
    group: super::GROUP,
    battery: 1,
    requirement: "promise.max_connections: a client that leaves gives its place back, however it leaves; a server that forgets the place of a client that resets its connection serves nobody in the end (sockudo#51, srs#2346)",
    stimulus: "the promised number of clients, each served; all leave by FIN, and again by RST, and by RST in the middle of a request (a third each way if there are more than 250); then the same number comes again",
    needs: &[
        Need::MaxConnections,
        Need::ManyTurns,
        Need::Reply,
        Need::Accepts,
        Need::Tcp,
    ],
    runs: Runs::OwnServer,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(180),
    by_hand: "python3 -c \"import socket,struct; r={request}; n={connections}; f=lambda: [(lambda s: (s.settimeout(5), s.sendall(r), print(s.recv(99)), s)[-1])(socket.create_connection(('{host}',{port}))) for _ in range(n)]; [(s.setsockopt(1,13,struct.pack('ii',1,0)), s.close()) for s in f()]; f()\"",
    run: |cx| Box::pin(run(cx)),
};

/// Number of places that are filled once for each way to leave. With more, some clients leave in each way.
const PLACES_FEW: usize = 250;
/// Number of times that the places are filled, for the estimate of the time.
const FILLS: u32 = 3;

/// How a client leaves.
#[derive(Clone, Copy)]
enum Leave {
    Fin,
    Reset,
    ResetInRequest,
}

const WAYS: [Leave; 3] = [Leave::Fin, Leave::Reset, Leave::ResetInRequest];

impl Leave {
    fn describe(self) -> &'static str {
        match self {
            Self::Fin => "FIN",
            Self::Reset => "RST",
            Self::ResetInRequest => "half a request and RST",
        }
    }
}

async fn run(cx: &Cx) -> Checked {
    let places = promised(cx, FILLS, 0)?;
    let mut filled = fill(cx, places).await?;
    if let Some(trouble) = filled.trouble {
        return skip(format!(
            "the server serves only {} clients at once, see conn-limit: {}",
            filled.clients.len(),
            trouble.mismatch.actual
        ));
    }
    let rounds: Vec<&[Leave]> = if places > PLACES_FEW {
        vec![&WAYS]
    } else {
        WAYS.chunks(1).collect()
    };
    for ways in rounds {
        let count = filled.clients.len();
        for (number, client) in filled.clients.into_iter().enumerate() {
            leave(client, ways[number % ways.len()]).await?;
        }
        let how: Vec<&str> = ways.iter().map(|way| way.describe()).collect();
        let how = how.join(", ");
        cx.step(format!("{count} clients leave by {how}"));
        cx.proved(format!(
            "{count} clients, each of them served while the others were connected, left by {how}"
        ));
        filled = fill(cx, places).await?;
        judge(cx, &filled, places, &how)?;
    }
    Ok(())
}

/// Ends a client's connection. Before a reset in the middle of a request, the server has read its beginning.
async fn leave(client: Session, way: Leave) -> Checked {
    let mut client = client;
    match way {
        Leave::Fin => client.close(),
        Leave::Reset => client.reset()?,
        Leave::ResetInRequest => {
            let mut request = client.turn()?.request;
            request.truncate(request.len() / 2);
            // The server may have closed the connection meanwhile, because nothing happened on it.
            if !request.is_empty() && client.send(&request).await.is_ok() {
                client.until_read().await.ok();
            }
            client.reset()?;
        }
    }
    Ok(())
}

fn judge(cx: &Cx, filled: &Filled, places: usize, how: &str) -> Checked {
    let Some(trouble) = &filled.trouble else {
        return Ok(());
    };
    failed(
        FailureKind::Leak,
        format!(
            "within {:?} after {places} clients have left, {places} are served again",
            cx.pace().reply_limit()
        ),
        format!(
            "after {places} clients left by {how}, {} are served, and the next one is not: {}",
            filled.clients.len(),
            trouble.mismatch.actual
        ),
    )
}
