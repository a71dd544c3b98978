//! CPU usage of an idle server before and after a stimulus.

use std::time::{Duration, Instant};

use crate::check::busy::Busy;
use crate::check::{Checked, Cx, FailureKind, failed, inconclusive};

/// Time limit for a freshly started server to become idle (just-in-time compilers take a while).
const QUIET_WITHIN: Duration = Duration::from_secs(4);
/// Length of one measurement while waiting for the server to become idle.
const SAMPLE: Duration = Duration::from_millis(150);
/// Length of the measurement for the verdict.
const WINDOW: Duration = Duration::from_millis(500);
/// Time after which a server that has never slept is in a busy loop, and the longest that it may be for a slow server.
const PATIENCE: Duration = Duration::from_secs(2);
const PATIENCE_MAX: Duration = Duration::from_secs(10);
/// Maximum CPU usage of an idle server, in cores. Idle servers were measured below 0.01.
const QUIET: f64 = 0.05;

/// Waits until the server is idle and returns its CPU usage in cores.
pub(super) async fn settled(cx: &Cx) -> Checked<f64> {
    let deadline = Instant::now() + QUIET_WITHIN;
    loop {
        let cores = cores(cx, SAMPLE).await?;
        if cores < QUIET {
            cx.note("cores_before", rounded(cores));
            return Ok(cores);
        }
        if Instant::now() >= deadline {
            return inconclusive(format!(
                "the server uses {cores:.2} cores while idle: see idle-cpu"
            ));
        }
    }
}

/// Fails if the server is in a busy loop. `before` is its CPU usage in cores before the stimulus
/// `what`. It may compute for a while: one that starts a program for each client is busy with that.
pub(super) async fn no_spin(cx: &Cx, before: f64, what: &str) -> Checked {
    let patience = PATIENCE.max(cx.pace().exchange * 4).min(PATIENCE_MAX);
    let begun = Instant::now();
    loop {
        let Some(seen) = Busy::seen(cx, WINDOW).await else {
            return inconclusive("the server's CPU time cannot be read");
        };
        let now = seen.cores;
        cx.note("cores_after", rounded(now));
        if !seen.is_spin(before) {
            return Ok(());
        }
        if begun.elapsed() < patience {
            continue;
        }
        if let Some(process) = seen.busiest {
            cx.note("busy_process", process);
        }
        let lasted = begun.elapsed().as_secs_f64();
        return failed(
            FailureKind::Spin,
            format!("the server uses no CPU while idle ({what})"),
            format!(
                "{lasted:.1} s later it still uses {now:.2} cores, and {before:.2} cores before"
            ),
        );
    }
}

/// CPU usage of the server's processes over `window`, in cores.
async fn cores(cx: &Cx, window: Duration) -> Checked<f64> {
    let used = || {
        cx.server()
            .cpu()
            .map_or_else(|| inconclusive("the server's CPU time cannot be read"), Ok)
    };
    let (begun, before) = (Instant::now(), used()?);
    tokio::time::sleep(window).await;
    let after = used()?;
    Ok(after.saturating_sub(before).as_secs_f64() / begun.elapsed().as_secs_f64())
}

fn rounded(cores: f64) -> f64 {
    (cores * 1000.0).round() / 1000.0
}
