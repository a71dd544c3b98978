//! Schedules tests on the machine: most run in parallel, some need it exclusively.
//!
//! A test takes a share with the first step that uses much CPU time (a [`Bench`](super::Bench), a battery, a server) and
//! keeps it until its thread ends. [`alone`] waits until no share is held, and blocks new ones. Threads that a test
//! starts must call neither, because the test already holds what they need; [`at_once`] starts threads that may. This only works within one process: a runner
//! with a process per test (nextest) must limit the number of parallel tests itself.

use std::cell::RefCell;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static MACHINE: RwLock<()> = RwLock::new(());

/// What this thread's test holds of the machine.
enum Held {
    Nothing,
    Share(#[expect(dead_code, reason = "held, not read")] RwLockReadGuard<'static, ()>),
    All,
    /// The test that started this thread holds what it needs.
    Lent,
}

thread_local! {
    static HELD: RefCell<Held> = const { RefCell::new(Held::Nothing) };
}

/// Takes a share of the machine until this test ends, unless the test already holds a share or the whole machine.
pub fn share() {
    HELD.with_borrow_mut(|held| {
        if matches!(held, Held::Nothing) {
            *held = Held::Share(MACHINE.read().unwrap_or_else(PoisonError::into_inner));
        }
    });
}

/// Exclusive use of the machine until this is dropped.
pub struct Alone(#[expect(dead_code, reason = "held, not read")] RwLockWriteGuard<'static, ()>);

/// Waits until no other test runs. For a test whose measurements others would disturb, or that disturbs others.
#[must_use = "dropping this ends the exclusive use"]
pub fn alone() -> Alone {
    HELD.set(Held::Nothing);
    let machine = MACHINE.write().unwrap_or_else(PoisonError::into_inner);
    HELD.set(Held::All);
    Alone(machine)
}

impl Drop for Alone {
    fn drop(&mut self) {
        HELD.set(Held::Nothing);
    }
}

/// The threads of [`at_once`].
const THREADS: usize = 4;

/// Does `work` for all items, a few at the same time. For work that waits more than it computes.
pub fn at_once<T: Sync>(items: &[T], work: impl Fn(&T) + Sync) {
    share();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..THREADS.min(items.len()) {
            scope.spawn(|| {
                HELD.set(Held::Lent);
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(item);
                }
            });
        }
    });
}

/// Runs a test that measures its own process, such as its memory, in a new process. `test` is its path within this
/// binary. Returns true in the new process, where the test continues, and false in the old one.
pub fn is_own_process(test: &str) -> bool {
    const NAME: &str = "TCPROVE_TEST_OWN_PROCESS";
    if std::env::var_os(NAME).is_some_and(|name| name == test) {
        return true;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(NAME, test)
        .output()
        .unwrap();
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|stream| String::from_utf8_lossy(&stream).into_owned());
    assert!(output.status.success(), "{stdout}{stderr}");
    assert!(stdout.contains("1 passed"), "{test} did not run: {stdout}");
    false
}
