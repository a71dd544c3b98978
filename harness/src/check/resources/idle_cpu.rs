//! Nothing to do is done with nothing.

use std::time::{Duration, Instant};

use crate::check::{Check, Checked, Cx, Kind, Need, Runs, Weight, failed, inconclusive};

/// Measures the CPU time of a server without traffic.
pub const ENTRY: Check = Check {
    id: "idle-cpu",
    group: super::GROUP,
    battery: 1,
    requirement: "a server without traffic waits in the kernel; one that polls uses a core's time and a battery's charge for nothing",
    stimulus: "one exchange, then no traffic; the server's CPU time is measured meanwhile",
    needs: &[Need::Process],
    runs: Runs::AloneOnMachine,
    weight: Weight::Warns,
    control: true,
    limit: Duration::from_secs(30),
    by_hand: "top -b -d 5 -n 2 -p $p | tail -1",
    run: |cx| Box::pin(run(cx)),
};

/// After the exchange: caches are filled, threads end.
const SETTLE: Duration = Duration::from_millis(200);
/// What is measured first.
const WINDOW: Duration = Duration::from_millis(500);
/// What is measured if that was too much: a start-up goes on in the background for a while.
const LONG_WINDOW: Duration = Duration::from_secs(2);
/// A timer of 10 ms that does a little stays below it, a loop without a wait does not.
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
            Kind::Spin,
            format!(
                "without traffic it uses at most {:.0} % of a core",
                CORES_MAX * 100.0
            ),
            format!(
                "it uses {:.0} % of a core with nothing to do",
                cores * 100.0
            ),
        );
    }
    Ok(())
}

/// Cores used over `window`.
async fn measured(cx: &Cx, window: Duration) -> Checked<f64> {
    let Some(before) = cx.server().cpu() else {
        return inconclusive("the server's CPU time cannot be read");
    };
    let begun = Instant::now();
    tokio::time::sleep(window).await;
    let used = cx.server().cpu().unwrap_or(before).saturating_sub(before);
    let window = begun.elapsed();
    cx.proved(format!("tcprove, its only client, was silent for {window:.0?}; CPU time from the kernel's clock of each process"));
    Ok(used.as_secs_f64() / window.as_secs_f64())
}
