//! How long threads have waited for a CPU: the second field of `/proc/PID/task/TID/schedstat`
//! (Documentation/scheduler/sched-stats.rst).

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// The threads of these processes, with the time that each has waited for a CPU so far. A thread of which nothing is known is left
/// out.
pub(crate) fn cpu_waits(pids: &[u32]) -> BTreeMap<u32, Duration> {
    let folders = pids.iter().map(|pid| format!("/proc/{pid}/task"));
    let threads = folders.filter_map(|folder| fs::read_dir(folder).ok());
    let waits = threads.flatten().flatten().filter_map(|thread| {
        let number = thread.file_name().to_str()?.parse().ok()?;
        // A thread may end at any moment.
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        Some((number, run_delay_of(&text)?))
    });
    waits.collect()
}

/// The time in a `schedstat`.
pub(crate) fn run_delay_of(schedstat: &str) -> Option<Duration> {
    let field = schedstat.split_whitespace().nth(1)?;
    Some(Duration::from_nanos(field.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_field_is_read() {
        let delay = Some(Duration::from_nanos(2_500));
        assert_eq!(run_delay_of("100 2500 3\n"), delay);
        assert_eq!(run_delay_of(""), None);
    }

    #[test]
    fn this_process_has_threads_that_have_waited() {
        let mine = cpu_waits(&[std::process::id()]);
        assert!(!mine.is_empty());
        assert_eq!(cpu_waits(&[u32::MAX]).len(), 0);
    }
}
