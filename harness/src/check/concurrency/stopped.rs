//! A server that is stopped for a while, so that traffic waits in the kernel.

use std::time::Duration;

use crate::check::{Checked, Cx, inconclusive};

/// Time limit for SIGSTOP to take effect. It reaches a process within milliseconds.
const STOPS_WITHIN: Duration = Duration::from_millis(300);
/// Number of attempts. A process that is being started can miss the signal, or keep its parent
/// waiting for it.
const TRIES: usize = 6;
/// Time for such a process to start.
const START_TIME: Duration = Duration::from_millis(30);

/// Keeps all processes of the server stopped. They continue when this is dropped, however the check
/// ends.
pub(in crate::check) struct Stopped<'a>(&'a Cx);

impl<'a> Stopped<'a> {
    /// Stops all processes of the server and waits until the kernel reports them as stopped.
    pub(in crate::check) async fn hold(cx: &'a Cx) -> Checked<Self> {
        cx.step("SIGSTOP to the server's processes");
        let stopped = Self(cx);
        for _ in 0..TRIES {
            cx.server().signal_tree(libc::SIGSTOP);
            if cx
                .eventually(STOPS_WITHIN, || cx.server().is_stopped())
                .await
            {
                return Ok(stopped);
            }
            cx.server().signal_tree(libc::SIGCONT);
            tokio::time::sleep(START_TIME).await;
        }
        inconclusive("unproven: the server's processes did not all stop after SIGSTOP")
    }

    /// Lets the server continue.
    pub(in crate::check) fn resume(self) {
        self.0.step("SIGCONT");
    }
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.0.server().signal_tree(libc::SIGCONT);
    }
}
