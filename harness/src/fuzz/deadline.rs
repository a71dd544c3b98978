//! The moment at which a part of a campaign has to end.

use std::time::{Duration, Instant};

use crate::subject::Interrupt;

/// Ends at a moment, if there is one, and when the run is interrupted.
///
/// Whatever runs a case, starts a server or waits for one gives up once it is over. A look that was cut short says nothing
/// about the server: whoever asked compares with [`Deadline::is_over`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Deadline {
    at: Option<Instant>,
    interrupt: Interrupt,
}

impl Deadline {
    /// A deadline at this moment; `None`: only an interrupt ends it.
    pub(crate) fn at(at: Option<Instant>, interrupt: Interrupt) -> Self {
        Self { at, interrupt }
    }

    /// This deadline, or `after` from now if that is earlier.
    pub(crate) fn or_after(&self, after: Duration) -> Self {
        let then = Instant::now() + after;
        Self {
            at: Some(self.at.map_or(then, |at| at.min(then))),
            interrupt: self.interrupt.clone(),
        }
    }

    /// Whether it has passed.
    pub(crate) fn is_over(&self) -> bool {
        self.interrupt.is_set() || self.at.is_some_and(|at| Instant::now() >= at)
    }

    /// The time that is left, at most `limit`.
    pub(crate) fn left(&self, limit: Duration) -> Duration {
        match self.at {
            _ if self.interrupt.is_set() => Duration::ZERO,
            Some(at) => limit.min(at.saturating_duration_since(Instant::now())),
            None => limit,
        }
    }

    /// Resolves once it has passed.
    pub(crate) async fn passed(&self) {
        match self.at {
            Some(at) => tokio::select! {
                () = tokio::time::sleep_until(at.into()) => {}
                () = self.interrupt.wait() => {}
            },
            None => self.interrupt.wait().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earlier_moment_counts_and_an_interrupt_ends_all() {
        let interrupt = Interrupt::default();
        let open = Deadline::at(None, interrupt.clone());
        let minute = Duration::from_secs(60);
        assert_eq!(open.left(minute), minute);
        let short = open.or_after(Duration::from_secs(5));
        assert!(short.left(minute) <= Duration::from_secs(5) && !short.is_over());
        assert!(short.or_after(minute).left(minute) <= Duration::from_secs(5));
        assert!(short.or_after(Duration::ZERO).is_over());
        interrupt.set();
        assert!(open.is_over() && short.left(minute).is_zero());
    }
}
