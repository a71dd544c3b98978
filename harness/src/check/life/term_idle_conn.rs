//! The stop signal, with a client who does not leave.

use std::time::{Duration, Instant};

use crate::check::{Check, Checked, Cx, Kind, Need, Runs, Weight, failed, inconclusive};
use crate::process::TcpState;

/// Asks a server to stop while an idle client stays.
pub const ENTRY: Check = Check {
    id: "term-idle-conn",
    group: super::GROUP,
    battery: 1,
    requirement: "a client that says nothing must not keep a server from its end: who runs it waits for 10 s (docker stop), and then kills",
    stimulus: "one exchange, the connection is kept open and idle; then the stop signal",
    needs: &[Need::Spawned, Need::ManyTurns],
    runs: Runs::OwnServer,
    weight: Weight::Warns,
    control: false,
    limit: Duration::from_secs(60),
    by_hand: "{cmd} & p=$!; sleep 1; python3 -c \"import os,socket,time; s=socket.create_connection(('{host}',{port})); s.sendall({request}); s.recv(4096); os.kill($p,15); time.sleep(10)\"; kill -0 $p && echo it still runs",
    run: |cx| Box::pin(run(cx)),
};

/// What `docker stop` grants.
const LIMIT: Duration = Duration::from_secs(10);

async fn run(cx: &Cx) -> Checked {
    let mut client = cx.open().await?;
    let turn = client.turn()?;
    client.send(&turn.request).await?;
    client.expect(&turn).await?;
    let peer = cx.server().peer_socket(client.local());
    if !peer.is_some_and(|peer| peer.state == TcpState::Established) {
        return inconclusive("unproven: the connection is not open at the server's side");
    }
    let limit = LIMIT.max(super::stop_limit(cx));
    let asked = Instant::now();
    let delivered = super::ask_to_stop(cx)?;
    cx.proved(format!(
        "{delivered}, with an established, idle connection to {}",
        client.local()
    ));
    let exit = cx.server().wait_exit(limit).await;
    cx.note("stopped_after_ms", asked.elapsed().as_millis() as u64);
    client.close();
    match exit {
        Some(exit) => {
            cx.note("exit", exit.to_string());
            Ok(())
        }
        None => failed(
            Kind::IgnoredStop,
            format!("it ends within {limit:?} of its stop signal"),
            format!(
                "with one idle connection it still runs: {}",
                super::names(&cx.server().tree())
            ),
        ),
    }
}
