//! Running out of threads and processes while serving.

use std::time::Duration;

use super::calm::{alive, watch};
use super::mixed::settled;
use super::recovery::recovers;
use crate::check::concurrency::at_once::{ask_at_once, enter};
use crate::check::{Check, Checked, Cx, Need, Runs, Weight, skip};
use crate::process::TaskLimit;
use crate::session::Session;

/// Takes the last thread from the server, and gives it back.
pub(super) const ENTRY: Check = Check {
    id: "nproc-live",
    group: super::GROUP,
    battery: 1,
    requirement: "fork(2), pthread_create(3): EAGAIN, a limit on the number of threads was reached; a server that cannot start one loses that client, and not all others",
    stimulus: "a control group (or RLIMIT_NPROC) allows the server as many threads as it has; 12 clients come and ask at the same moment; then all leave and the limit is lifted",
    needs: &[Need::Spawned, Need::Accepts, Need::TaskLimit],
    runs: Runs::AloneOnMachine,
    weight: Weight::Fails,
    control: true,
    limit: Duration::from_secs(60),
    by_hand: "{cmd} & p=$!; sleep 1; g=/sys/fs/cgroup/pids/by-hand; mkdir $g; echo $p > $g/cgroup.procs; cat $g/pids.current > $g/pids.max; python3 -c \"import socket,time; c=[socket.create_connection(('{host}',{port}), 2) for _ in range(12)]; time.sleep(1)\"; cat $g/pids.events; ls -d /proc/$p; kill $p; sleep 1; rmdir $g",
    run: |cx| Box::pin(run(cx)),
};

/// Number of clients.
const CLIENTS: usize = 12;
/// Time that a client waits for its reply. It may have to wait in vain.
const PATIENCE: Duration = Duration::from_millis(500);
/// What the server lacks.
const LACK: &str = "with no thread or process left";

async fn run(cx: &Cx) -> Checked {
    cx.exchange().await?;
    cx.started_whole().await;
    let threads = settled(cx, |usage| usage.threads, 0).await?;
    let limit = match TaskLimit::of(cx.server()) {
        Ok(limit) => limit,
        Err(error) => return skip(format!("the number of threads cannot be limited: {error}")),
    };
    cx.step(format!(
        "allow the server no more than its {threads} threads"
    ));
    let count = cx.connections(CLIENTS);
    let patience = PATIENCE.max(cx.pace().exchange * 2);
    let crowd = cx.crowd(
        count,
        move |cx, _| async move { Ok(enter(&cx, patience).await) },
    );
    let clients: Checked<Vec<Option<Session>>> = crowd.await.into_iter().collect();
    let mut clients: Vec<Session> = clients?.into_iter().flatten().collect();
    let served = ask_at_once(cx, &mut clients, patience).await?;
    let hits = limit.hits();
    cx.note("threads", threads);
    cx.note("served", served);
    cx.note("clients", count);
    alive(cx, LACK)?;
    if hits.unwrap_or((count - served) as u64) == 0 {
        return skip(format!(
            "the server started no thread and no process for {count} clients, of which it served {served}"
        ));
    }
    cx.proved(match hits {
        Some(hits) => format!(
            "the kernel has refused the server a thread or process {hits} times, according to pids.events; {served} of {count} clients were served"
        ),
        None => format!(
            "the soft limit RLIMIT_NPROC of all processes of the server was 0; {served} of {count} clients were served"
        ),
    });
    let calm = watch(cx, LACK).await?;
    drop(clients);
    cx.step("all clients leave, and the limit is lifted");
    drop(limit);
    calm.judge(LACK)?;
    recovers(cx, LACK).await
}
