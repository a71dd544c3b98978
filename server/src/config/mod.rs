//! The settings of the server, with their defaults.

pub(crate) mod fault;
pub(crate) mod hooks;
pub(crate) mod layer;
pub(crate) mod model;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use fault::Fault;
use hooks::Hooks;
use model::Model;

use crate::proxy::ProxyVersion;
use crate::service::Service;
use crate::tls::Tls;
use crate::{Delay, Protocol};

/// Where the tutorial's protocol prints: a writer that never blocks.
#[cfg(feature = "cli")]
pub type Print = tracing_appender::non_blocking::NonBlocking;
/// Where the tutorial's protocol prints: only the command line has an output for it.
#[cfg(not(feature = "cli"))]
pub type Print = Box<std::io::Sink>;

/// The settings of one server.
#[derive(Debug, Clone)]
pub struct Config {
    /// The address or host name to listen on.
    pub host: String,
    /// The port to listen on; 0 lets the kernel choose.
    pub port: u16,
    /// Whether an IPv6 listener accepts IPv4 clients too (`IPV6_V6ONLY` off).
    pub dual_stack: bool,
    /// The path of a Unix socket to listen on instead of `host` and `port`.
    pub unix: Option<PathBuf>,
    /// Maximum established connections that wait for `accept`.
    pub backlog: u32,
    /// `SO_REUSEADDR`: whether to bind a port that has connections in TIME_WAIT.
    pub reuse_addr: bool,
    /// The size of the receive buffer, in bytes: the maximum that one `recv` returns.
    pub recv_buffer: usize,
    /// `SO_RCVBUF` in bytes, set before `listen` so that it counts for the window scale.
    pub so_rcvbuf: Option<usize>,
    /// `SO_SNDBUF` in bytes, set before `listen`.
    pub so_sndbuf: Option<usize>,
    /// `SO_RCVBUF` in bytes, set on each connection after `accept`: common, but too late for the
    /// window scale.
    pub so_rcvbuf_after_accept: Option<usize>,
    /// `TCP_NODELAY`: whether small replies are sent without delay.
    pub nodelay: bool,
    /// Idle time after which the kernel sends keep-alive probes; `None` disables them.
    pub keepalive: Option<Duration>,
    /// Maximum size of a request in bytes, including its delimiter or header.
    pub max_message: usize,
    /// Maximum time without progress on a connection: a request begins or is answered, or the
    /// peer takes bytes of a reply.
    pub idle_timeout: Duration,
    /// TLS; `None` serves plain text.
    pub tls: Option<Tls>,
    /// Whether a connection begins in plain text, and TLS with the command `STARTTLS`, which only the
    /// protocol `line` has.
    pub starttls: bool,
    /// The versions of the PROXY protocol of which each connection must begin with a header.
    pub proxy: Option<ProxyVersion>,
    /// Maximum time from the beginning of a connection to the end of its PROXY header and its TLS
    /// handshake, and from the command `STARTTLS` to the end of the handshake.
    pub handshake_timeout: Duration,
    /// Maximum connections served at the same time. Further connections are refused.
    pub max_connections: usize,
    /// Maximum time that requests in flight get to finish after a shutdown begins.
    pub drain: Duration,
    /// Maximum time that the server keeps reading from a connection that it has ended, so that no
    /// reset overtakes the last reply.
    pub linger: Duration,
    /// Bytes of unsent replies at which the server stops reading from a connection.
    pub write_bound: usize,
    /// How often each connection gets a message that it has not asked for; `None`: never. Replies are then not delayed.
    pub push: Option<Duration>,
    /// The deliberate delay of replies.
    pub delay: Option<Delay>,
    /// The file that records how long each reply really took.
    ///
    /// Each reply appends one line of decimal nanoseconds with a single `write`: from the return
    /// of the read that completed the request to the return of the write that sent the last byte
    /// of the reply. A reply that was never fully sent has no line. A write may return only after
    /// its bytes have arrived, so a client can measure less than the log says, by as long as this
    /// server was waiting for a CPU.
    pub delay_log: Option<PathBuf>,
    /// The seed of the delays. The n-th connection has the same delays in every run, except in
    /// `prefork`, where the kernel decides which worker accepts a connection.
    pub delay_seed: u64,
    /// Wasted CPU time, in percent of the CPU time that the server uses otherwise. The time is
    /// spent in bursts, one per 32 reads. Makes the server slower by a known share.
    pub slower_percent: u32,
    /// The protocol.
    pub protocol: Protocol,
    /// The concurrency model.
    pub model: Model,
    /// Number of threads of `tokio-multi`, or of processes of `prefork`.
    pub workers: usize,
    /// The planted fault, if any.
    pub fault: Option<&'static Fault>,
    /// The program and the leading arguments with which `prefork` starts its workers. The program
    /// must accept the arguments of [`cli::ServeArgs`](crate::cli::ServeArgs).
    pub worker_exe: Option<(PathBuf, Vec<OsString>)>,
    /// The output for what the tutorial's protocol prints; `None` prints nothing. Lines are
    /// dropped when the queue is full, so that a stalled reader cannot block the server.
    pub print: Option<Print>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 0,
            dual_stack: false,
            unix: None,
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
            tls: None,
            starttls: false,
            proxy: None,
            handshake_timeout: Duration::from_secs(10),
            max_connections: 1_000,
            drain: Duration::from_secs(5),
            linger: Duration::from_secs(2),
            write_bound: 65_536,
            push: None,
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
    /// The default settings with a planted fault, in the protocol and model in which it shows.
    pub fn with_fault(fault: &'static Fault) -> Self {
        Self {
            protocol: fault.protocol,
            model: fault.model,
            fault: Some(fault),
            ..Self::default()
        }
    }

    /// The hooks of the planted fault; [`Hooks::NONE`] in a sound server.
    pub(crate) fn hooks(&self) -> Hooks {
        self.fault.map_or(Hooks::NONE, |fault| fault.hooks)
    }

    /// The service for one connection.
    pub(crate) fn service(&self) -> Box<dyn Service> {
        let with_starttls = self
            .starttls
            .then(|| self.protocol.service_with_starttls(self.max_message));
        with_starttls
            .flatten()
            .unwrap_or_else(|| self.protocol.service(self.max_message))
    }

    /// These settings after the planted fault has changed them.
    pub(crate) fn effective(mut self) -> Self {
        if let Some(configure) = self.hooks().configure {
            configure(&mut self);
        }
        self
    }
}
