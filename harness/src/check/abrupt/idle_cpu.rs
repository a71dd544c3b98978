//! CPU usage of an idle server before and after a stimulus.

use std::time::{Duration, Instant};

use crate::check::{Checked, Cx, FailureKind, failed, inconclusive};

/// Time limit for a freshly started server to become idle (just-in-time compilers take a while).
const QUIET_WITHIN: Duration = Duration::from_secs(4);
/// Length of one measurement while waiting for the server to become idle.
const SAMPLE: Duration = Duration::from_millis(150);
/// Length of the measurement for the verdict.
const WINDOW: Duration = Duration::from_millis(500);
/// Maximum CPU usage of an idle server, in cores. Idle servers were measured below 0.01; a busy
/// loop got 0.21 on a loaded machine.
const QUIET: f64 = 0.05;
/// Minimum increase of CPU usage that counts as a busy loop, in cores.
const SPIN: f64 = 0.15;

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
/// `what`.
pub(super) async fn no_spin(cx: &Cx, before: f64, what: &str) -> Checked {
    let usage = cx.usage()?;
    let now = cores(cx, WINDOW).await?;
    cx.note("cores_after", rounded(now));
    if now - before < SPIN {
        return Ok(());
    }
    if let Some(process) = cx.usage()?.busiest_since(&usage) {
        cx.note("busy_process", process);
    }
    failed(
        FailureKind::Spin,
        format!("the server uses no CPU while idle ({what})"),
        format!("it used {now:.2} cores over {WINDOW:?}, and {before:.2} cores before"),
    )
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
