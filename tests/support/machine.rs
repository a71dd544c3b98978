//! Who has the machine: most tests share it and run in parallel, some need it for themselves.
//!
//! A test takes a share with its first step that costs processor time (a [`Bench`](super::Bench), a battery, a
//! server) and keeps it until its thread ends. [`alone`] waits until no share is held, and holds back new ones.
//! Threads that a test starts itself must take neither: their test holds what they need. This works within one
//! process: a runner that gives each test a process of its own (nextest) has to be told how many run at a time.

use std::cell::RefCell;
use std::process::Command;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static MACHINE: RwLock<()> = RwLock::new(());

/// What the test of this thread holds of the machine.
enum Held {
    Nothing,
    Share(#[expect(dead_code, reason = "held, not read")] RwLockReadGuard<'static, ()>),
    All,
}

thread_local! {
    static HELD: RefCell<Held> = const { RefCell::new(Held::Nothing) };
}

/// Takes a share of the machine for the rest of this test, unless it has one or all of it.
pub fn share() {
    HELD.with_borrow_mut(|held| {
        if matches!(held, Held::Nothing) {
            *held = Held::Share(MACHINE.read().unwrap_or_else(PoisonError::into_inner));
        }
    });
}

/// The whole machine, until this is dropped.
pub struct Alone(#[expect(dead_code, reason = "held, not read")] RwLockWriteGuard<'static, ()>);

/// Waits until no other test runs, for a test whose figures another test would disturb, or that disturbs others.
#[must_use = "the machine is given back when this is dropped"]
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

/// Runs a test that looks at its own process (its memory) as the only test of a new one. `test` is its path
/// within this binary; true in the new process, where the test goes on.
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
