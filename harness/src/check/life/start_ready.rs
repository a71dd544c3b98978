//! A server starts within its time limit.

use std::time::Duration;

use crate::check::{
    Check, Checked, Cx, FailureKind, Need, Runs, Shortfall, Weight, failed, inconclusive,
};
use crate::process::{Server, StartFailure, StartOptions};

/// Starts the server a few times and waits for its listening socket.
pub(super) const ENTRY: Check = Check {
    id: "start-ready",
    group: super::GROUP,
    battery: 1,
    requirement: "after a start the server listens within its ready timeout: a service manager or CI job waits no longer",
    stimulus: "3 starts on fresh ports; the kernel's socket table is polled for the listening socket",
    needs: &[Need::Spawned, Need::OwnSocket, Need::SingleClient],
    runs: Runs::AloneOnMachine,
    weight: Weight::Fails,
    control: true,
    limit: Duration::from_secs(120),
    by_hand: "{cmd} & p=$!; for i in 1 2 3 4 5 6 7 8 9 10; do ss -Hltn 'sport = :{port}'; sleep 0.2; done; kill $p",
    run: |cx| Box::pin(run(cx)),
};

/// Number of starts in addition to that of the check's own server.
const MORE_STARTS: usize = 2;
/// A late start is given up after this many times the limit, so that the delay can be reported.
const PATIENCE: u32 = 4;

async fn run(cx: &Cx) -> Checked {
    let limit = cx.launch()?.ready_timeout;
    let mut times = vec![judge(cx, cx.server(), limit)?];
    for _ in 0..MORE_STARTS {
        let options = StartOptions {
            give_up: Some(limit * PATIENCE),
            ..StartOptions::default()
        };
        match cx.try_start(options).await? {
            Ok(server) => times.push(judge(cx, &server, limit)?),
            Err(failure) => return Err(never(cx, failure)),
        }
    }
    cx.note("start_ms", times);
    Ok(())
}

/// Milliseconds from spawn to the listening socket; fails if the limit is exceeded.
fn judge(cx: &Cx, server: &Server, limit: Duration) -> Checked<f64> {
    let took = server.started_in();
    let ms = (took.as_secs_f64() * 1e4).round() / 10.0;
    let Some(listener) = server.listener() else {
        return inconclusive("the listening socket is not in this machine's socket table");
    };
    cx.step(format!(
        "start; a process of the server listens on {} after {ms} ms",
        listener.addr
    ));
    cx.proved(format!(
        "the kernel's socket table: LISTEN on {}, inode {}, held by the server",
        listener.addr, listener.inode
    ));
    if took > limit {
        cx.note("start_ms", ms);
        return failed(
            FailureKind::NotReady,
            format!("the server listens within {limit:?} of its start"),
            format!("it listened after {ms} ms"),
        );
    }
    Ok(ms)
}

fn never(cx: &Cx, failure: StartFailure) -> Shortfall {
    if !failure.is_harness() {
        cx.proved("the program was started, and the kernel's socket table never showed a listening socket of it");
    }
    Shortfall::from(failure)
}
