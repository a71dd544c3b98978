//! The stop signal to an idle server.

use std::time::{Duration, Instant};

use crate::check::{Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed};

/// Asks an idle server to stop.
pub(super) const ENTRY: Check = Check {
    id: "term-idle",
    group: super::GROUP,
    battery: 1,
    requirement: "POSIX kill(): SIGTERM asks a process to end; docker stop and systemd send it, wait, and then kill",
    stimulus: "one exchange; once the server sleeps, the stop signal while no connection is open",
    needs: &[Need::Spawned, Need::SingleClient],
    runs: Runs::OwnServer,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(60),
    by_hand: "{cmd} & p=$!; sleep 1; kill $p; sleep 5; kill -0 $p && echo it still runs",
    run: |cx| Box::pin(run(cx)),
};

/// Time for the server to come to rest.
const RESTS: Duration = Duration::from_secs(2);

async fn run(cx: &Cx) -> Checked {
    // It may listen before it has started all of its processes, and one that is asked to stop then is not idle.
    if cx.serves_again() {
        cx.exchange().await?;
    }
    cx.eventually(RESTS, || !cx.server().is_computing()).await;
    tokio::time::sleep(super::SETTLED).await;
    let limit = super::stop_limit(cx);
    let asked = Instant::now();
    let delivered = super::ask_to_stop(cx)?;
    cx.proved(delivered);
    match cx.server().wait_exit(limit).await {
        Some(exit) => {
            // Being ended by the signal itself is fine: there is nothing to finish.
            cx.note("exit", exit.to_string());
            cx.note("stopped_after_ms", asked.elapsed().as_millis() as u64);
            Ok(())
        }
        None => failed(
            FailureKind::IgnoredStop,
            format!("the server exits within {limit:?} of its stop signal"),
            format!("it still runs: {}", super::names(&cx.server().tree())),
        ),
    }
}
