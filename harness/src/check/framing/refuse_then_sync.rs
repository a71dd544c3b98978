//! A good request after a refused one.

use std::time::Duration;

use crate::check::way::PAYLOAD;
use crate::check::{Ascribe, Check, Checked, Cx, FailureKind, Need, Runs, Shortfall, Weight, skip};
use crate::session::{PeerError, Session};
use crate::talk::{Exchange, Turn};

/// Sends a request that must be refused, and a good one.
pub(super) const ENTRY: Check = Check {
    id: "refuse-then-sync",
    group: super::GROUP,
    battery: 1,
    requirement: "a server that refuses a request and keeps the connection knows where the next request begins; otherwise the rest of a refused request is taken for a request (CWE-444)",
    stimulus: "each [[talk.bad]], then the first [[talk.turn]] on the same connection; with promise.pipelining both in one write too; the second must get its own reply, or find the connection closed",
    needs: &[Need::Bad, Need::Frame, Need::ManyTurns, Need::Reply],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(60),
    by_hand: "python3 -c \"import socket; s=socket.create_connection(('{host}',{port})); s.settimeout(3); s.sendall(b'\\xff\\xfe\\n'); print(s.recv(4096)); s.sendall({request}); print(s.recv(4096))\"",
    run: |cx| Box::pin(run(cx)),
};

/// Maximum number of bad requests.
const BAD_MAX: usize = 6;

async fn run(cx: &Cx) -> Checked {
    for bad in cx.talk().bad.iter().take(BAD_MAX) {
        for together in [false, true] {
            if !together || cx.promise().pipelining == Some(true) {
                let what = if together {
                    "in one write"
                } else {
                    "one after the other"
                };
                one(cx, bad, together)
                    .await
                    .at(|| format!("{} and a good request, {what}", bad.label))?;
            }
        }
    }
    Ok(())
}

async fn one(cx: &Cx, bad: &Exchange, together: bool) -> Checked {
    let mut client = cx.open().await?;
    let bad = client.voice().render(bad, PAYLOAD)?;
    let good = client.turn()?;
    let begin = match together {
        true => [&bad.request[..], &good.request].concat(),
        false => bad.request.clone(),
    };
    match client.send(&begin).await {
        Ok(()) => {}
        // The server may refuse before it has read everything.
        Err(PeerError::Reset { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    cx.proved(format!(
        "{} bytes that must be refused were sent, and a good request of {} bytes",
        bad.request.len(),
        good.request.len()
    ));
    match client.expect(&bad).await {
        Ok(_) => {}
        // Closing the connection is a refusal too.
        Err(PeerError::Eof { after: 0, .. } | PeerError::Reset { after: 0, .. }) => return Ok(()),
        // A server that closes with the good request unread resets the connection, which may destroy the refusal.
        Err(PeerError::Reset { .. }) if together => return Ok(()),
        // Whether it has to be refused is what fuzzing judges.
        Err(PeerError::Wrong { reply, .. }) if !together => {
            return skip(format!(
                "the server answers \"{reply}\", which is not the refusal that the file states"
            ));
        }
        Err(error) => return Err(error.into()),
    }
    if client.has_ended() || bad.closes {
        return Ok(());
    }
    good_reply(&mut client, &good, together).await
}

/// The good request gets its own reply, unless the server has closed the connection.
async fn good_reply(client: &mut Session, good: &Turn, was_sent: bool) -> Checked {
    let replied = match was_sent {
        true => client.expect(good).await,
        false => client.exchange(good).await,
    };
    match replied {
        Ok(_) | Err(PeerError::Eof { after: 0, .. } | PeerError::Reset { after: 0, .. }) => Ok(()),
        Err(error @ PeerError::Wrong { .. }) => Err(Shortfall::from(error)),
        Err(error) => Err(error).ascribe(
            FailureKind::LostReply,
            "the good request gets its reply, or the connection is closed",
        ),
    }
}
