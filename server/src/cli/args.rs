//! The arguments, and the settings they make.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args};
use tracing::level_filters::LevelFilter;

use super::Program;
use super::log::LogFormat;
use super::values::{OrOff, duration, duration_or_off, known_fault};
use crate::{Config, Delay, Fault, Model, Protocol, ServerError};

/// The settings of the reference server.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// tutorial, echo, line or frame [default: line, or the fault's own]
    #[arg(long)]
    pub(super) protocol: Option<Protocol>,
    /// sequential, threads, prefork, tokio-current or tokio-multi [default: tokio-multi, or the
    /// fault's own]
    #[arg(long)]
    pub(super) model: Option<Model>,
    /// The address or name to listen on [default: 127.0.0.1, or :: with --dual-stack]
    #[arg(long)]
    pub(super) host: Option<String>,
    /// The port; 0 lets the kernel choose one, which is printed
    #[arg(long, default_value_t = 0)]
    pub(super) port: u16,
    /// Take IPv4 clients on an IPv6 address as well
    #[arg(long)]
    pub(super) dual_stack: bool,
    /// Connections that may wait for accept
    #[arg(long, default_value_t = 128, value_name = "N")]
    pub(super) backlog: u32,
    /// SO_REUSEADDR: take the port of a server that just ended
    #[arg(long, action = ArgAction::Set, default_value_t = true, value_name = "BOOL")]
    pub(super) reuse_addr: bool,
    /// The size of one recv
    #[arg(long, default_value_t = 1024, value_name = "BYTES")]
    pub(super) recv_buffer: usize,
    /// SO_RCVBUF, set before listen; 0 leaves it to the kernel
    #[arg(long, value_name = "BYTES")]
    pub(super) so_rcvbuf: Option<usize>,
    /// SO_SNDBUF, set before listen; 0 leaves it to the kernel
    #[arg(long, value_name = "BYTES")]
    pub(super) so_sndbuf: Option<usize>,
    /// SO_RCVBUF, set on each connection after accept; 0 leaves it to the kernel
    #[arg(long, value_name = "BYTES")]
    pub(super) so_rcvbuf_after_accept: Option<usize>,
    /// TCP_NODELAY: small replies leave at once
    #[arg(long, action = ArgAction::Set, default_value_t = true, value_name = "BOOL")]
    pub(super) nodelay: bool,
    /// Silence after which the kernel asks whether the peer is there, or `off`
    #[arg(long, default_value = "60s", value_name = "TIME", value_parser = duration_or_off)]
    pub(super) keepalive: OrOff,
    /// The longest request, with its delimiter or header
    #[arg(long, default_value_t = 65_536, value_name = "BYTES")]
    pub(super) max_message: usize,
    /// How long a connection may go without a request begun or ended, or a reply taken
    #[arg(long, default_value = "30s", value_name = "TIME", value_parser = duration)]
    pub(super) idle_timeout: Duration,
    /// Connections served at once; further ones are refused
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    pub(super) max_connections: usize,
    /// How long requests in flight may take to finish after a stop signal
    #[arg(long, default_value = "5s", value_name = "TIME", value_parser = duration)]
    pub(super) drain: Duration,
    /// How long a connection that the server ends is read on
    #[arg(long, default_value = "2s", value_name = "TIME", value_parser = duration)]
    pub(super) linger: Duration,
    /// Replies that may wait for a peer before it is read from no more
    #[arg(long, default_value_t = 65_536, value_name = "BYTES")]
    pub(super) write_bound: usize,
    /// Hold each reply back: fixed:TIME, two-point:USUAL,RARE,SHARE or exp:MEAN, such as fixed:5ms
    /// or two-point:1ms,50ms,0.01. Requests that arrive in one recv are answered together
    #[arg(long, value_name = "DELAY")]
    pub(super) delay: Option<Delay>,
    /// Append to FILE how many nanoseconds each reply really took, one number a line: from the
    /// recv that completed the request to the send of the last byte of the reply
    #[arg(long, value_name = "FILE")]
    pub(super) delay_log: Option<PathBuf>,
    /// What the delays are drawn with
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(super) delay_seed: u64,
    /// Use so much more CPU time than is needed, in percent of it: a known loss of speed
    #[arg(long, default_value_t = 0, value_name = "PERCENT")]
    pub(super) slower: u32,
    /// Threads of tokio-multi, processes of prefork
    #[arg(long, default_value_t = 2, value_name = "N")]
    pub(super) workers: usize,
    /// Plant a defect (see --list-faults)
    #[arg(long, value_name = "NAME", value_parser = known_fault)]
    pub(super) fault: Option<&'static Fault>,
    /// Print the defects that can be planted, with the check that must catch each, and exit
    #[arg(long)]
    pub(super) list_faults: bool,
    /// What is logged on stderr: off, error, warn, info, debug or trace
    #[arg(long, default_value_t = LevelFilter::WARN, value_name = "LEVEL")]
    pub(super) log: LevelFilter,
    /// How log lines look
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(super) log_format: LogFormat,
    /// In a worker of prefork: the listener it was started with
    #[arg(long, hide = true)]
    pub(super) inherited_fd: Option<i32>,
}

impl ServeArgs {
    /// The settings; `program` is how a worker of prefork is started.
    ///
    /// # Errors
    /// When a setting makes no sense.
    pub fn config(self, program: Program) -> Result<Config, ServerError> {
        for (name, value) in [
            ("--recv-buffer", self.recv_buffer),
            ("--max-message", self.max_message),
        ] {
            if value == 0 {
                return Err(ServerError::Setting(format!("{name} must be at least 1")));
            }
        }
        let base = self.fault.map_or_else(Config::default, Config::with_fault);
        let host = if self.dual_stack {
            "::".to_owned()
        } else {
            base.host
        };
        Ok(Config {
            host: self.host.clone().unwrap_or(host),
            port: self.port,
            dual_stack: self.dual_stack,
            backlog: self.backlog,
            reuse_addr: self.reuse_addr,
            recv_buffer: self.recv_buffer,
            so_rcvbuf: self.so_rcvbuf.filter(|bytes| *bytes > 0),
            so_sndbuf: self.so_sndbuf.filter(|bytes| *bytes > 0),
            so_rcvbuf_after_accept: self.so_rcvbuf_after_accept.filter(|bytes| *bytes > 0),
            nodelay: self.nodelay,
            keepalive: self.keepalive.0,
            max_message: self.max_message,
            idle_timeout: self.idle_timeout,
            max_connections: self.max_connections,
            drain: self.drain,
            linger: self.linger,
            write_bound: self.write_bound,
            delay: self.delay,
            delay_log: self.delay_log.clone(),
            delay_seed: self.delay_seed,
            slower_percent: self.slower,
            protocol: self.protocol.unwrap_or(base.protocol),
            model: self.model.unwrap_or(base.model),
            workers: self.workers,
            fault: self.fault,
            worker_exe: Some(self.worker_program(program)),
            print: None,
        })
    }

    /// A worker logs like its parent.
    fn worker_program(&self, (path, mut leading): Program) -> Program {
        let log = [
            format!("--log={}", self.log),
            format!("--log-format={}", self.log_format),
        ];
        leading.extend(log.map(OsString::from));
        (path, leading)
    }
}
