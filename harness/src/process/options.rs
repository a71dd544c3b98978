//! Options of one start of a server.

use std::sync::Arc;
use std::time::Duration;

use super::{CallSet, Port, Surroundings, Tmp, Trace};

/// Options of one start.
#[derive(Debug, Clone)]
pub struct StartOptions {
    /// A leased port to use, for restarts and second instances; default: lease a new one.
    pub port: Option<Port>,
    /// The further ports and the helpers of another start, for restarts and second instances; default: new ones.
    pub surroundings: Option<Surroundings>,
    /// Replace `{port}` by 0, so that the server chooses a port. It is ready when it listens on any port.
    pub port0: bool,
    /// The `{tmp}` folder of another start, to reuse its files; default: a new, empty folder.
    pub tmp: Option<Tmp>,
    /// Descriptor limits (soft, hard); default: the limits that tcprove itself was started with.
    pub nofile: Option<(u64, u64)>,
    /// The CPUs it may use; default: those of tcprove.
    pub cpus: Option<Vec<usize>>,
    /// Place its stack, heap and libraries at the same addresses in every start, if the system allows it
    /// (`sys::fix_addresses`); default: do not change the layout.
    pub fixed_addresses: bool,
    /// Install a filter that names these system calls, so that their results can be replaced (see `injector`); default: no
    /// filter. Where the kernel refuses it, the server starts without.
    pub inject: Option<CallSet>,
    /// Whether tcprove reads the server's stdout.
    pub stdout: StdoutMode,
    /// Time limit for this start; default: [`Launch::ready_timeout`](super::Launch::ready_timeout).
    pub give_up: Option<Duration>,
    /// Report what it reaches, by breakpoints; default: do not trace it.
    pub trace: Option<Arc<Trace>>,
    /// Environment variables for this start, which replace those of the launch. Values may contain the same placeholders.
    pub env: Vec<(String, String)>,
    /// Wait until the server is ready; if `false`, only until its program runs.
    pub await_ready: bool,
}

impl Default for StartOptions {
    fn default() -> Self {
        StartOptions {
            port: None,
            surroundings: None,
            port0: false,
            tmp: None,
            nofile: None,
            cpus: None,
            fixed_addresses: false,
            inject: None,
            stdout: StdoutMode::Drain,
            give_up: None,
            trace: None,
            env: Vec::new(),
            await_ready: true,
        }
    }
}

/// Whether tcprove reads a server's stdout. It always reads stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StdoutMode {
    /// Read and count everything; keep the last 64 KiB.
    #[default]
    Drain,
    /// Stop reading once the server is ready, so that the pipe fills up.
    Undrained,
}
