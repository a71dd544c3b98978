//! What a check leaves behind: once its clients have left, the server sleeps, has closed their connections, has no more
//! threads than before, and none of its processes has crashed.
//!
//! Looking costs a sound server some tens of milliseconds. More time is only taken where something is suspicious. An attached
//! server is not examined, since it may have other clients.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::check::busy::Busy;
use crate::check::{Check, Checked, Cx, FailureKind, failed};
use crate::process::{Abandoned, Crash, CrashWatch, Exit, Usage};

/// Length of a first look at the CPU clock.
const GLANCE: Duration = Duration::from_millis(30);
/// Length of one measurement of a suspicious server.
const WINDOW: Duration = Duration::from_millis(400);
/// Time for a server to finish what its clients have left behind, without any suspicion.
const SETTLES: Duration = Duration::from_millis(300);
/// Time after which a server that has never slept is in a busy loop.
const PATIENCE: Duration = Duration::from_secs(5);
/// CPU usage of an idle server, in cores, above that of a fresh one.
const QUIET: f64 = 0.05;
/// Longest time to wait for a fresh server to become idle.
const STARTS: Duration = Duration::from_secs(2);
/// Time after which a connection that the server holds is not closed any more: it may be busy for its client, such as with a
/// look-up of the client's name. The maximum, as long as it closes others.
const HELD: Duration = Duration::from_secs(10);
const HELD_MAX: Duration = Duration::from_secs(18);
/// Time after which a server is asked once more whether it only keeps the connection of its last client. In many a server in
/// Python, the variable of the accept loop does that.
const KEEPS_LAST: Duration = Duration::from_millis(500);
/// Time between two looks at the server's descriptors.
const LOOK: Duration = Duration::from_millis(10);

/// Minimum growth of the number of threads that is looked into.
const THREADS_MIN: usize = 5;
/// Growth of the number of threads that no pool explains.
const THREADS_LEAKED: usize = 512;
/// Maximum number of repetitions of a check to tell a pool from a leak, and their maximum duration.
const REPETITIONS: usize = 20;
const REPETITION_TIME: Duration = Duration::from_secs(8);

/// CPU usage of a fresh server without clients, in cores: measured once, for all lanes.
#[derive(Debug, Default)]
pub(super) struct Idle(OnceLock<f64>);

impl Idle {
    fn cores(&self) -> f64 {
        self.0.get().copied().unwrap_or_default()
    }

    /// Measures it on this fresh server, if that has not been done.
    pub(super) async fn learn(&self, cx: &Cx) {
        if self.0.get().is_some() || cx.server().is_attached() {
            return;
        }
        let begun = Instant::now();
        // The least of several: right after its start a server may compute for a while.
        let mut least = f64::INFINITY;
        while let Some(cores) = cores(cx, GLANCE).await {
            least = least.min(cores);
            if cores < QUIET || begun.elapsed() >= STARTS {
                break;
            }
        }
        if least.is_finite() {
            let _ = self.0.set(least);
        }
    }
}

/// A server right before a check.
pub(super) struct Before {
    usage: Usage,
    crashes: Option<CrashWatch>,
    connections: usize,
}

impl Before {
    /// `None` if the server's processes cannot be examined.
    pub(super) fn of(cx: &Cx) -> Option<Self> {
        if cx.server().is_attached() {
            return None;
        }
        Some(Self {
            usage: cx.server().usage()?,
            crashes: CrashWatch::begin(cx.server()),
            connections: cx.connections_made(),
        })
    }

    /// Fails if a process of the server has crashed.
    pub(super) fn no_crash(&self, cx: &Cx) -> Checked {
        let Some(watch) = &self.crashes else {
            return Ok(());
        };
        let crashes = watch.crashes(cx.server());
        let Some(crash) = crashes.iter().find(|crash| is_fault(crash)) else {
            return Ok(());
        };
        let name = crash.comm.as_deref().unwrap_or("started during the check");
        failed(
            FailureKind::WorkerDied,
            "every process of the server survives its clients",
            format!(
                "process {} ({name}) of the server {}",
                crash.pid, crash.exit
            ),
        )
    }

    /// Fails if the server, whose clients have all left, does not come to rest.
    pub(super) async fn at_rest(&self, cx: &Cx, idle: &Idle) -> Checked {
        sleeps(cx, idle.cores()).await?;
        self.has_released(cx).await
    }

    /// Fails if the server keeps connections of clients that have left. Descriptors of other kinds may be opened whenever
    /// they are needed first.
    async fn has_released(&self, cx: &Cx) -> Checked {
        if cx.keeps_connections() {
            return Ok(());
        }
        let limit = cx.pace().reply_limit().max(HELD);
        let (begun, mut changed, mut least) = (Instant::now(), Instant::now(), usize::MAX);
        let mut is_asked = false;
        loop {
            let now = cx.usage()?.descriptors;
            if now <= self.usage.descriptors {
                return Ok(());
            }
            let left = cx.server().abandoned().unwrap_or_default();
            if left.total() == 0 {
                return Ok(());
            }
            if left.total() < least {
                (changed, least) = (Instant::now(), left.total());
            }
            if !is_asked && changed.elapsed() >= KEEPS_LAST && left.total() <= cx.usage()?.processes
            {
                is_asked = true;
                if keeps_only_last(cx, &left).await {
                    cx.note("connections_kept_until_the_next_client", left.total());
                    return Ok(());
                }
            }
            // It closes one after the other, and takes its time.
            if begun.elapsed() >= HELD_MAX && changed.elapsed() < limit {
                cx.note("connections_still_held", left.total());
                return Ok(());
            }
            if changed.elapsed() >= limit {
                cx.note("descriptors", vec![self.usage.descriptors, now]);
                return failed(
                    FailureKind::Leak,
                    "the server closes the connection of a client that has left",
                    format!(
                        "{:.0} s after the last client has left, the server still holds {} connections: {} that were reset, {} in CLOSE_WAIT",
                        begun.elapsed().as_secs_f64(),
                        left.total(),
                        left.reset,
                        left.finished
                    ),
                );
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// How many threads there are more than before, if they are as many as half of the clients.
    async fn more_threads(&self, cx: &Cx) -> Option<usize> {
        let clients = cx.connections_made() - self.connections;
        let least = THREADS_MIN.max(clients / 2);
        let begun = Instant::now();
        loop {
            let threads = cx.server().usage()?.threads;
            let more = threads.saturating_sub(self.usage.threads);
            if more < least {
                return None;
            }
            if begun.elapsed() >= SETTLES {
                return Some(more);
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Whether these connections are closed once another client has come and gone.
async fn keeps_only_last(cx: &Cx, left: &Abandoned) -> bool {
    if cx.exchange().await.is_err() {
        return false;
    }
    cx.eventually(KEEPS_LAST, || {
        let now = cx.server().abandoned();
        now.is_some_and(|now| now.inodes.is_disjoint(&left.inodes))
    })
    .await
}

/// Fails if the server starts threads for its clients that never end: repeats the check until no more are added, as in a
/// pool, or until there are more than any pool has.
pub(super) async fn ends_threads(check: &Check, cx: &Cx, before: Before) -> Checked {
    let begun = Instant::now();
    let (mut before, mut total) = (before, 0);
    for repetition in 0..REPETITIONS {
        let Some(more) = before.more_threads(cx).await else {
            return Ok(());
        };
        total += more;
        if total >= THREADS_LEAKED {
            return failed(
                FailureKind::Leak,
                "a thread or process that serves a client ends with it",
                format!(
                    "{total} threads were left behind, more with each of {} repetitions",
                    repetition + 1
                ),
            );
        }
        let Some(next) = Before::of(cx).filter(|_| begun.elapsed() < REPETITION_TIME) else {
            break;
        };
        before = next;
        if (check.run)(cx).await.is_err() {
            break;
        }
    }
    cx.note("threads_left", total);
    Ok(())
}

/// Whether the end of this process is a fault. A process for one connection may exit as it likes, and a write to a client
/// that has left may kill it.
fn is_fault(crash: &Crash) -> bool {
    let was_there = crash.comm.is_some();
    match crash.exit {
        Exit::Signal(
            libc::SIGSEGV
            | libc::SIGABRT
            | libc::SIGBUS
            | libc::SIGFPE
            | libc::SIGILL
            | libc::SIGTRAP
            | libc::SIGSYS,
        ) => true,
        Exit::Signal(libc::SIGPIPE) | Exit::Code(_) => was_there,
        // Its parent ended it.
        Exit::Signal(_) => false,
    }
}

/// Fails if the server never sleeps. `idle` is the CPU usage of a fresh server, in cores.
async fn sleeps(cx: &Cx, idle: f64) -> Checked {
    let begun = Instant::now();
    while begun.elapsed() < SETTLES {
        match cores(cx, GLANCE).await {
            Some(cores) if cores >= idle + QUIET => {}
            _ => return Ok(()),
        }
    }
    loop {
        let Some(seen) = Busy::seen(cx, WINDOW).await else {
            return Ok(());
        };
        if !seen.is_spin(idle) {
            return Ok(());
        }
        if begun.elapsed() >= PATIENCE {
            cx.note("cores_of_a_fresh_server", rounded(idle));
            cx.note("cores_after", rounded(seen.cores));
            if let Some(name) = &seen.busiest {
                cx.note("busy_process", name.clone());
            }
            let process = seen
                .busiest
                .map_or(String::new(), |name| format!(" in {name}"));
            return failed(
                FailureKind::Spin,
                "the server sleeps once its clients have left",
                format!(
                    "{:.0} s after the last client has left, it still uses {:.2} cores{process} ({idle:.2} when fresh)",
                    begun.elapsed().as_secs_f64(),
                    seen.cores
                ),
            );
        }
    }
}

/// CPU usage of the server's processes over `window`, in cores.
async fn cores(cx: &Cx, window: Duration) -> Option<f64> {
    let (begun, before) = (Instant::now(), cx.server().cpu()?);
    tokio::time::sleep(window).await;
    let used = cx.server().cpu()?.saturating_sub(before);
    Some(used.as_secs_f64() / begun.elapsed().as_secs_f64())
}

fn rounded(cores: f64) -> f64 {
    (cores * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_for_one_connection_may_exit_as_it_likes() {
        let crash = |comm: Option<&str>, exit| Crash {
            pid: 2,
            comm: comm.map(str::to_owned),
            exit,
        };
        let worker = Some("worker");
        assert!(is_fault(&crash(None, Exit::Signal(libc::SIGSEGV))));
        assert!(is_fault(&crash(worker, Exit::Signal(libc::SIGPIPE))));
        assert!(is_fault(&crash(worker, Exit::Code(1))));
        assert!(!is_fault(&crash(None, Exit::Signal(libc::SIGPIPE))));
        assert!(!is_fault(&crash(None, Exit::Code(1))));
        assert!(!is_fault(&crash(worker, Exit::Signal(libc::SIGTERM))));
    }
}
