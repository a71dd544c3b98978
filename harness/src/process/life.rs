//! tcprove's end of one server life: the supervisor process, its reports, and the end of them all.

use std::collections::BTreeMap;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::sync::watch;

use super::drain::{self, Printed};
use super::status::Status;
use super::supervisor::SUPERVISE;
use super::{StartFailure, proc};
use crate::sys::initial_nofile;

/// How long the supervisor may take to end everything when it is told to.
const END_LIMIT: Duration = Duration::from_secs(5);

/// Marks every process of one life in its environment, in case the supervisor is killed.
const MARK: &str = "TCPROVE_LIFE";

/// What to run.
pub(super) struct Orders<'a> {
    pub(super) supervisor: &'a Path,
    pub(super) command: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) cwd: &'a Path,
    /// The folder that the supervisor removes when nobody uses it any more.
    pub(super) tmp: Option<&'a Path>,
    pub(super) nofile: Option<(u64, u64)>,
    pub(super) cpus: Option<Vec<usize>>,
    pub(super) fixed_addresses: bool,
}

/// One life, from the start of its supervisor to the end of its last process. Dropping ends it.
#[derive(Debug)]
pub(super) struct Life {
    supervisor: Child,
    control: UnixStream,
    status: watch::Receiver<Status>,
    printed: Arc<Printed>,
    drain: Option<JoinHandle<()>>,
    mark: String,
    ended: bool,
}

impl Life {
    /// Starts a supervisor, which starts the command.
    pub(super) fn start(orders: &Orders<'_>) -> Result<Life, StartFailure> {
        let failed = |doing: &str| {
            let doing = doing.to_owned();
            move |error: io::Error| StartFailure::harness(doing, error)
        };
        if let Err(error) = std::fs::metadata(orders.cwd) {
            return Err(StartFailure::Spawn {
                program: orders.command.first().cloned().unwrap_or_default(),
                cwd: orders.cwd.to_owned(),
                error,
            });
        }
        let (control, theirs) = UnixStream::pair().map_err(failed("make a control socket"))?;
        let reports = control
            .try_clone()
            .map_err(failed("make a control socket"))?;
        let mark = next_mark();
        let mut supervisor = command(orders, &mark, theirs.into())
            .spawn()
            .map_err(failed(&format!(
                "run its supervisor {}",
                orders.supervisor.display()
            )))?;
        let (Some(stdout), Some(stderr)) = (supervisor.stdout.take(), supervisor.stderr.take())
        else {
            return Err(StartFailure::harness(
                "take the server's output",
                io::ErrorKind::BrokenPipe,
            ));
        };
        let printed = Arc::new(Printed::new(stdout.into(), stderr.into()));
        let (told, status) = watch::channel(Status::default());
        let life = Life {
            supervisor,
            control,
            status,
            printed,
            drain: None,
            mark,
            ended: false,
        };
        life.with_drain(reports, told)
    }

    /// From here on a failure drops the life, which ends the supervisor.
    fn with_drain(
        mut self,
        reports: UnixStream,
        told: watch::Sender<Status>,
    ) -> Result<Life, StartFailure> {
        let printed = Arc::clone(&self.printed);
        let thread = std::thread::Builder::new().name("drain".into());
        let drain = thread
            .spawn(move || drain::run(reports, &printed, &told))
            .map_err(|error| StartFailure::harness("start a thread", error))?;
        self.drain = Some(drain);
        Ok(self)
    }

    pub(super) fn supervisor_pid(&self) -> u32 {
        self.supervisor.id()
    }

    pub(super) fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// A receiver of its own, to wait for news.
    pub(super) fn news(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    pub(super) fn printed(&self) -> &Printed {
        &self.printed
    }

    /// Ends every process of this life and waits until they are gone, at most about 10 s.
    pub(super) fn end(&mut self) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let crashed = self.status.borrow().over;
        let _ = self.control.shutdown(Shutdown::Write);
        if !self.supervisor_ends_within(END_LIMIT) {
            // It hangs: do its work, it cannot restart anything meanwhile.
            self.kill_from_here();
        }
        let _ = self.supervisor.kill();
        let killed = self
            .supervisor
            .wait()
            .is_ok_and(|status| status.code() != Some(0));
        if crashed || killed {
            self.kill_marked();
        }
        if let Some(drain) = self.drain.take() {
            let _ = drain.join();
        }
    }

    fn supervisor_ends_within(&self, limit: Duration) -> bool {
        let pid = i32::try_from(self.supervisor.id())
            .ok()
            .and_then(Pid::from_raw);
        let Some(Ok(pidfd)) = pid.map(|pid| pidfd_open(pid, PidfdFlags::empty())) else {
            return false;
        };
        let seconds = i64::try_from(limit.as_secs()).unwrap_or(5);
        let mut ended = [PollFd::new(&pidfd, PollFlags::IN)];
        matches!(poll(&mut ended, Some(&Timespec { tv_sec: seconds, tv_nsec: 0 })), Ok(count) if count > 0)
    }

    fn kill_from_here(&self) {
        for _ in 0..100 {
            let tree = proc::descendants(self.supervisor.id());
            let alive: Vec<_> = tree.iter().filter(|process| !process.is_dead()).collect();
            if alive.is_empty() {
                return;
            }
            alive
                .iter()
                .for_each(|process| signal_exactly(process, Signal::KILL));
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The supervisor did not end in order, so processes may be left that are nobody's descendants.
    fn kill_marked(&self) {
        let entry = format!("{MARK}={}", self.mark);
        for _ in 0..100 {
            let left = proc::with_environment(&entry);
            let alive: Vec<_> = left.iter().filter(|process| !process.is_dead()).collect();
            if alive.is_empty() {
                return;
            }
            alive
                .iter()
                .for_each(|process| signal_exactly(process, Signal::KILL));
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.end();
    }
}

fn command(orders: &Orders<'_>, mark: &str, control: OwnedFd) -> Command {
    let mut command = Command::new(absolute(orders.supervisor));
    let (soft, hard) = orders.nofile.unwrap_or_else(initial_nofile);
    command
        .arg(SUPERVISE)
        .arg("--nofile")
        .arg(format!("{soft}:{hard}"));
    if let Some(cpus) = &orders.cpus {
        let cpus: Vec<String> = cpus.iter().map(usize::to_string).collect();
        command.arg("--cpus").arg(cpus.join(","));
    }
    if orders.fixed_addresses {
        command.args(["--addresses", "fixed"]);
    }
    if let Some(tmp) = orders.tmp {
        command.arg("--tmp").arg(tmp);
    }
    command
        .arg("--")
        .args(&orders.command)
        .envs(&orders.env)
        .env(MARK, mark)
        .current_dir(orders.cwd);
    command
        .stdin(Stdio::from(control))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A relative path would be looked up in the server's folder.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Different for each life, of the same length for all: a server's environment must not change its layout.
fn next_mark() -> String {
    static LIVES: AtomicU64 = AtomicU64::new(0);
    format!(
        "{:010}-{:010}",
        std::process::id(),
        LIVES.fetch_add(1, Ordering::Relaxed)
    )
}

/// Sends a signal to the process that was seen, or to nobody if its number means another one by now.
pub(super) fn signal_exactly(seen: &proc::Stat, signal: Signal) {
    let Some(pid) = i32::try_from(seen.pid).ok().and_then(Pid::from_raw) else {
        return;
    };
    let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else {
        return;
    };
    if proc::stat(seen.pid).is_some_and(|now| now.start_time == seen.start_time) {
        let _ = pidfd_send_signal(pidfd.as_fd(), signal);
    }
}
