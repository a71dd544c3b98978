//! `tcprove record`: a proxy between a real client and its server that records the client's sessions as cases.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::interrupt;
use super::output::{note, say};
use super::target::{self, usage};
use crate::fuzz::case::BYTES_MAX;
use crate::fuzz::record::{RecordingProxy, SessionOutcome};
use crate::report::{ExitCode as Code, RunError};
use crate::subject::{Interrupt, block_on};
use crate::text::escape_text;

/// Arguments of `record`.
#[derive(clap::Args)]
pub(super) struct RecordArgs {
    /// Listen on this address; port 0 chooses a free port
    #[arg(long, value_name = "HOST:PORT")]
    listen: String,
    /// Forward to the server at this address
    #[arg(long, value_name = "HOST:PORT")]
    upstream: String,
    /// Write the cases to this folder, which `tcprove fuzz --corpus` accepts
    #[arg(long, value_name = "DIR", default_value = "tcprove-corpus")]
    out: PathBuf,
    /// End after this time [default: at Ctrl-C]
    #[arg(long, value_name = "TIME", value_parser = target::duration)]
    duration: Option<Duration>,
    /// Accept this many concurrent sessions; further clients wait
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=4096))]
    connections: u16,
    /// Record at most this many bytes of a session
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = target::size)]
    session_bytes: usize,
    /// Allow addresses outside this machine's loopback
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
    let recorder = RecordingProxy {
        upstream: args.address("--upstream", &args.upstream)?,
        folder: args.out.clone(),
        connections_max: usize::from(args.connections),
        session_bytes_max: args.session_bytes.min(BYTES_MAX),
    };
    std::fs::create_dir_all(&args.out).map_err(|error| {
        usage(format!(
            "--out {} cannot be created: {error}",
            args.out.display()
        ))
    })?;
    // A session needs two descriptors; if there are too few, clients wait.
    let _ = crate::sys::raise_nofile_limit();
    let interrupt = interrupt::watch()?;
    block_on(serve(args, listen, &recorder, &interrupt))
}

async fn serve(
    args: &RecordArgs,
    listen: SocketAddr,
    recorder: &RecordingProxy,
    interrupt: &Interrupt,
) -> Result<ExitCode, RunError> {
    let cannot = |error| {
        usage(format!(
            "--listen {listen}: cannot listen on this address: {error}"
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
            describe(&ended, recorder.upstream)
        ));
    };
    recorder.run(listener, stop, tell).await;
    note(&format!("new cases in {}: {stored}", shown(&args.out)));
    Ok(match lost {
        0 => ExitCode::SUCCESS,
        // A case that could not be written is an error of its own, as with reports.
        _ => ExitCode::from(Code::Usage as u8),
    })
}

/// One line about a session. The bytes are not shown: they may contain passwords.
fn describe(ended: &SessionOutcome, upstream: SocketAddr) -> String {
    match ended {
        SessionOutcome::Stored {
            path,
            known,
            steps,
            bytes,
            cut_off,
        } => {
            let how = if *known { "already stored" } else { "stored" };
            let cut = if *cut_off { ", truncated" } else { "" };
            format!("{how}: {} ({steps} steps, {bytes} bytes{cut})", shown(path))
        }
        SessionOutcome::Nothing => "the client sent nothing".into(),
        SessionOutcome::NoUpstream(error) => {
            format!("closed because {upstream} cannot be reached: {error}")
        }
        SessionOutcome::NotStored(error) => format!("the case cannot be written: {error}"),
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
                "{flag} {addr} is not on this machine's loopback: everyone who can reach it can reach the server, and \
                 sessions are stored in files; add --allow-remote if you own both"
            )));
        }
        Ok(addr)
    }
}
