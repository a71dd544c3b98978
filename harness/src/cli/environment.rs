//! Reads the environment of a run from the kernel.

use crate::report::Environment;

/// Reads what the kernel reports. Values that it does not report are empty.
pub(super) fn read() -> Environment {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    Environment {
        tcprove: env!("CARGO_PKG_VERSION"),
        kernel: read("/proc/sys/kernel/osrelease").trim().into(),
        cpus: std::thread::available_parallelism().map_or(1, usize::from),
        model: field(&read("/proc/cpuinfo"), "model name")
            .unwrap_or_else(|| std::env::consts::ARCH.into()),
        nofile: rustix::process::getrlimit(rustix::process::Resource::Nofile)
            .current
            .unwrap_or(u64::MAX),
        steal: steal(&read("/proc/stat")),
        throttled: throttled(&read("/sys/fs/cgroup/cpu.stat")),
    }
}

/// The value of the first line `name : value`.
fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Stolen time in percent of all ticks: the eighth value of the `cpu` line (proc(5)).
fn steal(stat: &str) -> Option<f64> {
    let line = stat.lines().find(|line| line.starts_with("cpu "))?;
    let ticks: Vec<f64> = line
        .split_whitespace()
        .skip(1)
        .filter_map(|tick| tick.parse().ok())
        .collect();
    let all: f64 = ticks.iter().take(8).sum();
    (all > 0.0).then(|| (ticks.get(7).copied().unwrap_or(0.0) / all * 1e4).round() / 100.0)
}

fn throttled(stat: &str) -> Option<u64> {
    let line = stat.lines().find(|line| line.starts_with("nr_throttled"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stolen_time_is_a_share_of_all_time() {
        assert_eq!(steal("cpu  50 0 25 15 0 0 0 10 0 0\n"), Some(10.0));
        assert_eq!(steal(""), None);
    }

    #[test]
    fn throttling_is_read_from_the_cgroup() {
        assert_eq!(throttled("usage_usec 1\nnr_throttled 7\n"), Some(7));
    }
}
