//! When it is of no use to wait any longer for a server: it sleeps, and has not computed since the last look.
//!
//! A case often gets no reply, as half a message earns none. The time limit of a wait is a multiple of the slowest exchange,
//! so that a loaded server still answers in time; a server at rest needs none of it.

use std::fmt;
use std::time::Duration;

/// Bounds of the time between two looks. A server that waits for a disk or another program rests meanwhile.
const LOOK_MIN: Duration = Duration::from_millis(4);
const LOOK_MAX: Duration = Duration::from_millis(100);

/// Tells whether the server rests.
pub(crate) struct Rest {
    /// Its CPU time so far; `None` if one of its threads computes or waits for a core, or if that is not known.
    asleep: Box<dyn Fn() -> Option<Duration>>,
    /// Time between two looks.
    pub(super) look: Duration,
}

impl Rest {
    /// For a server whose slowest usual exchange takes this long.
    pub(crate) fn new(exchange: Duration, asleep: impl Fn() -> Option<Duration> + 'static) -> Self {
        Self {
            asleep: Box::new(asleep),
            look: exchange.clamp(LOOK_MIN, LOOK_MAX),
        }
    }
}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rest")
            .field("look", &self.look)
            .finish_non_exhaustive()
    }
}

/// One wait for a server.
#[derive(Debug)]
pub(super) struct Wait<'a> {
    /// `None`: the whole time limit is waited.
    rest: Option<&'a Rest>,
    /// The CPU time at the last look, if the server slept.
    seen: Option<Duration>,
}

impl<'a> Wait<'a> {
    pub(super) fn new(rest: Option<&'a Rest>) -> Self {
        Self { rest, seen: None }
    }

    /// Something has arrived.
    pub(super) fn begin_again(&mut self) {
        self.seen = None;
    }

    /// Whether something may still come after nothing has come for the time of a read.
    pub(super) fn goes_on(&mut self) -> bool {
        let Some(rest) = self.rest else {
            return false;
        };
        let now = (rest.asleep)();
        let rests = now.is_some() && now == self.seen;
        self.seen = now;
        !rests
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn a_server_rests_that_has_slept_since_the_last_look() {
        let ms = |ms| Some(Duration::from_millis(ms));
        // Asleep, computing, asleep after some work, and asleep since.
        let looks = RefCell::new(vec![ms(7), ms(7), ms(5), None, ms(4)]);
        let rest = Rest::new(Duration::ZERO, move || looks.borrow_mut().pop().unwrap());
        let mut wait = Wait::new(Some(&rest));
        let goes_on = [(); 5].map(|()| wait.goes_on());
        assert_eq!(goes_on, [true, true, true, true, false]);
        assert!(
            !Wait::new(None).goes_on(),
            "the limit is the time of a read"
        );
    }

    #[test]
    fn what_has_arrived_begins_another_wait() {
        let rest = Rest::new(Duration::from_secs(9), || Some(Duration::ZERO));
        assert_eq!(rest.look, LOOK_MAX);
        let mut wait = Wait::new(Some(&rest));
        assert!(wait.goes_on());
        wait.begin_again();
        assert!(wait.goes_on());
        assert!(!wait.goes_on());
    }
}
