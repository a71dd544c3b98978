//! Clients that vanish without a FIN.

use std::time::Duration;

use crate::check::{
    Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed, inconclusive, skip,
};
use crate::process::{PeerSocket, TimerKind};
use crate::session::ConnectionEnd;

/// Looks whether the kernel probes an idle connection.
pub(super) const ENTRY: Check = Check {
    id: "keepalive",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 9293 section 3.8.4: a peer that has crashed, or whose network is gone, sends nothing; a server that neither probes idle connections (SO_KEEPALIVE) nor closes them keeps such a connection for ever",
    stimulus: "a client is served and stays silent; the timers of the server's end of the connection are read from the socket table",
    needs: &[Need::Accepts, Need::Tcp],
    runs: Runs::OwnServer,
    weight: Weight::Warns,
    control: false,
    limit: Duration::from_secs(180),
    by_hand: "python3 -c \"import socket,time; s=socket.create_connection(('{host}',{port})); s.sendall({request}); time.sleep(3)\" & sleep 1; ss -tnoe sport = :{port}",
    run: |cx| Box::pin(run(cx)),
};

/// Time for the server to accept the connection and to set its options.
const SETTLES: Duration = Duration::from_millis(500);

/// With `--slow`, time that the server has to close the connection itself.
const CLOSES_WITHIN: Duration = Duration::from_secs(120);

async fn run(cx: &Cx) -> Checked {
    let mut client = cx.open().await?;
    if cx.talk().carries_many_turns() {
        let turn = client.turn()?;
        client.exchange(&turn).await?;
    }
    let mut seen = None;
    let probed = cx
        .eventually(SETTLES, || {
            seen = cx.peer(&client);
            let timer = seen.filter(PeerSocket::is_held).and_then(|peer| peer.timer);
            timer.is_some_and(|timer| timer.kind == TimerKind::Keepalive)
        })
        .await;
    let Some(peer) = seen.filter(|peer| !peer.has_sent_fin()) else {
        return skip("the server does not keep a connection open on which nothing happens");
    };
    cx.is_handed_over(&client)?;
    if !peer.is_held() {
        return inconclusive("unproven: the server has not accepted the connection");
    }
    let timer = peer.timer.filter(|_| probed);
    cx.proved(match timer {
        Some(timer) => format!(
            "the kernel sends a keepalive probe on the idle connection in {:.0?}",
            timer.expires
        ),
        None => {
            "the server holds the idle connection, and the kernel runs no keepalive timer on it"
                .to_owned()
        }
    });
    if let Some(timer) = timer {
        cx.note("first_probe_s", timer.expires.as_secs());
        return Ok(());
    }
    if let Some(promised) = cx.promise().idle_timeout {
        return skip(format!(
            "promise.idle_timeout is {promised:?}, which also ends the connections of clients that have vanished: see idle-timeout"
        ));
    }
    if cx.is_slow() && client.drained(CLOSES_WITHIN).await != ConnectionEnd::StillOpen {
        cx.step("the server closes the idle connection");
        return Ok(());
    }
    failed(
        FailureKind::NotClosed,
        "the server probes idle connections (SO_KEEPALIVE), or promises to close them (idle_timeout)",
        "no keepalive timer runs, and no idle time-out is promised: unless the server has one (--slow waits for that), the connection of a client that vanishes without a FIN stays open for ever",
    )
}
