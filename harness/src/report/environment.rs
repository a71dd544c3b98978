//! The machine that a run was made on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What may explain a figure or a verdict.
#[derive(Clone, Debug, JsonSchema, Serialize, Deserialize)]
pub(crate) struct Environment {
    /// Version of tcprove. A report of another version is not read.
    #[serde(skip_deserializing, default = "version")]
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

/// The version of this tcprove.
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

impl Environment {
    /// The machine in a few words.
    pub(crate) fn one_line(&self) -> String {
        format!("{}, {} cores, Linux {}", self.model, self.cpus, self.kernel)
    }
}
