//! `tcprove record`: a proxy between a real client and its server; the client's sessions become cases.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::interrupt;
use super::output::{note, say};
use super::target::{self, usage};
use crate::fuzz::case::BYTES_MAX;
use crate::fuzz::record::{Recorder, SessionOutcome};
use crate::report::{ExitCode as Code, RunError};
use crate::subject::{Interrupt, block_on};
use crate::text::escape_text;

/// Arguments of `record`.
#[derive(clap::Args)]
pub(super) struct RecordArgs {
    /// Where clients connect to; port 0 takes any that is free
    #[arg(long, value_name = "HOST:PORT")]
    listen: String,
    /// The server that they mean
    #[arg(long, value_name = "HOST:PORT")]
    upstream: String,
    /// The folder for the cases, as `tcprove fuzz --corpus` takes it
    #[arg(long, value_name = "DIR", default_value = "tcprove-corpus")]
    out: PathBuf,
    /// End after this [default: at Ctrl-C]
    #[arg(long, value_name = "TIME", value_parser = target::duration)]
    duration: Option<Duration>,
    /// Sessions at a time; more clients have to wait
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=4096))]
    connections: u16,
    /// Bytes of one session that are kept; a longer one is cut off there
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = target::size)]
    session_bytes: usize,
    /// Allow addresses that are not of this machine's loopback
    #[arg(long)]
    allow_remote: bool,
}

pub(super) fn main(args: &RecordArgs) -> ExitCode {
    match perform(args) {
        Ok(code) => code,
        Err(error) => {
            note(&format!("error: {}", error.message));
            error.exit_code().into()
        }
    }
}

fn perform(args: &RecordArgs) -> Result<ExitCode, RunError> {
    let listen = args.address("--listen", &args.listen)?;
    let recorder = Recorder {
        upstream: args.address("--upstream", &args.upstream)?,
        folder: args.out.clone(),
        connections_max: usize::from(args.connections),
        session_bytes_max: args.session_bytes.min(BYTES_MAX),
    };
    std::fs::create_dir_all(&args.out).map_err(|error| {
        usage(format!(
            "--out {} cannot be made: {error}",
            args.out.display()
        ))
    })?;
    // Two descriptors a session; where there are fewer, clients wait.
    let _ = crate::sys::raise_nofile_limit();
    let interrupt = interrupt::watch()?;
    block_on(serve(args, listen, &recorder, &interrupt))
}

async fn serve(
    args: &RecordArgs,
    listen: SocketAddr,
    recorder: &Recorder,
    interrupt: &Interrupt,
) -> Result<ExitCode, RunError> {
    let cannot = |error| {
        usage(format!(
            "--listen {listen}: nobody can listen there: {error}"
        ))
    };
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .map_err(cannot)?;
    let addr = listener.local_addr().map_err(cannot)?;
    say(&format!("listening on {addr}"));
    let stop = async {
        match args.duration {
            Some(limit) => drop(tokio::time::timeout(limit, interrupt.wait()).await),
            None => interrupt.wait().await,
        }
    };
    let (mut stored, mut lost) = (0_u64, 0_u64);
    let tell = |number, ended: SessionOutcome| {
        match &ended {
            SessionOutcome::Stored { known: false, .. } => stored += 1,
            SessionOutcome::NotStored(_) => lost += 1,
            SessionOutcome::Stored { .. }
            | SessionOutcome::Nothing
            | SessionOutcome::NoUpstream(_) => {}
        }
        note(&format!(
            "session {number}: {}",
            told(&ended, recorder.upstream)
        ));
    };
    recorder.run(listener, stop, tell).await;
    note(&format!("new cases in {}: {stored}", shown(&args.out)));
    Ok(match lost {
        0 => ExitCode::SUCCESS,
        // As for reports: what was asked for and could not be written is an error of its own.
        _ => ExitCode::from(Code::Usage as u8),
    })
}

/// A line for one session. What was sent is not shown: it may hold passwords.
fn told(ended: &SessionOutcome, upstream: SocketAddr) -> String {
    match ended {
        SessionOutcome::Stored {
            path,
            known,
            steps,
            bytes,
            cut_off,
        } => {
            let how = if *known { "as before" } else { "stored" };
            let cut = if *cut_off { ", cut off there" } else { "" };
            format!("{how}: {} ({steps} steps, {bytes} bytes{cut})", shown(path))
        }
        SessionOutcome::Nothing => "the client sent nothing".into(),
        SessionOutcome::NoUpstream(error) => {
            format!("closed, since {upstream} cannot be reached: {error}")
        }
        SessionOutcome::NotStored(error) => format!("it cannot be written: {error}"),
    }
}

fn shown(path: &std::path::Path) -> String {
    escape_text(&path.display().to_string(), 400)
}

impl RecordArgs {
    fn address(&self, flag: &str, text: &str) -> Result<SocketAddr, RunError> {
        let form = "write HOST:PORT, as in 127.0.0.1:6379 or [::1]:6379";
        let shown = escape_text(text, 200);
        let mut found = text.to_socket_addrs().map_err(|error| {
            usage(format!(
                "{flag} `{shown}` is not an address ({error}): {form}"
            ))
        })?;
        let Some(addr) = found.next() else {
            return Err(usage(format!("{flag} `{shown}` has no address: {form}")));
        };
        if !addr.ip().is_loopback() && !self.allow_remote {
            return Err(usage(format!(
                "{flag} {addr} is not on this machine's loopback: whoever reaches it reaches the server, and sessions \
                 are kept in files; add --allow-remote if both are yours"
            )));
        }
        Ok(addr)
    }
}
