//! A process tree under a supervisor, as tcprove controls it: the supervisor's command line, its reports, and the end
//! of the tree.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::sync::watch;

use super::account::{self, Account};
use super::drain::{self, Printed, Printout};
use super::login::host_is;
use super::status::Status;
use super::supervisor::SUPERVISE;
use super::{Launch, StartFailure, StartValues, Tmp, proc};
use crate::sys::initial_nofile;

/// Time limit for the supervisor to end the tree after its control socket was closed.
const END_TIMEOUT: Duration = Duration::from_secs(5);

/// Environment variable that identifies all processes of one tree, to find them if the supervisor is killed.
const ID_VARIABLE: &str = "TCPROVE_LIFE";

/// The supervisor to start, its options, and the command that it starts.
pub(super) struct SupervisorCommand<'a> {
    pub(super) supervisor: &'a Path,
    pub(super) command: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) cwd: &'a Path,
    /// A folder that the supervisor removes when it is the last user.
    pub(super) tmp: Option<&'a Path>,
    pub(super) nofile: Option<(u64, u64)>,
    pub(super) cpus: Option<Vec<usize>>,
    pub(super) fixed_addresses: bool,
    pub(super) account: Option<&'a Account>,
    /// Where to open the listening socket that the command inherits.
    pub(super) listen: Option<SocketAddr>,
    /// The link of the injector that answers system calls of the command, and which calls.
    pub(super) calls: Option<String>,
    /// The files of a trace, as the supervisor finds them.
    pub(super) trace: Option<String>,
    /// Whether the command's stdout is left unread from its first byte on.
    pub(super) hold_stdout: bool,
}

/// What all commands of one start share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting<'a> {
    pub(super) values: StartValues<'a>,
    pub(super) tmp: &'a Tmp,
    /// The user that runs them, if it is another than that of tcprove.
    pub(super) account: Option<&'a Account>,
}

/// A process tree under a supervisor. Dropping it ends the whole tree.
#[derive(Debug)]
pub(super) struct SupervisedTree {
    pid: u32,
    supervisor: Mutex<Child>,
    control: UnixStream,
    status: watch::Receiver<Status>,
    printed: Arc<Printed>,
    drain: Mutex<Option<JoinHandle<()>>>,
    /// The value of [`ID_VARIABLE`].
    id: String,
    ended: AtomicBool,
}

impl SupervisedTree {
    /// Starts the supervisor, which then starts the command.
    pub(super) fn start(command: &SupervisorCommand<'_>) -> Result<SupervisedTree, StartFailure> {
        let failed = |doing: &str| {
            let doing = doing.to_owned();
            move |error: io::Error| StartFailure::harness(doing, error)
        };
        if let Err(error) = std::fs::metadata(command.cwd) {
            return Err(StartFailure::Spawn {
                program: command.command.first().cloned().unwrap_or_default(),
                cwd: command.cwd.to_owned(),
                error,
            });
        }
        host_is(command.supervisor);
        let (control, theirs) = UnixStream::pair().map_err(failed("create a control socket"))?;
        let reports = control
            .try_clone()
            .map_err(failed("create a control socket"))?;
        let id = next_id();
        let mut supervisor = command
            .std_command(&id, theirs.into())
            .spawn()
            .map_err(failed(&format!(
                "start the supervisor {}",
                command.supervisor.display()
            )))?;
        let (Some(stdout), Some(stderr)) = (supervisor.stdout.take(), supervisor.stderr.take())
        else {
            return Err(StartFailure::harness(
                "open the server's output",
                io::ErrorKind::BrokenPipe,
            ));
        };
        let printed = Arc::new(Printed::new(
            stdout.into(),
            stderr.into(),
            command.hold_stdout,
        ));
        let (sender, status) = watch::channel(Status::default());
        let tree = SupervisedTree {
            pid: supervisor.id(),
            supervisor: Mutex::new(supervisor),
            control,
            status,
            printed,
            drain: Mutex::new(None),
            id,
            ended: AtomicBool::new(false),
        };
        tree.with_drain(reports, sender)
    }

    /// Starts the thread that reads output and reports. An error drops the tree, which ends the supervisor.
    fn with_drain(
        mut self,
        reports: UnixStream,
        sender: watch::Sender<Status>,
    ) -> Result<SupervisedTree, StartFailure> {
        let printed = Arc::clone(&self.printed);
        let thread = std::thread::Builder::new().name("drain".into());
        let drain = thread
            .spawn(move || drain::run(reports, &printed, &sender))
            .map_err(|error| StartFailure::harness("start a thread", error))?;
        self.drain = Mutex::new(Some(drain));
        Ok(self)
    }

    pub(super) fn supervisor_pid(&self) -> u32 {
        self.pid
    }

    /// The entry of the environment that all processes of the tree have.
    pub(super) fn entry(&self) -> String {
        format!("{ID_VARIABLE}={}", self.id)
    }

    pub(super) fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// A new receiver of the status, to wait for changes.
    pub(super) fn subscribe(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Wakes the supervisor for a request to its tracer.
    pub(super) fn wake(&self) -> io::Result<()> {
        (&self.control).write_all(&[0])
    }

    pub(super) fn printout(&self) -> Printout {
        Printout(Arc::clone(&self.printed))
    }

    pub(super) fn printed(&self) -> &Printed {
        &self.printed
    }

    /// Ends every process of the tree and waits until all are gone, for at most about 10 s.
    pub(super) fn end(&self) {
        if self.ended.swap(true, Ordering::AcqRel) {
            return;
        }
        let crashed = self.status.borrow().supervisor_ended;
        let _ = self.control.shutdown(Shutdown::Write);
        if !self.supervisor_ends_within(END_TIMEOUT) {
            // The supervisor hangs. Kill the tree from here; the supervisor starts no process meanwhile.
            self.kill_descendants();
        }
        let killed = {
            let mut supervisor = unlocked(&self.supervisor);
            let _ = supervisor.kill();
            let status = supervisor.wait();
            status.is_ok_and(|status| status.code() != Some(0))
        };
        if crashed || killed {
            self.kill_by_id();
        }
        let drain = unlocked(&self.drain).take();
        if let Some(drain) = drain {
            let _ = drain.join();
        }
    }

    fn supervisor_ends_within(&self, limit: Duration) -> bool {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let Some(Ok(pidfd)) = pid.map(|pid| pidfd_open(pid, PidfdFlags::empty())) else {
            return false;
        };
        let seconds = i64::try_from(limit.as_secs()).unwrap_or(5);
        let mut ended = [PollFd::new(&pidfd, PollFlags::IN)];
        matches!(poll(&mut ended, Some(&Timespec { tv_sec: seconds, tv_nsec: 0 })), Ok(count) if count > 0)
    }

    fn kill_descendants(&self) {
        kill_while_any_live(|| proc::descendants(self.pid));
    }

    /// Kills processes by their environment. If the supervisor was killed, orphans are no longer its descendants.
    fn kill_by_id(&self) {
        let entry = self.entry();
        kill_while_any_live(|| proc::with_environment(&entry));
    }
}

fn unlocked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Maximum rounds of killing, a millisecond apart: processes may fork meanwhile.
const KILL_ROUNDS_MAX: usize = 100;

/// Kills the processes that `find` lists until none of them is alive.
fn kill_while_any_live(find: impl Fn() -> Vec<proc::Stat>) {
    for _ in 0..KILL_ROUNDS_MAX {
        let found = find();
        let alive: Vec<_> = found.iter().filter(|process| !process.is_dead()).collect();
        if alive.is_empty() {
            return;
        }
        alive
            .iter()
            .for_each(|process| signal_same_process(process, Signal::KILL));
        std::thread::sleep(Duration::from_millis(1));
    }
}

impl Drop for SupervisedTree {
    fn drop(&mut self) {
        self.end();
    }
}

impl<'a> SupervisorCommand<'a> {
    /// A command of a launch, with its placeholders filled in and without the options of one start.
    pub(super) fn of(launch: &'a Launch, words: &[String], setting: Setting<'a>) -> Self {
        let expand = |text: &String| launch.expand(text, setting.values);
        let mut env = BTreeMap::new();
        env.extend(setting.account.into_iter().flat_map(Account::environment));
        let given = launch.env.iter();
        env.extend(given.map(|(name, value)| (name.clone(), expand(value))));
        Self {
            supervisor: &launch.supervisor,
            command: words.iter().map(expand).collect(),
            env,
            cwd: &launch.cwd,
            tmp: setting.tmp.locked_path(),
            nofile: None,
            cpus: None,
            fixed_addresses: false,
            account: setting.account,
            listen: None,
            calls: None,
            trace: None,
            hold_stdout: false,
        }
    }

    fn std_command(&self, id: &str, control: OwnedFd) -> Command {
        let mut command = Command::new(absolute(self.supervisor));
        let (soft, hard) = self.nofile.unwrap_or_else(initial_nofile);
        command
            .arg(SUPERVISE)
            .arg("--nofile")
            .arg(format!("{soft}:{hard}"));
        if let Some(cpus) = &self.cpus {
            let cpus: Vec<String> = cpus.iter().map(usize::to_string).collect();
            command.arg("--cpus").arg(cpus.join(","));
        }
        if self.fixed_addresses {
            command.args(["--addresses", "fixed"]);
        }
        if let Some(tmp) = self.tmp {
            command.arg("--tmp").arg(tmp);
        }
        if let Some(account) = self.account {
            command.arg("--user").arg(account::ids_text(&account.ids));
        }
        if let Some(addr) = self.listen {
            command.arg("--listen").arg(addr.to_string());
        }
        if let Some(link) = &self.calls {
            command.arg("--calls").arg(link);
        }
        if let Some(trace) = &self.trace {
            command.arg("--trace").arg(trace);
        }
        command
            .arg("--")
            .args(&self.command)
            .envs(&self.env)
            .env(ID_VARIABLE, id)
            .current_dir(self.cwd)
            .stdin(Stdio::from(control))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

/// Makes a path absolute: a relative one would be resolved in the server's working folder.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// A unique id of constant length, because the length of the environment changes a program's memory layout.
fn next_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!(
        "{:010}-{:010}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

/// Sends a signal to a process, unless its pid has been reused since `seen` was read.
pub(super) fn signal_same_process(seen: &proc::Stat, signal: Signal) {
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
