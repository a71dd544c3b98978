//! The command-line arguments and their conversion into settings.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args};
use tracing::level_filters::LevelFilter;

use super::Program;
use super::log::LogFormat;
use super::values::{OptionalDuration, duration, duration_or_off, fault_by_name};
use crate::{Config, Delay, Fault, Model, Protocol, ProxyVersion, ServerError, Tls, TlsFiles};

/// The arguments of the reference server.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// Speak this protocol: tutorial, echo, line or frame [default: line, or the fault's]
    #[arg(long)]
    pub(super) protocol: Option<Protocol>,
    /// Use this concurrency model: sequential, threads, prefork, tokio-current or tokio-multi
    /// [default: tokio-multi, or the fault's]
    #[arg(long)]
    pub(super) model: Option<Model>,
    /// Listen on this address or host name [default: 127.0.0.1, or :: with --dual-stack]
    #[arg(long)]
    pub(super) host: Option<String>,
    /// Listen on this port; with 0 the kernel chooses a free one
    #[arg(long, default_value_t = 0)]
    pub(super) port: u16,
    /// Listen on this Unix socket instead of a host and a port. A socket that an earlier server has
    /// left there is replaced
    #[arg(long, value_name = "PATH")]
    pub(super) unix: Option<PathBuf>,
    /// Accept IPv4 clients on an IPv6 address too
    #[arg(long, num_args = 0..=1, default_missing_value = "true", default_value_t = false,
          action = ArgAction::Set, value_name = "BOOL")]
    pub(super) dual_stack: bool,
    /// Let at most N connections wait for accept
    #[arg(long, default_value_t = 128, value_name = "N")]
    pub(super) backlog: u32,
    /// Set SO_REUSEADDR: bind a port that has connections in TIME_WAIT
    #[arg(long, action = ArgAction::Set, default_value_t = true, value_name = "BOOL")]
    pub(super) reuse_addr: bool,
    /// Receive at most this many bytes with one recv
    #[arg(long, default_value_t = 1024, value_name = "BYTES")]
    pub(super) recv_buffer: usize,
    /// Set SO_RCVBUF before listen; 0 keeps the kernel's default
    #[arg(long, value_name = "BYTES")]
    pub(super) so_rcvbuf: Option<usize>,
    /// Set SO_SNDBUF before listen; 0 keeps the kernel's default
    #[arg(long, value_name = "BYTES")]
    pub(super) so_sndbuf: Option<usize>,
    /// Set SO_RCVBUF on each connection after accept; 0 keeps the kernel's default
    #[arg(long, value_name = "BYTES")]
    pub(super) so_rcvbuf_after_accept: Option<usize>,
    /// Set TCP_NODELAY: send small replies without delay
    #[arg(long, action = ArgAction::Set, default_value_t = true, value_name = "BOOL")]
    pub(super) nodelay: bool,
    /// Send keep-alive probes after a connection has been idle for this long, or `off`
    #[arg(long, default_value = "60s", value_name = "TIME", value_parser = duration_or_off)]
    pub(super) keepalive: OptionalDuration,
    /// Accept requests of at most this size, including the delimiter or header
    #[arg(long, default_value_t = 65_536, value_name = "BYTES")]
    pub(super) max_message: usize,
    /// Close a connection after this long without progress: no request begun or answered, no byte
    /// of a reply taken
    #[arg(long, default_value = "30s", value_name = "TIME", value_parser = duration)]
    pub(super) idle_timeout: Duration,
    /// Speak TLS 1.2 and 1.3, with the certificate chain in this PEM file
    #[arg(long, value_name = "FILE")]
    pub(super) tls_cert: Option<PathBuf>,
    /// The private key of --tls-cert, in PEM
    #[arg(long, value_name = "FILE")]
    pub(super) tls_key: Option<PathBuf>,
    /// Require a client certificate signed by a certificate of this PEM file
    #[arg(long, value_name = "FILE")]
    pub(super) tls_client_ca: Option<PathBuf>,
    /// Offer this protocol with ALPN, and refuse clients that offer only others; may be repeated
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(super) tls_alpn: Vec<String>,
    /// Begin in plain text, and TLS when a client sends the line STARTTLS (protocol line)
    #[arg(long, num_args = 0..=1, default_missing_value = "true", default_value_t = false,
          action = ArgAction::Set, value_name = "BOOL")]
    pub(super) starttls: bool,
    /// Require a header of the PROXY protocol at the beginning of each connection: v1, v2 or any
    #[arg(long, value_name = "VERSION")]
    pub(super) proxy: Option<ProxyVersion>,
    /// Close a connection whose PROXY header or TLS handshake takes longer than this
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = duration)]
    pub(super) handshake_timeout: Duration,
    /// Serve at most N connections at the same time and refuse further ones. In prefork each worker has an equal share
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    pub(super) max_connections: usize,
    /// After a stop signal, give requests in flight this long to finish
    #[arg(long, default_value = "5s", value_name = "TIME", value_parser = duration)]
    pub(super) drain: Duration,
    /// Keep reading this long from a connection that the server ends, so that no reset destroys the
    /// last reply
    #[arg(long, default_value = "2s", value_name = "TIME", value_parser = duration)]
    pub(super) linger: Duration,
    /// Stop reading from a client once this many bytes of its replies are unsent
    #[arg(long, default_value_t = 65_536, value_name = "BYTES")]
    pub(super) write_bound: usize,
    /// Send each client a line of 8 KiB, PUSH and dots, this often without a request (only the protocol line, without
    /// --delay)
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) push: Option<Duration>,
    /// Delay each reply: fixed:TIME, two-point:USUAL,RARE,SHARE or exp:MEAN, such as fixed:5ms or
    /// two-point:1ms,50ms,0.01. Requests that arrive in one recv share one delay
    #[arg(long, value_name = "DELAY")]
    pub(super) delay: Option<Delay>,
    /// Append to FILE how many nanoseconds each reply really took, one number per line: from the
    /// recv that completed the request to the send of the last byte of the reply
    #[arg(long, value_name = "FILE")]
    pub(super) delay_log: Option<PathBuf>,
    /// Seed the random delays with N
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(super) delay_seed: u64,
    /// Waste CPU time: this many percent of what the server uses otherwise
    #[arg(long, default_value_t = 0, value_name = "PERCENT")]
    pub(super) slower: u32,
    /// Start N threads (tokio-multi) or N processes (prefork)
    #[arg(long, default_value_t = 2, value_name = "N")]
    pub(super) workers: usize,
    /// Plant a fault (see --list-faults)
    #[arg(long, value_name = "NAME", value_parser = fault_by_name)]
    pub(super) fault: Option<&'static Fault>,
    /// List the faults that can be planted and the check that must catch each, then exit
    #[arg(long)]
    pub(super) list_faults: bool,
    /// Log to stderr from this level on: off, error, warn, info, debug or trace
    #[arg(long, default_value_t = LevelFilter::WARN, value_name = "LEVEL")]
    pub(super) log: LevelFilter,
    /// Write log lines in this format
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(super) log_format: LogFormat,
    /// The descriptor of the listener that a worker of prefork inherits
    #[arg(long, hide = true)]
    pub(super) inherited_fd: Option<i32>,
}

impl ServeArgs {
    /// Converts the arguments into settings. Workers of prefork are started with `program`.
    ///
    /// # Errors
    /// A value is invalid.
    pub(super) fn config(self, program: Program) -> Result<Config, ServerError> {
        for (name, value) in [
            ("--recv-buffer", self.recv_buffer),
            ("--max-message", self.max_message),
        ] {
            if value == 0 {
                return Err(ServerError::Setting(format!("{name} must be at least 1")));
            }
        }
        let tls = self.tls()?;
        let config = self.settings(tls, program);
        if config.starttls && config.protocol != Protocol::Line {
            return Err(ServerError::Setting(format!(
                "--starttls needs --protocol line: {} has no such command",
                config.protocol
            )));
        }
        if config.push.is_some() && (config.protocol != Protocol::Line || config.delay.is_some()) {
            return Err(ServerError::Setting(
                "--push needs --protocol line, and excludes --delay".to_owned(),
            ));
        }
        match config.fault.and_then(Fault::layer) {
            Some(layer) if !layer.is_in(&config) => Err(ServerError::Setting(format!(
                "the fault shows only with {layer}"
            ))),
            _ => Ok(config),
        }
    }

    fn settings(self, tls: Option<Tls>, program: Program) -> Config {
        let base = self.fault.map_or_else(Config::default, Config::with_fault);
        let host = if self.dual_stack {
            "::".to_owned()
        } else {
            base.host
        };
        Config {
            host: self.host.clone().unwrap_or(host),
            port: self.port,
            dual_stack: self.dual_stack,
            unix: self.unix.clone(),
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
            tls,
            starttls: self.starttls,
            proxy: self.proxy,
            handshake_timeout: self.handshake_timeout,
            max_connections: self.max_connections,
            drain: self.drain,
            linger: self.linger,
            write_bound: self.write_bound,
            push: self.push,
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
        }
    }

    /// Reads the files of TLS.
    fn tls(&self) -> Result<Option<Tls>, ServerError> {
        let wrong = |message: &str| Err(ServerError::Setting(message.to_owned()));
        match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => Tls::load(TlsFiles {
                cert: cert.clone(),
                key: key.clone(),
                client_ca: self.tls_client_ca.clone(),
                alpn: self.tls_alpn.clone(),
            })
            .map(Some),
            (Some(_), None) => wrong("--tls-cert needs the key of the certificate: add --tls-key"),
            (None, Some(_)) => wrong("--tls-key needs the certificate: add --tls-cert"),
            (None, None) if self.starttls => wrong("--starttls needs --tls-cert and --tls-key"),
            (None, None) if self.tls_client_ca.is_some() || !self.tls_alpn.is_empty() => {
                wrong("--tls-client-ca and --tls-alpn need --tls-cert and --tls-key")
            }
            (None, None) => Ok(None),
        }
    }

    /// The program of a worker, with arguments that make it log like its parent.
    fn worker_program(&self, (path, mut leading): Program) -> Program {
        let log = [
            format!("--log={}", self.log),
            format!("--log-format={}", self.log_format),
        ];
        leading.extend(log.map(OsString::from));
        (path, leading)
    }
}
