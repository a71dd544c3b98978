//! The machine that a run was made on.

use serde::Serialize;

/// What may explain a figure or a verdict.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Environment {
    /// Version of tcprove.
    pub tcprove: &'static str,
    /// Kernel release.
    pub kernel: String,
    /// Processors that this process may use.
    pub cpus: usize,
    /// Model of the first processor.
    pub model: String,
    /// Soft limit of open descriptors of this process.
    pub nofile: u64,
    /// Share of time that a hypervisor took away since boot, in percent.
    pub steal: Option<f64>,
    /// Times the cgroup was throttled so far.
    pub throttled: Option<u64>,
}

impl Environment {
    /// The machine in a few words.
    pub(crate) fn one_line(&self) -> String {
        format!("{}, {} cores, Linux {}", self.model, self.cpus, self.kernel)
    }
}
