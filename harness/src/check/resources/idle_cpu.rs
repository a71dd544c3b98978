//! An idle server uses no CPU.

use std::time::{Duration, Instant};

use crate::check::{Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed, inconclusive};

/// Measures the CPU time of a server without traffic.
pub(super) const ENTRY: Check = Check {
    id: "idle-cpu",
    group: super::GROUP,
    battery: 1,
    requirement: "a server without traffic waits in the kernel; one that polls wastes CPU time and energy",
    stimulus: "one exchange, then no traffic while the server's CPU time is measured",
    needs: &[Need::Process],
    runs: Runs::AloneOnMachine,
    weight: Weight::Warns,
    control: true,
    limit: Duration::from_secs(30),
    by_hand: "{top}",
    run: |cx| Box::pin(run(cx)),
};

/// Time after the exchange for caches to fill and threads to end.
const SETTLE: Duration = Duration::from_millis(200);
/// Length of the first measurement.
const WINDOW: Duration = Duration::from_millis(500);
/// Length of the second measurement, if the first exceeded the limit: background work of a start
/// takes a while.
const LONG_WINDOW: Duration = Duration::from_secs(2);
/// Maximum CPU usage in cores. A timer of 10 ms that does little work stays below, a busy loop does
/// not.
const CORES_MAX: f64 = 0.05;

async fn run(cx: &Cx) -> Checked {
    cx.exchange().await?;
    tokio::time::sleep(SETTLE).await;
    let mut cores = measured(cx, WINDOW).await?;
    if cores > CORES_MAX {
        cores = measured(cx, LONG_WINDOW).await?;
    }
    cx.note("cores", (cores * 1e4).round() / 1e4);
    if cores > CORES_MAX {
        return failed(
            FailureKind::Spin,
            format!(
                "without traffic the server uses at most {:.0} % of a core",
                CORES_MAX * 100.0
            ),
            format!("it uses {:.0} % of a core while idle", cores * 100.0),
        );
    }
    Ok(())
}

/// CPU usage over `window`, in cores.
async fn measured(cx: &Cx, window: Duration) -> Checked<f64> {
    let Some(before) = cx.server().cpu() else {
        return inconclusive("the server's CPU time cannot be read");
    };
    let begun = Instant::now();
    tokio::time::sleep(window).await;
    let used = cx.server().cpu().unwrap_or(before).saturating_sub(before);
    let window = begun.elapsed();
    cx.proved(format!("tcprove, the only client, was silent for {window:.0?}; CPU time from the kernel's clock of each process"));
    Ok(used.as_secs_f64() / window.as_secs_f64())
}
