//! A server that lacked a resource serves again once it is back.

use std::time::{Duration, Instant};

use super::calm::alive;
use crate::check::{Ascribe, Checked, Cx, FailureKind};
use crate::session::pause;

/// How long the server may take: some pause for seconds after a failed accept (prosody: 10 s).
const RECOVERY: Duration = Duration::from_secs(15);
/// Time limit for the end of the server to become visible.
const DYING: Duration = Duration::from_millis(500);

/// Fails unless a new client is served in time. `lack` says what the server lacked, as in "with no descriptor left".
pub(in crate::check) async fn recovers(cx: &Cx, lack: &str) -> Checked {
    let begun = Instant::now();
    let mut served = cx.exchange().await;
    let mut round = 0;
    while served.is_err() && begun.elapsed() < RECOVERY && cx.server().exit().is_none() {
        pause(round).await;
        round += 1;
        served = cx.exchange().await;
    }
    cx.note(
        "recovered_s",
        (begun.elapsed().as_secs_f64() * 10.0).round() / 10.0,
    );
    let served = served.ascribe(
        FailureKind::Blocked,
        "a new client is served within 15 s of the others' leaving",
    );
    if served.is_err() && cx.server().wait_exit(DYING).await.is_some() {
        alive(cx, &format!("{lack}, and after that"))?;
    }
    served.map(|_| ())
}
