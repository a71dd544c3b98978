//! Start, stop, restart.

mod dual_stack;
mod no_orphans;
mod reload_under_load;
mod restart_orphan;
mod restart_timewait;
mod second_instance;
mod serves_again;
mod start_port0;
mod start_ready;
mod term_idle;
mod term_idle_conn;
mod term_inflight;

use std::fmt::Write;
use std::time::Duration;

use super::{Check, Checked, Cx, inconclusive};
use crate::process::{Process, Server, signal_name};

const GROUP: &str = "life cycle";

pub(super) const CHECKS: &[&Check] = &[
    &start_ready::ENTRY,
    &start_port0::ENTRY,
    &dual_stack::ENTRY,
    &serves_again::ENTRY,
    &second_instance::ENTRY,
    &restart_timewait::ENTRY,
    &restart_orphan::ENTRY,
    &term_idle::ENTRY,
    &term_inflight::ENTRY,
    &term_idle_conn::ENTRY,
    &no_orphans::ENTRY,
    &reload_under_load::ENTRY,
];

/// Time limit for an idle server to exit: half of what `docker stop` grants.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// Time between ready and the stop signal: a server may install its signal handlers after it starts
/// listening.
const SETTLED: Duration = Duration::from_millis(50);
/// Polling interval.
const LOOK: Duration = Duration::from_millis(5);

/// Time limit for a stop without requests in progress, longer if this server is slow.
fn stop_limit(cx: &Cx) -> Duration {
    STOP_LIMIT
        .max(cx.pace().exchange * 20)
        .max(cx.pace().start * 2)
}

/// Sends the stop signal and returns a description. Inconclusive if the signal cannot be delivered.
fn ask_to_stop(cx: &Cx) -> Checked<String> {
    let server = cx.server();
    let signal = signal_name(server.stop_signal());
    let pid = server.pid().unwrap_or_default();
    match server.signal(server.stop_signal()) {
        Ok(()) => {
            cx.step(format!("{signal} to process {pid}"));
            Ok(format!("the kernel delivered {signal} to process {pid}"))
        }
        Err(error) => inconclusive(format!(
            "{signal} could not be sent to process {pid}: {error}"
        )),
    }
}

/// Waits until no process of the tree is left, or for `limit`. Returns the processes that are left.
async fn left_after(server: &Server, limit: Duration) -> Vec<Process> {
    let begun = tokio::time::Instant::now();
    loop {
        let left = server.tree();
        if left.is_empty() || begun.elapsed() >= limit {
            return left;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Names and pids of the first few processes.
fn names(processes: &[Process]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = processes
        .iter()
        .take(SHOWN)
        .map(|process| format!("{} ({})", process.comm, process.pid))
        .collect();
    let mut text = shown.join(", ");
    if processes.len() > SHOWN {
        let _ = write!(text, " and {} more", processes.len() - SHOWN);
    }
    text
}
