//! A server that lacks a resource stays calm: it neither spins nor floods its log.

use std::time::{Duration, Instant};

use crate::check::busy::{Busy, SPIN};
use crate::check::{Checked, Cx, FailureKind, failed, inconclusive};

/// Length of the measurement of CPU time and log output.
const WINDOW: Duration = Duration::from_millis(800);
/// Length of the measurement of a server that is neither calm nor in a busy loop: some try again each second (asyncio), and a
/// shorter window shows more or less of it.
const LONG_WINDOW: Duration = Duration::from_millis(4_200);
/// Output in bytes per second that is looked at for longer.
const LOG_RATE_SLIGHT: f64 = 1e4;
/// Maximum output in bytes per second.
const LOG_RATE_MAX: f64 = 1e6;

/// What the server did for a while.
pub(super) struct Calm {
    busy: Busy,
    log_rate: f64,
    last_line: String,
}

/// Measures the server. `lack` says what it lacks, as in "with no descriptor left".
pub(super) async fn watch(cx: &Cx, lack: &str) -> Checked<Calm> {
    let calm = watch_for(cx, lack, WINDOW).await?;
    let calm = if calm.is_clear() {
        calm
    } else {
        watch_for(cx, lack, LONG_WINDOW).await?
    };
    cx.note("cores", (calm.busy.cores * 1e4).round() / 1e4);
    cx.note("log_bytes_per_s", calm.log_rate.round());
    Ok(calm)
}

async fn watch_for(cx: &Cx, lack: &str, window: Duration) -> Checked<Calm> {
    let server = cx.server();
    let (begun, printed) = (Instant::now(), server.printed());
    let busy = Busy::seen(cx, window).await;
    alive(cx, lack)?;
    let seconds = begun.elapsed().as_secs_f64();
    let output = server.output().since(printed);
    let Some(busy) = busy else {
        return inconclusive("the server's resource usage cannot be read");
    };
    Ok(Calm {
        busy,
        log_rate: (output.stdout_bytes + output.stderr_bytes) as f64 / seconds,
        last_line: last_line(&output.stderr_tail, &output.stdout_tail),
    })
}

fn last_line(stderr: &str, stdout: &str) -> String {
    let line = crate::text::last_line(stderr).or_else(|| crate::text::last_line(stdout));
    line.unwrap_or_default()
}

impl Calm {
    /// Whether the server sleeps, or is in a loop without a pause.
    fn is_clear(&self) -> bool {
        let sleeps = !self.busy.is_awake(0.0) && self.log_rate < LOG_RATE_SLIGHT;
        sleeps || self.busy.is_endless() || self.log_rate > LOG_RATE_MAX
    }

    /// Fails if the server was not calm, `lack` as in [`watch`].
    pub(super) fn judge(&self, lack: &str) -> Checked {
        let log = match self.log_rate {
            rate if rate >= 1e5 => format!(
                ", and prints {:.1} MB/s (\"{}\")",
                rate / 1e6,
                self.last_line
            ),
            _ => String::new(),
        };
        let floods = self.log_rate > LOG_RATE_MAX;
        let spins = self.busy.is_spin(0.0) && !self.busy.rests();
        if spins || (floods && self.busy.is_awake(0.0)) {
            return failed(
                FailureKind::Spin,
                format!("{lack} the server sleeps: it uses less than {SPIN} of a core"),
                format!(
                    "it uses {:.2} of a core without serving anybody{log}",
                    self.busy.cores
                ),
            );
        }
        if floods {
            return failed(
                FailureKind::LogFlood,
                format!(
                    "{lack} the server prints at most {:.0} MB/s",
                    LOG_RATE_MAX / 1e6
                ),
                format!(
                    "it prints {:.1} MB/s (\"{}\")",
                    self.log_rate / 1e6,
                    self.last_line
                ),
            );
        }
        Ok(())
    }
}

/// Fails if the server has ended.
pub(super) fn alive(cx: &Cx, when: &str) -> Checked {
    let Some(exit) = cx.server().exit() else {
        return Ok(());
    };
    let output = cx.server().output();
    let said = match last_line(&output.stderr_tail, &output.stdout_tail) {
        said if said.is_empty() => ", and printed nothing".to_owned(),
        said => format!(": {said}"),
    };
    let actual = format!("the server {exit}{said}");
    failed(
        FailureKind::Died,
        format!("the server keeps running {when}"),
        actual,
    )
}
