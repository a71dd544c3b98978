//! A server that exits ends all of its processes.

use std::time::Duration;

use crate::check::{Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed, skip};

/// Stops the server and looks for remaining processes.
pub(super) const ENTRY: Check = Check {
    id: "no-orphans",
    group: super::GROUP,
    battery: 1,
    requirement: "a stopped server leaves no process behind: workers and helpers end with it",
    stimulus: "one exchange, then the stop signal; once the main process has ended, no descendant may be left",
    needs: &[Need::Spawned, Need::SingleClient],
    runs: Runs::OwnServer,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(60),
    by_hand: "{cmd} & p=$!; sleep 1; t=$(pgrep -d, -P $p); kill $p; sleep 2; [ -z $t ] || ps -o pid,ppid,comm -p $t",
    run: |cx| Box::pin(run(cx)),
};

/// Time limit for the remaining processes to exit. A helper that looks for its parent once a second (the pinger of squid) is no orphan.
const GRACE: Duration = Duration::from_millis(2_500);

async fn run(cx: &Cx) -> Checked {
    // Some servers start child processes only for a client.
    cx.exchange().await?;
    let server = cx.server();
    let before = server.tree();
    cx.note("processes", before.len());
    if server.exit().is_none() {
        tokio::time::sleep(super::SETTLED).await;
        // A server that serves a single client may exit in the meantime.
        if let Err(unsent) = super::ask_to_stop(cx)
            && server.wait_exit(GRACE).await.is_none()
        {
            return Err(unsent);
        }
    }
    let limit = super::stop_limit(cx);
    let Some(exit) = server.wait_exit(limit).await else {
        return skip(format!(
            "the server still runs {limit:?} after its stop signal: see term-idle"
        ));
    };
    cx.note("exit", exit.to_string());
    cx.proved(format!(
        "the main process {exit}; before that the server had {} processes",
        before.len()
    ));
    let left = super::left_after(server, GRACE).await;
    if left.is_empty() {
        return Ok(());
    }
    let actual = format!(
        "{GRACE:?} later these are still running: {}",
        super::names(&left)
    );
    failed(
        FailureKind::Orphans,
        "no process of the server is left after its main process ends",
        actual,
    )
}
