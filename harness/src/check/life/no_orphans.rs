//! The end of a server is the end of all its processes.

use std::time::Duration;

use crate::check::{Check, Checked, Cx, Kind, Need, Runs, Weight, failed, inconclusive};

/// Stops the server and looks for what is left of it.
pub const ENTRY: Check = Check {
    id: "no-orphans",
    group: super::GROUP,
    battery: 1,
    requirement: "a server that was asked to stop, and did, leaves no process behind: workers and helpers end with it",
    stimulus: "one exchange, the stop signal, the end of the main process; then all descendants are looked for",
    needs: &[Need::Spawned, Need::SingleClient],
    runs: Runs::OwnServer,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(60),
    by_hand: "{cmd} & p=$!; sleep 1; t=$(pgrep -d, -P $p); kill $p; sleep 2; [ -z $t ] || ps -o pid,ppid,comm -p $t",
    run: |cx| Box::pin(run(cx)),
};

/// What is left may take this long to notice.
const GRACE: Duration = Duration::from_secs(1);

async fn run(cx: &Cx) -> Checked {
    // Some servers start their children only for a client.
    cx.exchange().await?;
    let server = cx.server();
    let before = server.tree();
    cx.note("processes", before.len());
    if server.exit().is_none() {
        tokio::time::sleep(super::SETTLED).await;
        // One that serves a single client ends by itself meanwhile.
        if let Err(unsent) = super::ask_to_stop(cx)
            && server.wait_exit(GRACE).await.is_none()
        {
            return Err(unsent);
        }
    }
    let limit = super::stop_limit(cx);
    let Some(exit) = server.wait_exit(limit).await else {
        return inconclusive(format!(
            "it still runs {limit:?} after its stop signal: see term-idle"
        ));
    };
    cx.note("exit", exit.to_string());
    cx.proved(format!(
        "the main process {exit}; before it the server had {} processes",
        before.len()
    ));
    let left = super::left_after(server, GRACE).await;
    if left.is_empty() {
        return Ok(());
    }
    let actual = format!("{GRACE:?} later there are still: {}", super::names(&left));
    failed(
        Kind::Orphans,
        "no process of the server is left after its end",
        actual,
    )
}
