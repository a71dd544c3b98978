//! One life of a server, seen from tcprove.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, pidfd_send_signal, prlimit};

use super::life::{Life, Orders, signal_exactly};
use super::output::{Mark, Output};
use super::proc::{self, Stat};
use super::ready::{Wait, owned, reachable};
use super::socket_table::{self, Listener, PeerSocket};
use super::usage::CpuSeen;
use super::{
    Exit, Launch, NofileLimit, Port, Process, StartFailure, StartOptions, StdoutMode, StopReport,
    Tmp, Usage,
};
use crate::sys::signal_from_raw;

/// One life of a server. Dropping it ends the whole process tree and waits until it is gone.
///
/// An attached server was started by somebody else: it is only looked at, never signalled or ended.
#[derive(Debug)]
pub struct Server {
    addrs: Vec<SocketAddr>,
    kind: Kind,
    started_in: Duration,
    stop: i32,
    cpu_seen: Mutex<CpuSeen>,
}

#[derive(Debug)]
enum Kind {
    Launched {
        life: Life,
        lease: Option<Port>,
        tmp: Tmp,
    },
    Attached {
        process: Option<Stat>,
    },
}

impl Server {
    /// Starts a server and waits until it is ready.
    ///
    /// # Errors
    /// See [`StartFailure`]; nothing is left running then.
    pub async fn start(launch: &Launch, options: StartOptions) -> Result<Server, StartFailure> {
        let lease = match options.port {
            _ if options.port0 => None,
            Some(port) => Some(port),
            None => {
                Some(Port::lease().map_err(|error| StartFailure::harness("lease a port", error))?)
            }
        };
        let tmp = match options.tmp {
            Some(tmp) => tmp,
            None => Tmp::new()
                .map_err(|error| StartFailure::harness("make a temporary folder", error))?,
        };
        let port = lease.as_ref().map(Port::number);
        let started = Instant::now();
        let life = Life::start(&Orders {
            nofile: options.nofile,
            cpus: options.cpus,
            fixed_addresses: options.fixed_addresses,
            ..orders(launch, port.unwrap_or(0), &tmp)
        })?;
        if options.stdout == StdoutMode::Undrained && matches!(launch.ready, super::Ready::Listen) {
            life.printed().hold_stdout();
        }
        let give_up = options.give_up.unwrap_or(launch.ready_timeout);
        let wait = Wait {
            launch,
            life: &life,
            port,
            started,
            give_up,
        };
        let addrs = if options.await_ready {
            wait.until_ready().await?
        } else {
            wait.until_running().await?;
            vec![SocketAddr::new(launch.host, port.unwrap_or(0))]
        };
        let started_in = started.elapsed();
        if options.stdout == StdoutMode::Undrained {
            life.printed().hold_stdout();
        }
        let kind = Kind::Launched { life, lease, tmp };
        Ok(Server {
            addrs,
            kind,
            started_in,
            stop: launch.stop,
            cpu_seen: Mutex::default(),
        })
    }

    /// A server that runs already. With its pid its use of resources can be seen; its sockets can if it is
    /// on this machine.
    ///
    /// # Errors
    /// [`StartFailure::NoProcess`] for a pid that means nobody.
    pub fn attach(addr: SocketAddr, pid: Option<u32>) -> Result<Server, StartFailure> {
        let process = match pid {
            Some(pid) => Some(proc::stat(pid).ok_or(StartFailure::NoProcess { pid })?),
            None => None,
        };
        Ok(Server {
            addrs: vec![addr],
            kind: Kind::Attached { process },
            started_in: Duration::ZERO,
            stop: libc::SIGTERM,
            cpu_seen: Mutex::default(),
        })
    }

    /// Where to connect.
    pub fn addr(&self) -> SocketAddr {
        self.addrs[0]
    }

    /// Everywhere it was found to listen when it became ready, [`Server::addr`] first.
    pub fn addrs(&self) -> Vec<SocketAddr> {
        self.addrs.clone()
    }

    /// The port of [`Server::addr`].
    pub fn port(&self) -> u16 {
        self.addr().port()
    }

    /// The lease of its port, to start another one there. `None` if attached or if it chose the port.
    pub fn lease(&self) -> Option<Port> {
        match &self.kind {
            Kind::Launched { lease, .. } => lease.clone(),
            Kind::Attached { .. } => None,
        }
    }

    /// Its main process.
    pub fn pid(&self) -> Option<u32> {
        match &self.kind {
            Kind::Launched { life, .. } => life.status().main.map(|main| main.pid),
            Kind::Attached { process } => process.as_ref().map(|process| process.pid),
        }
    }

    /// It was started by somebody else.
    pub fn is_attached(&self) -> bool {
        matches!(self.kind, Kind::Attached { .. })
    }

    /// What `{tmp}` stands for.
    pub fn tmp(&self) -> Option<&Path> {
        match &self.kind {
            Kind::Launched { tmp, .. } => Some(tmp.path()),
            Kind::Attached { .. } => None,
        }
    }

    /// Its `{tmp}`, to start another life on the same disk.
    pub fn shared_tmp(&self) -> Option<Tmp> {
        match &self.kind {
            Kind::Launched { tmp, .. } => Some(tmp.clone()),
            Kind::Attached { .. } => None,
        }
    }

    /// From its start until it was ready (with `await_ready: false`, until it ran).
    pub fn started_in(&self) -> Duration {
        self.started_in
    }

    /// How its main process ended; `None` while it runs, and always if attached (see [`Server::is_gone`]).
    pub fn exit(&self) -> Option<Exit> {
        self.life().and_then(|life| life.status().exit)
    }

    /// Its main process does not run any more, as far as can be seen.
    pub fn is_gone(&self) -> bool {
        match &self.kind {
            Kind::Launched { life, .. } => life.status().exit.is_some() || life.status().over,
            Kind::Attached { process } => process.as_ref().is_some_and(|seen| {
                proc::stat(seen.pid)
                    .is_none_or(|now| now.start_time != seen.start_time || now.is_dead())
            }),
        }
    }

    /// None of its processes is left, as its supervisor, their parent in the end, knows. Always false if attached.
    pub fn is_empty(&self) -> bool {
        self.life()
            .is_some_and(|life| life.status().empty || life.status().over)
    }

    /// Waits for the end of its main process.
    pub async fn wait_exit(&self, limit: Duration) -> Option<Exit> {
        let mut news = self.life()?.news();
        let told = news.wait_for(|status| status.exit.is_some() || status.over);
        match tokio::time::timeout(limit, told).await {
            Ok(Ok(status)) => status.exit,
            Ok(Err(_)) | Err(_) => self.exit(),
        }
    }

    /// Sends a signal to its main process, and to no other that may have its number by now.
    ///
    /// # Errors
    /// `ESRCH` when it has ended; `Unsupported` if attached; `InvalidInput` for no signal.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        let signal = signal_from_raw(signal).ok_or(io::ErrorKind::InvalidInput)?;
        let main = self.life().ok_or(io::ErrorKind::Unsupported)?.status().main;
        let main = main.ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))?;
        Ok(pidfd_send_signal(main.pidfd.as_fd(), signal)?)
    }

    /// Sends a signal to every process of its tree, parents first. Nothing if attached.
    pub fn signal_tree(&self, signal: i32) {
        let Some(signal) = signal_from_raw(signal).filter(|_| !self.is_attached()) else {
            return;
        };
        for process in self.processes().iter().filter(|process| !process.is_dead()) {
            signal_exactly(process, signal);
        }
    }

    /// The signal that asks it to stop.
    pub fn stop_signal(&self) -> i32 {
        self.stop
    }

    /// Its processes: all descendants of the supervisor, zombies not; if attached, the process and its descendants.
    pub fn tree(&self) -> Vec<Process> {
        self.processes()
            .into_iter()
            .filter(|process| !process.is_dead())
            .map(Process::from)
            .collect()
    }

    /// What its processes use together. `None` if attached without a pid.
    pub fn usage(&self) -> Option<Usage> {
        let tree = self.processes_quickly()?;
        Some(
            self.cpu_seen
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .usage(&tree),
        )
    }

    /// The CPU time alone: as in [`Usage`], for a fifth of the cost.
    pub fn cpu(&self) -> Option<Duration> {
        let tree = self.processes_quickly()?;
        Some(
            self.cpu_seen
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .cpu(&tree),
        )
    }

    /// Whether it computes: one of its threads runs, or waits for nothing but a processor.
    pub fn is_computing(&self) -> bool {
        let tree = self.processes_quickly().unwrap_or_default();
        tree.iter().any(|process| proc::is_runnable(process.pid))
    }

    /// The numbers of its processes as they are now, the main one first.
    pub fn pids(&self) -> Vec<u32> {
        let tree = self.processes_quickly().unwrap_or_default();
        let alive = tree.iter().filter(|process| !process.is_dead());
        alive.map(|process| process.pid).collect()
    }

    /// Switches between its threads so far, wanted or not; those of threads that ended are not in it.
    pub fn context_switches(&self) -> u64 {
        let tree = self.processes_quickly().unwrap_or_default();
        tree.iter()
            .map(|process| proc::context_switches(process.pid))
            .sum()
    }

    /// What it printed. Empty if attached.
    pub fn output(&self) -> Output {
        self.life()
            .map(|life| Output::of(&life.printed().stdout, &life.printed().stderr))
            .unwrap_or_default()
    }

    /// How much it printed so far, at the cost of two loads: whether a look at the text is worth it.
    pub fn printed(&self) -> Mark {
        self.life().map_or_else(Mark::default, |life| Mark {
            stdout: life.printed().stdout.total(),
            stderr: life.printed().stderr.total(),
        })
    }

    /// What it wrote to stderr after the first `from` bytes, as far as it was kept, and the count by now.
    pub fn stderr_since(&self, from: u64) -> (Vec<u8>, u64) {
        let life = self.life();
        life.map_or((Vec::new(), 0), |life| life.printed().stderr.since(from))
    }

    /// Sets the descriptor limit of every process of its tree, as it is now.
    ///
    /// # Errors
    /// The first that failed; `Unsupported` if attached. A process that ended meanwhile is no error.
    pub fn set_nofile(&self, soft: u64, hard: u64) -> io::Result<()> {
        if self.is_attached() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let value = |limit: u64| (limit != u64::MAX).then_some(limit);
        for process in self.processes().iter().filter(|process| !process.is_dead()) {
            let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
            let limit = Rlimit {
                current: value(soft),
                maximum: value(hard),
            };
            match prlimit(pid, Resource::Nofile, limit) {
                Ok(_) | Err(rustix::io::Errno::SRCH) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The descriptor limit of every process of its tree.
    pub fn nofile(&self) -> Vec<NofileLimit> {
        let limit = |pid| proc::nofile(pid).map(|(soft, hard)| NofileLimit { pid, soft, hard });
        self.tree()
            .iter()
            .filter_map(|process| limit(process.pid))
            .collect()
    }

    /// The socket it listens on at [`Server::addr`]. `None`: it does not listen any more, or is elsewhere.
    pub fn listener(&self) -> Option<Listener> {
        let all = self.listeners();
        let serves = |listener: &&Listener| {
            reachable(&[**listener], self.addr().ip()).contains(&self.addr())
        };
        all.iter().find(serves).or(all.first()).copied()
    }

    /// Every socket it listens on at its port, one for each process with SO_REUSEPORT.
    pub fn listeners(&self) -> Vec<Listener> {
        let table = socket_table::listeners(Some(self.port())).unwrap_or_default();
        match &self.kind {
            Kind::Launched { life, .. } if !table.is_empty() => owned(table, life.supervisor_pid()),
            _ => table,
        }
    }

    /// The server's end of the connection whose client end is `client_local`. `None`: there is no such
    /// socket (any more), or the server is not on this machine.
    pub fn peer_socket(&self, client_local: SocketAddr) -> Option<PeerSocket> {
        let same_family = |addr: &&SocketAddr| addr.is_ipv4() == client_local.is_ipv4();
        let server = self.addrs.iter().find(same_family)?;
        socket_table::find(*server, client_local).ok().flatten()
    }

    /// Ends it now: SIGKILL for the whole tree. Returns when all of it is gone.
    pub fn kill(self) {
        drop(self);
    }

    /// The same without letting go of it: its output and exit can still be looked at.
    pub fn end(&mut self) {
        if let Kind::Launched { life, .. } = &mut self.kind {
            life.end();
        }
    }

    /// Asks it to stop, with its stop signal, and waits for the end of its main process.
    pub async fn stop(&self, limit: Duration) -> StopReport {
        let asked = Instant::now();
        // A failure means that it has ended already, or that it is not ours to stop.
        let _ = self.signal(self.stop);
        let exit = self.wait_exit(limit).await;
        StopReport {
            exit,
            waited: asked.elapsed(),
            left: self.tree(),
        }
    }

    fn life(&self) -> Option<&Life> {
        match &self.kind {
            Kind::Launched { life, .. } => Some(life),
            Kind::Attached { .. } => None,
        }
    }

    /// The whole tree, by a walk over all processes.
    fn processes(&self) -> Vec<Stat> {
        match &self.kind {
            Kind::Launched { life, .. } => proc::descendants(life.supervisor_pid()),
            Kind::Attached { process: None } => Vec::new(),
            Kind::Attached { process: Some(_) } if self.is_gone() => Vec::new(),
            Kind::Attached {
                process: Some(seen),
            } => proc::stat(seen.pid)
                .into_iter()
                .chain(proc::descendants(seen.pid))
                .collect(),
        }
    }

    /// The same at less cost; `None` if there is no process to look at.
    fn processes_quickly(&self) -> Option<Vec<Stat>> {
        match &self.kind {
            Kind::Launched { life, .. } => Some(
                proc::descendants_quickly(life.supervisor_pid())
                    .unwrap_or_else(|| self.processes()),
            ),
            Kind::Attached { process } => process.is_some().then(|| self.processes()),
        }
    }
}

fn orders<'a>(launch: &'a Launch, port: u16, tmp: &'a Tmp) -> Orders<'a> {
    let expand = |text: &String| launch.expand(text, port, tmp.path());
    Orders {
        supervisor: &launch.supervisor,
        command: launch.cmd.iter().map(expand).collect(),
        env: launch
            .env
            .iter()
            .map(|(name, value)| (name.clone(), expand(value)))
            .collect(),
        cwd: &launch.cwd,
        tmp: tmp.locked(),
        nofile: None,
        cpus: None,
        fixed_addresses: false,
    }
}
