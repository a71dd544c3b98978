//! Every setting of the server, with its default.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use tracing_appender::non_blocking::NonBlocking;

use crate::hooks::Hooks;
use crate::{Delay, Fault, Model, Protocol};

/// The settings of one server.
#[derive(Debug, Clone)]
pub struct Config {
    /// The address or name to listen on.
    pub host: String,
    /// The port to listen on; 0 lets the kernel choose.
    pub port: u16,
    /// Whether an IPv6 listener takes IPv4 clients as well (no `IPV6_V6ONLY`).
    pub dual_stack: bool,
    /// How many established connections may wait for `accept`.
    pub backlog: u32,
    /// Whether the port of a server that just ended can be taken at once (`SO_REUSEADDR`).
    pub reuse_addr: bool,
    /// The size of one `recv`, in bytes.
    pub recv_buffer: usize,
    /// `SO_RCVBUF` in bytes, set before `listen`, so that it takes part in the window scale.
    pub so_rcvbuf: Option<usize>,
    /// `SO_SNDBUF` in bytes, set before `listen`.
    pub so_sndbuf: Option<usize>,
    /// `SO_RCVBUF` in bytes, set on each connection once it is accepted: the common, late way.
    pub so_rcvbuf_after_accept: Option<usize>,
    /// Whether small replies leave at once (`TCP_NODELAY`).
    pub nodelay: bool,
    /// How long a connection is silent before the kernel asks whether the peer is still there.
    pub keepalive: Option<Duration>,
    /// The longest request in bytes, with its delimiter or header.
    pub max_message: usize,
    /// How long a connection may go without a request begun or ended, or a byte of reply taken.
    pub idle_timeout: Duration,
    /// How many connections are served at once; further ones are refused.
    pub max_connections: usize,
    /// How long requests in flight may take to finish once the server is told to stop.
    pub drain: Duration,
    /// How long a connection that the server ends is read on, so that no reset overtakes the
    /// last reply.
    pub linger: Duration,
    /// How many bytes of replies may wait for a peer before the server stops reading from it.
    pub write_bound: usize,
    /// How long replies are held back on purpose, if at all.
    pub delay: Option<Delay>,
    /// Where it is written how long each reply really took, if anywhere: a line of decimal
    /// nanoseconds, appended with one `write`, from the return of the read that completed the
    /// request to the return of the write that sent the last byte of the reply. A reply that was
    /// never sent whole has no line. A write may return only after its bytes have arrived, so a
    /// client can have its reply before the time in the log is over, by as long as this server was
    /// kept from the processor just then.
    pub delay_log: Option<PathBuf>,
    /// What the delays are drawn with. The n-th connection has the same delays in every run,
    /// except in `prefork`, where the kernel decides which worker gets a connection.
    pub delay_seed: u64,
    /// CPU time that is used for nothing, in percent of what is used otherwise: a server that is slower by a
    /// known share, in bursts of once in 32 reads.
    pub slower_percent: u32,
    /// The language spoken.
    pub protocol: Protocol,
    /// Which thread or process carries a connection.
    pub model: Model,
    /// Threads of `tokio-multi`, processes of `prefork`.
    pub workers: usize,
    /// The planted defect, if any.
    pub fault: Option<&'static Fault>,
    /// The program and the leading arguments by which `prefork` starts its workers. It must
    /// take the arguments of [`cli::ServeArgs`](crate::cli::ServeArgs).
    pub worker_exe: Option<(PathBuf, Vec<OsString>)>,
    /// Where the tutorial's prints go. Bounded and lossy, so that a reader who stopped cannot
    /// stop the server; `None` prints nothing.
    pub print: Option<NonBlocking>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 0,
            dual_stack: false,
            backlog: 128,
            reuse_addr: true,
            recv_buffer: 1024,
            so_rcvbuf: None,
            so_sndbuf: None,
            so_rcvbuf_after_accept: None,
            nodelay: true,
            keepalive: Some(Duration::from_secs(60)),
            max_message: 65_536,
            idle_timeout: Duration::from_secs(30),
            max_connections: 1_000,
            drain: Duration::from_secs(5),
            linger: Duration::from_secs(2),
            write_bound: 65_536,
            delay: None,
            delay_log: None,
            delay_seed: 0,
            slower_percent: 0,
            protocol: Protocol::default(),
            model: Model::default(),
            workers: 2,
            fault: None,
            worker_exe: None,
            print: None,
        }
    }
}

impl Config {
    /// The default settings with a planted defect, in the protocol and model that show it.
    pub fn with_fault(fault: &'static Fault) -> Self {
        Self {
            protocol: fault.protocol,
            model: fault.model,
            fault: Some(fault),
            ..Self::default()
        }
    }

    /// Where the planted fault acts; nowhere in a sound server.
    pub(crate) fn hooks(&self) -> Hooks {
        self.fault.map_or(Hooks::NONE, |fault| fault.hooks)
    }

    /// These settings with those that the planted fault gets wrong.
    pub(crate) fn effective(mut self) -> Self {
        if let Some(configure) = self.hooks().configure {
            configure(&mut self);
        }
        self
    }
}
