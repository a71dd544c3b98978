//! The stop signal while a client stays connected.

use std::time::{Duration, Instant};

use crate::check::{Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed, inconclusive};
use crate::process::TcpState;

/// Stops a server while an idle client stays connected.
pub(super) const ENTRY: Check = Check {
    id: "term-idle-conn",
    group: super::GROUP,
    battery: 1,
    requirement: "an idle client must not prevent a server from stopping: docker stop waits for 10 s, then kills it",
    stimulus: "one exchange, then the stop signal while the connection is open and idle",
    needs: &[Need::Spawned, Need::ManyTurns, Need::Tcp],
    runs: Runs::OwnServer,
    weight: Weight::Warns,
    control: false,
    limit: Duration::from_secs(60),
    by_hand: "{cmd} & p=$!; sleep 1; python3 -c \"import os,socket,time; s=socket.create_connection(('{host}',{port})); s.sendall({request}); s.recv(4096); os.kill($p,15); time.sleep(10)\"; kill -0 $p && echo it still runs",
    run: |cx| Box::pin(run(cx)),
};

/// Time limit: what `docker stop` grants.
const LIMIT: Duration = Duration::from_secs(10);

async fn run(cx: &Cx) -> Checked {
    let mut client = cx.open().await?;
    let turn = client.turn()?;
    client.exchange(&turn).await?;
    let peer = cx.server().peer_socket(client.local());
    if !peer.is_some_and(|peer| peer.state == TcpState::Established) {
        return inconclusive("unproven: the connection is not open on the server's side");
    }
    let limit = LIMIT.max(super::stop_limit(cx));
    let asked = Instant::now();
    let delivered = super::ask_to_stop(cx)?;
    cx.proved(format!("{delivered}, with an established, idle connection"));
    let exit = cx.server().wait_exit(limit).await;
    cx.note("stopped_after_ms", asked.elapsed().as_millis() as u64);
    client.close();
    match exit {
        Some(exit) => {
            cx.note("exit", exit.to_string());
            Ok(())
        }
        None => failed(
            FailureKind::IgnoredStop,
            format!("the server exits within {limit:?} of its stop signal"),
            format!(
                "with one idle connection it still runs: {}",
                super::names(&cx.server().tree())
            ),
        ),
    }
}
