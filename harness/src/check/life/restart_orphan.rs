//! Processes that a killed server leaves behind.

use std::rc::Rc;
use std::time::Duration;

use crate::check::{
    Ascribe, Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed, inconclusive, skip,
};
use crate::process::{Exit, Server, StartFailure, StartOptions, TcpState};
use crate::session::Session;

/// Kills only the main process, and starts the server again.
pub(super) const ENTRY: Check = Check {
    id: "restart-orphan",
    group: super::GROUP,
    battery: 1,
    requirement: "fork(): a child inherits the listening socket; if it outlives the server (ncat -k, nginx's workers), the port stays in use, and clients are served by nobody or by the old code",
    stimulus: "with an open connection, SIGKILL to the main process only; then the server is started again on its port",
    needs: &[
        Need::Spawned,
        Need::OwnSocket,
        Need::SingleClient,
        Need::Tcp,
    ],
    runs: Runs::OwnServer,
    weight: Weight::Warns,
    control: false,
    limit: Duration::from_secs(60),
    by_hand: "{cmd} & p=$!; sleep 1; python3 -c \"import os,socket,time; s={bare}; time.sleep(.2); os.kill($p,9); time.sleep(1)\"; ss -Hltnp 'sport = :{port}'; {cmd}",
    run: |cx| Box::pin(run(cx)),
};

/// Time limit for remaining processes to notice that their parent is gone.
const GRACE: Duration = Duration::from_millis(2500);
/// Time between two starts.
const PAUSE: Duration = Duration::from_millis(100);
const EXPECTED: &str = "a restarted server binds its port and serves";

async fn run(cx: &Cx) -> Checked {
    let again = cx.again()?;
    let client = live_connection(cx).await?;
    let pid = cx.server().pid().unwrap_or_default();
    if let Err(error) = cx.server().signal(libc::SIGKILL) {
        return inconclusive(format!(
            "SIGKILL could not be sent to process {pid}: {error}"
        ));
    }
    cx.step(format!("SIGKILL to process {pid} only"));
    if cx.server().wait_exit(GRACE).await != Some(Exit::Signal(libc::SIGKILL)) {
        return inconclusive(format!("unproven: process {pid} was not ended by SIGKILL"));
    }
    cx.proved(format!(
        "process {pid} was killed while its connection to the client was established"
    ));
    let server = start_again(cx, &again).await?;
    cx.on(server)
        .exchange()
        .await
        .ascribe(FailureKind::NoRestart, EXPECTED)?;
    client.close();
    Ok(())
}

/// A connection that the server has accepted.
async fn live_connection(cx: &Cx) -> Checked<Session> {
    let mut client = cx.connect().await?;
    if cx.talk().carries_many_turns() {
        client.opening().await?;
        let turn = client.turn()?;
        client.exchange(&turn).await?;
    }
    let begun = tokio::time::Instant::now();
    loop {
        let peer = cx.server().peer_socket(client.local());
        if peer.is_some_and(|peer| peer.state == TcpState::Established && peer.is_held()) {
            return Ok(client);
        }
        if begun.elapsed() > GRACE {
            cx.is_handed_over(&client)?;
            return skip("the server does not keep a connection open on which nothing happens");
        }
        tokio::time::sleep(super::LOOK).await;
    }
}

/// Starts the server until it stays up, or [`GRACE`] is over.
async fn start_again(cx: &Cx, again: &StartOptions) -> Checked<Rc<Server>> {
    let begun = tokio::time::Instant::now();
    let mut starts = 0;
    loop {
        starts += 1;
        let failure = match cx.try_start(again.clone()).await? {
            Ok(server) => {
                cx.note("starts", starts);
                return Ok(Rc::new(server));
            }
            Err(failure) if failure.is_harness() => return Err(failure.into()),
            Err(failure) => failure,
        };
        if begun.elapsed() >= GRACE {
            cx.note("starts", starts);
            return failed(FailureKind::NoRestart, EXPECTED, blame(cx, &failure));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Which processes prevent the restart, as far as visible.
fn blame(cx: &Cx, failure: &StartFailure) -> String {
    let port = cx.server().port();
    let left = cx.server().tree();
    let who = match (cx.server().listeners().is_empty(), left.is_empty()) {
        (false, _) => format!(
            "port {port} is still held by processes that the killed server left behind: {}",
            super::names(&left)
        ),
        (true, false) => format!(
            "the killed server left these processes behind: {}",
            super::names(&left)
        ),
        (true, true) => "the killed server left no process behind".to_owned(),
    };
    let failure = failure.to_string();
    format!("{who}; {}", failure.lines().next().unwrap_or_default())
}
