//! Whether a server sleeps when it has nothing to do.

use std::time::{Duration, Instant};

use crate::check::{Checked, Cx, Kind, failed, inconclusive};

/// A server that has just started may still be busy with itself (just-in-time compilers).
const QUIET_WITHIN: Duration = Duration::from_secs(4);
/// One look at a server that should be quiet.
const LOOK: Duration = Duration::from_millis(150);
/// The window of the verdict.
const WINDOW: Duration = Duration::from_millis(500);
/// Cores. Quiet servers here used less than 0.01; a pure spin got 0.21 on a machine under load.
const QUIET: f64 = 0.05;
/// Cores more than before: a spin.
const SPIN: f64 = 0.15;

/// Waits until the server uses next to no processor time; the cores it uses then.
pub(super) async fn settled(cx: &Cx) -> Checked<f64> {
    let deadline = Instant::now() + QUIET_WITHIN;
    loop {
        let cores = cores(cx, LOOK).await?;
        if cores < QUIET {
            cx.note("cores_before", rounded(cores));
            return Ok(cores);
        }
        if Instant::now() >= deadline {
            return inconclusive(format!(
                "the server uses {cores:.2} cores with nothing to do: see idle-cpu"
            ));
        }
    }
}

/// Fails if the server spins now: it used `before` cores before `what` happened.
pub(super) async fn no_spin(cx: &Cx, before: f64, what: &str) -> Checked {
    let now = cores(cx, WINDOW).await?;
    cx.note("cores_after", rounded(now));
    if now - before < SPIN {
        return Ok(());
    }
    failed(
        Kind::Spin,
        format!("the server sleeps when there is nothing to do ({what})"),
        format!("it used {now:.2} cores over {WINDOW:?}, and {before:.2} before"),
    )
}

/// The cores that the server's processes use while we wait.
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
