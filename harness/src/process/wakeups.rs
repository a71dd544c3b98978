//! How often threads go to sleep and wake up again.

use std::collections::BTreeMap;
use std::fs;

/// The threads of a server's processes, by the number of the thread.
pub(crate) type Wakeups = BTreeMap<u32, Wakeup>;

/// One thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wakeup {
    /// Its name. The server can choose it.
    pub(crate) name: String,
    /// Number of its voluntary context switches: how often it has waited for something. Unlike the involuntary ones, they
    /// do not depend on what else runs on the machine.
    pub(crate) count: u64,
}

/// The threads of these processes, with how often each has waited so far.
pub(crate) fn wakeups(pids: &[u32]) -> Wakeups {
    let mut wakeups = Wakeups::new();
    for pid in pids {
        collect(*pid, &mut wakeups);
    }
    wakeups
}

/// The threads that are there now, each with how often it has waited since `before`: a new one with all.
pub(crate) fn since<'a>(
    before: &'a Wakeups,
    now: &'a Wakeups,
) -> impl Iterator<Item = (&'a Wakeup, u64)> {
    now.iter().map(|(thread, now)| {
        let earlier = before.get(thread).map_or(0, |earlier| earlier.count);
        (now, now.count.saturating_sub(earlier))
    })
}

fn collect(pid: u32, wakeups: &mut Wakeups) {
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    for thread in threads.into_iter().flatten().flatten() {
        let number = thread
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        // A thread may end at any moment.
        let status = fs::read(thread.path().join("status")).unwrap_or_default();
        let status = String::from_utf8_lossy(&status);
        if let (Some(number), Some(wakeup)) = (number, parse(&status)) {
            wakeups.insert(number, wakeup);
        }
    }
}

/// Reads a `/proc/PID/status`.
fn parse(status: &str) -> Option<Wakeup> {
    let field = |name: &str| {
        let mut lines = status.lines();
        lines.find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
    };
    Some(Wakeup {
        name: field("Name")?.to_owned(),
        count: field("voluntary_ctxt_switches")?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    #[test]
    fn only_voluntary_switches_count() {
        let status =
            "Name:\ta b\nState:\tS\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t9\n";
        let expected = Wakeup {
            name: "a b".into(),
            count: 7,
        };
        assert_eq!(parse(status), Some(expected));
        assert_eq!(parse("Name:\tx\n"), None);
    }

    #[test]
    fn sees_a_thread_that_waits() {
        let seen = |name: &str| {
            let all = wakeups(&[std::process::id()]);
            let mut of_name = all.into_values().filter(|thread| thread.name == name);
            of_name.next().map_or(0, |thread| thread.count)
        };
        let barrier = Barrier::new(2);
        thread::scope(|scope| {
            let sleeper = || {
                barrier.wait();
                barrier.wait();
                for _ in 0..20 {
                    thread::sleep(std::time::Duration::from_millis(1));
                }
                barrier.wait();
                barrier.wait();
            };
            thread::Builder::new()
                .name("wakes-often".into())
                .spawn_scoped(scope, sleeper)
                .unwrap();
            barrier.wait();
            let before = seen("wakes-often");
            barrier.wait();
            barrier.wait();
            let after = seen("wakes-often");
            // The thread ends before this one may panic, or the scope would wait for it for ever.
            barrier.wait();
            assert!(after >= before + 15, "{before} {after}");
        });
    }
}
