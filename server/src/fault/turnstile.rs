//! A bounded number of places, shared by the faults in which connections wait for one.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Lets so many through at once.
pub(super) struct Turnstile {
    free: Mutex<usize>,
    freed: Condvar,
}

/// A place; dropping it lets the next one through.
pub(super) struct Turn(&'static Turnstile);

impl Turnstile {
    pub(super) const fn new(places: usize) -> Self {
        Self {
            free: Mutex::new(places),
            freed: Condvar::new(),
        }
    }

    /// Waits for a place, however long it takes.
    pub(super) fn pass(&'static self) -> Turn {
        let mut free = self.free();
        while *free == 0 {
            free = self
                .freed
                .wait(free)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
        Turn(self)
    }

    fn free(&self) -> MutexGuard<'_, usize> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *self.0.free() += 1;
        self.0.freed.notify_one();
    }
}
