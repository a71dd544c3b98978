//! A running server.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::drain::Printout;
use super::output::{Mark, Output};
use super::proc::{self, Stat};
use super::ready::{owned, reachable};
use super::socket_table::{self, Listener, PeerSocket};
use super::start::Started;
use super::supervised_tree::SupervisedTree;
use super::usage::CpuSeen;
use super::{
    Exit, Launch, Listening, Port, Process, StartFailure, StartOptions, StopReport, Surroundings,
    Tmp, Usage, waits,
};
use crate::transport::{Address, Endpoint};

/// A running server. Dropping it ends the whole process tree and waits until all processes are gone.
///
/// An attached server was not started by tcprove: it is only observed, never signalled or ended.
#[derive(Debug)]
pub struct Server {
    endpoint: Endpoint,
    /// All TCP addresses on which it listened when it became ready.
    addrs: Vec<SocketAddr>,
    handle: Handle,
    started_in: Duration,
    stop: i32,
    cpu_seen: Mutex<CpuSeen>,
}

/// What tcprove holds of a server.
#[derive(Debug)]
enum Handle {
    Launched(Box<Started>),
    Attached { process: Option<Stat> },
}

impl Server {
    /// Starts a server and waits until it is ready.
    ///
    /// # Errors
    /// See [`StartFailure`]. No process is left running after an error.
    pub async fn start(launch: &Launch, options: StartOptions) -> Result<Server, StartFailure> {
        let started = Started::new(launch, options).await?;
        let address = match (&started.unix, started.addrs.first()) {
            (Some(path), _) => Address::Unix(path.clone()),
            (None, Some(addr)) => Address::Tcp(*addr),
            (None, None) => Address::Tcp(SocketAddr::new(launch.host, 0)),
        };
        Ok(Server {
            endpoint: Endpoint {
                address,
                transport: launch.transport.clone(),
            },
            addrs: started.addrs.clone(),
            started_in: started.took,
            handle: Handle::Launched(Box::new(started)),
            stop: launch.stop,
            cpu_seen: Mutex::default(),
        })
    }

    /// Attaches to a running server. Its resource usage is only visible with its pid, its sockets only on this
    /// machine.
    ///
    /// # Errors
    /// [`StartFailure::NoProcess`] if there is no process with this pid.
    pub fn attach(endpoint: Endpoint, pid: Option<u32>) -> Result<Server, StartFailure> {
        let process = match pid {
            Some(pid) => Some(proc::stat(pid).ok_or(StartFailure::NoProcess { pid })?),
            None => None,
        };
        Ok(Server {
            addrs: endpoint.address.tcp().into_iter().collect(),
            endpoint,
            handle: Handle::Attached { process },
            started_in: Duration::ZERO,
            stop: libc::SIGTERM,
            cpu_seen: Mutex::default(),
        })
    }

    /// Where and how to connect.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The TCP address to connect to; `None` for a Unix socket.
    pub fn addr(&self) -> Option<SocketAddr> {
        self.endpoint.address.tcp()
    }

    /// All TCP addresses on which it listened when it became ready, [`Server::addr`] first.
    pub fn addrs(&self) -> Vec<SocketAddr> {
        self.addrs.clone()
    }

    /// The port of [`Server::addr`]. For a Unix socket, the port that was leased for `{port}`, or 0.
    pub fn port(&self) -> u16 {
        match (self.addr(), self.lease()) {
            (Some(addr), _) => addr.port(),
            (None, Some(lease)) => lease.number(),
            (None, None) => 0,
        }
    }

    /// The lease of its port, to start another server there. `None` if attached or if it chose the port.
    pub fn lease(&self) -> Option<Port> {
        match &self.handle {
            Handle::Launched(started) => started.lease.clone(),
            Handle::Attached { .. } => None,
        }
    }

    /// Its further ports and helpers, to start another server that uses the same ones. `None` if attached.
    pub fn surroundings(&self) -> Option<Surroundings> {
        match &self.handle {
            Handle::Launched(started) => Some(started.surroundings.clone()),
            Handle::Attached { .. } => None,
        }
    }

    /// How a helper process has failed, if one has. The server may then behave in any way.
    pub fn helper_trouble(&self) -> Option<StartFailure> {
        self.surroundings()?.trouble()
    }

    /// The pid of its main process.
    pub fn pid(&self) -> Option<u32> {
        match &self.handle {
            Handle::Launched(started) => started.tree.status().main.map(|main| main.pid),
            Handle::Attached { process } => process.as_ref().map(|process| process.pid),
        }
    }

    /// Whether tcprove attached to it instead of starting it.
    pub fn is_attached(&self) -> bool {
        matches!(self.handle, Handle::Attached { .. })
    }

    /// The folder that replaces `{tmp}`.
    pub fn tmp(&self) -> Option<&Path> {
        match &self.handle {
            Handle::Launched(started) => Some(started.tmp.path()),
            Handle::Attached { .. } => None,
        }
    }

    /// Its `{tmp}` folder, to start another server with the same files.
    pub fn shared_tmp(&self) -> Option<Tmp> {
        match &self.handle {
            Handle::Launched(started) => Some(started.tmp.clone()),
            Handle::Attached { .. } => None,
        }
    }

    /// Time from its start until it was ready (with `await_ready: false`, until its program ran).
    pub fn started_in(&self) -> Duration {
        self.started_in
    }

    /// Sets the time that the start took, where this module cannot know when the server is ready
    /// ([`Ready::Exchange`](super::Ready::Exchange)).
    pub(crate) fn ready_after(&mut self, took: Duration) {
        self.started_in = took;
    }

    /// The exit status of its main process. `None` while it runs, and always if attached (see [`Server::is_gone`]).
    pub fn exit(&self) -> Option<Exit> {
        self.supervised().and_then(|tree| tree.status().exit)
    }

    /// Whether its main process has ended. False if attached without a pid.
    pub fn is_gone(&self) -> bool {
        match &self.handle {
            Handle::Launched(started) => {
                let status = started.tree.status();
                status.exit.is_some() || status.supervisor_ended
            }
            Handle::Attached { process } => process.as_ref().is_some_and(|seen| {
                proc::stat(seen.pid)
                    .is_none_or(|now| now.start_time != seen.start_time || now.is_dead())
            }),
        }
    }

    /// Whether all of its processes have ended, according to the supervisor, which reaps them. Always false if attached.
    pub fn is_empty(&self) -> bool {
        self.supervised()
            .is_some_and(|tree| tree.status().tree_ended || tree.status().supervisor_ended)
    }

    /// Waits until its main process ends.
    pub async fn wait_exit(&self, limit: Duration) -> Option<Exit> {
        let mut changes = self.supervised()?.subscribe();
        let ended = changes.wait_for(|status| status.exit.is_some() || status.supervisor_ended);
        match tokio::time::timeout(limit, ended).await {
            Ok(Ok(status)) => status.exit,
            Ok(Err(_)) | Err(_) => self.exit(),
        }
    }

    /// Who listens on its port. An attached server does so itself.
    pub fn listening(&self) -> &Listening {
        match &self.handle {
            Handle::Launched(started) => &started.listening,
            Handle::Attached { .. } => &Listening::Server,
        }
    }

    /// Whether only one instance of it can run at a time.
    pub fn is_singleton(&self) -> bool {
        match &self.handle {
            Handle::Launched(started) => started.is_singleton,
            Handle::Attached { .. } => false,
        }
    }

    /// The number of the signal that requests a graceful stop.
    pub fn stop_signal(&self) -> i32 {
        self.stop
    }

    /// Its processes, without zombies: all descendants of the supervisor, or, if attached, the process and its
    /// descendants.
    pub fn tree(&self) -> Vec<Process> {
        self.processes()
            .into_iter()
            .filter(|process| !process.is_dead())
            .map(Process::from)
            .collect()
    }

    /// Whether there are processes and all their threads are stopped.
    pub(crate) fn is_stopped(&self) -> bool {
        let tree = self.tree();
        !tree.is_empty() && tree.iter().all(|process| proc::is_stopped(process.pid))
    }

    /// The total resource usage of its processes. `None` if attached without a pid.
    pub fn usage(&self) -> Option<Usage> {
        let tree = self.processes_quickly()?;
        Some(
            self.cpu_seen
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .usage(&tree),
        )
    }

    /// The CPU time as in [`Usage`], at about a fifth of the cost.
    pub fn cpu(&self) -> Option<Duration> {
        let tree = self.processes_quickly()?;
        Some(
            self.cpu_seen
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .cpu(&tree),
        )
    }

    /// Whether one of its threads runs or waits for a CPU (state `R`).
    pub fn is_computing(&self) -> bool {
        let tree = self.processes_quickly().unwrap_or_default();
        tree.iter().any(|process| proc::is_runnable(process.pid))
    }

    /// The pids of its processes, the main process first.
    pub fn pids(&self) -> Vec<u32> {
        let tree = self.processes_quickly().unwrap_or_default();
        let alive = tree.iter().filter(|process| !process.is_dead());
        alive.map(|process| process.pid).collect()
    }

    /// The names of its processes, and what their threads do: the system call in which each waits. Empty if attached without
    /// a pid.
    pub(crate) fn threads(&self) -> Vec<(String, BTreeMap<String, usize>)> {
        let tree = self.processes_quickly().unwrap_or_default();
        let alive = tree.into_iter().filter(|process| !process.is_dead());
        alive
            .map(|process| (process.comm, waits::threads(process.pid)))
            .collect()
    }

    /// Context switches of its existing threads so far, voluntary and involuntary.
    pub fn context_switches(&self) -> u64 {
        let tree = self.processes_quickly().unwrap_or_default();
        tree.iter()
            .map(|process| proc::context_switches(process.pid))
            .sum()
    }

    /// Its output so far. Empty if attached.
    pub fn output(&self) -> Output {
        self.supervised()
            .map(|tree| Output::of(&tree.printed().stdout, &tree.printed().stderr))
            .unwrap_or_default()
    }

    /// The number of bytes it has printed. Two atomic loads, much cheaper than [`Server::output`].
    pub fn printed(&self) -> Mark {
        self.supervised().map_or_else(Mark::default, |tree| Mark {
            stdout: tree.printed().stdout.total(),
            stderr: tree.printed().stderr.total(),
        })
    }

    /// Its output, which can be read after it has ended. `None` if tcprove did not start it.
    pub(crate) fn printout(&self) -> Option<Printout> {
        self.supervised().map(SupervisedTree::printout)
    }

    /// The kept part of its stderr after the first `from` bytes, and the number of bytes so far.
    pub fn stderr_since(&self, from: u64) -> (Vec<u8>, u64) {
        let tree = self.supervised();
        tree.map_or((Vec::new(), 0), |tree| tree.printed().stderr.since(from))
    }

    /// The socket that listens on [`Server::addr`]. `None` if it no longer listens or runs on another machine.
    pub fn listener(&self) -> Option<Listener> {
        let addr = self.addr()?;
        let all = self.listeners();
        let serves = |listener: &&Listener| reachable(&[**listener], addr.ip()).contains(&addr);
        all.iter().find(serves).or(all.first()).copied()
    }

    /// Number of connections that wait for accept(); 0 if the server no longer listens or runs on another machine.
    pub(crate) fn waiting_for_accept(&self) -> usize {
        self.listener()
            .map_or(0, |listener| listener.queued as usize)
    }

    /// Whether a socket listens at its address.
    pub fn is_listening(&self) -> bool {
        match &self.endpoint.address {
            Address::Tcp(_) => !self.listeners().is_empty(),
            Address::Unix(path) => {
                socket_table::unix_listeners(path).is_ok_and(|found| !found.is_empty())
            }
        }
    }

    /// Every socket that listens on its port; with SO_REUSEPORT there may be one per process.
    pub fn listeners(&self) -> Vec<Listener> {
        if self.addr().is_none() {
            return Vec::new();
        }
        let table = socket_table::listeners(Some(self.port())).unwrap_or_default();
        match &self.handle {
            Handle::Launched(started) if !table.is_empty() => {
                owned(table, started.tree.supervisor_pid())
            }
            _ => table,
        }
    }

    /// The server's socket of the connection whose client address is `client_local`. `None` if the socket does not
    /// exist, the server runs on another machine, or it is not a TCP connection.
    pub fn peer_socket(&self, client_local: Option<SocketAddr>) -> Option<PeerSocket> {
        let client_local = client_local?;
        let same_family = |addr: &&SocketAddr| addr.is_ipv4() == client_local.is_ipv4();
        let server = self.addrs.iter().find(same_family)?;
        socket_table::find(*server, client_local).ok().flatten()
    }

    /// Kills the whole tree with SIGKILL and waits until all processes are gone.
    pub fn kill(self) {
        drop(self);
    }

    /// As [`Server::kill`], but its output and exit status can still be read.
    pub fn end(&self) {
        if let Handle::Launched(started) = &self.handle {
            started.end();
        }
    }

    /// Sends its stop signal and waits until its main process ends.
    pub async fn stop(&self, limit: Duration) -> StopReport {
        let asked = Instant::now();
        // An error means that it has already ended or that it is attached.
        let _ = self.signal(self.stop);
        let exit = self.wait_exit(limit).await;
        StopReport {
            exit,
            waited: asked.elapsed(),
            left: self.tree(),
        }
    }

    pub(super) fn supervised(&self) -> Option<&SupervisedTree> {
        self.launched().map(|started| &started.tree)
    }

    /// What tcprove has started; `None` if it did not start the server.
    pub(super) fn launched(&self) -> Option<&Started> {
        match &self.handle {
            Handle::Launched(started) => Some(started),
            Handle::Attached { .. } => None,
        }
    }

    /// The whole tree including zombies, from a walk over all processes of the machine.
    pub(super) fn processes(&self) -> Vec<Stat> {
        match &self.handle {
            Handle::Launched(started) => proc::descendants(started.tree.supervisor_pid()),
            Handle::Attached { process: None } => Vec::new(),
            Handle::Attached { process: Some(_) } if self.is_gone() => Vec::new(),
            Handle::Attached {
                process: Some(seen),
            } => proc::stat(seen.pid)
                .into_iter()
                .chain(proc::descendants(seen.pid))
                .collect(),
        }
    }

    /// As `processes`, but through the kernel's lists of children, which cost less. `None` if attached without a pid.
    pub(super) fn processes_quickly(&self) -> Option<Vec<Stat>> {
        match &self.handle {
            Handle::Launched(started) => Some(
                proc::descendants_quickly(started.tree.supervisor_pid())
                    .unwrap_or_else(|| self.processes()),
            ),
            Handle::Attached { process } => process.is_some().then(|| self.processes()),
        }
    }
}
