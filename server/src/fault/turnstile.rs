//! A bounded number of permits, shared by the faults in which connections wait for each other.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A semaphore.
pub(super) struct Turnstile {
    free: Mutex<usize>,
    freed: Condvar,
}

/// A permit, returned on drop.
pub(super) struct Permit(&'static Turnstile);

impl Turnstile {
    pub(super) const fn new(permits: usize) -> Self {
        Self {
            free: Mutex::new(permits),
            freed: Condvar::new(),
        }
    }

    /// Waits for a permit, without a time limit.
    pub(super) fn pass(&'static self) -> Permit {
        let mut free = self.free();
        while *free == 0 {
            free = self
                .freed
                .wait(free)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
        Permit(self)
    }

    fn free(&self) -> MutexGuard<'_, usize> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *self.0.free() += 1;
        self.0.freed.notify_one();
    }
}
