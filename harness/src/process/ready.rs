//! Waits until a server is ready, without connecting to it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use regex::Regex;

use super::failure::{Holder, StartFailure};
use super::output::Output;
use super::socket_table::{Listener, listeners, unix_listeners};
use super::status::Status;
use super::supervised_tree::SupervisedTree;
use super::{Launch, Ready, ReadyStream, proc};
use crate::transport::Address;

/// The first pause between two polls. Short, so that the start time of a fast server is accurate.
const PAUSE_MIN: Duration = Duration::from_millis(1);
/// The longest pause between two polls, reached by growing from [`PAUSE_MIN`].
const PAUSE_MAX: Duration = Duration::from_millis(10);

/// The start of a server that is waited for.
pub(super) struct Wait<'a> {
    pub(super) launch: &'a Launch,
    pub(super) tree: &'a SupervisedTree,
    /// The first helper that has failed, and how.
    pub(super) trouble: &'a dyn Fn() -> Option<StartFailure>,
    /// The port that was assigned to it; `None` if it chooses one.
    pub(super) port: Option<u16>,
    /// The Unix socket on which it is to listen; `None`: TCP.
    pub(super) unix: Option<&'a Path>,
    pub(super) started: Instant,
    /// Time limit since `started`.
    pub(super) give_up: Duration,
}

impl Wait<'_> {
    /// Waits until it is ready. Returns the TCP addresses to connect to, the best first.
    pub(super) async fn until_ready(&self) -> Result<Vec<SocketAddr>, StartFailure> {
        let mut changes = self.tree.subscribe();
        let mut pause = PAUSE_MIN;
        loop {
            let status = self.tree.status();
            if let Some(addrs) = self.poll(&status)? {
                return Ok(addrs);
            }
            self.check_possible(&status)?;
            let waited = self.started.elapsed();
            if waited >= self.give_up
                || (waited >= self.launch.ready_timeout && self.listens_elsewhere())
            {
                return Err(self.timed_out());
            }
            // A change of the status ends the pause early. An error means that it will not change any more.
            if let Ok(Err(_)) = tokio::time::timeout(pause, changes.changed()).await {
                tokio::time::sleep(pause).await;
            }
            pause = (pause * 5 / 4).min(PAUSE_MAX);
        }
    }

    /// Whether it listens on another address, which waiting longer would not change.
    fn listens_elsewhere(&self) -> bool {
        self.launch.ready.is_by_socket()
            && !self.own(listeners(None).unwrap_or_default()).is_empty()
    }

    /// Waits until its program runs.
    pub(super) async fn until_running(&self) -> Result<(), StartFailure> {
        let mut changes = self.tree.subscribe();
        loop {
            let status = self.tree.status();
            if status.main.is_some() {
                return Ok(());
            }
            self.check_possible(&status)?;
            if self.started.elapsed() >= self.give_up {
                return Err(self.timed_out());
            }
            let _ = tokio::time::timeout(PAUSE_MAX, changes.changed()).await;
        }
    }

    fn poll(&self, status: &Status) -> Result<Option<Vec<SocketAddr>>, StartFailure> {
        if status.main.is_none() {
            return Ok(None);
        }
        match &self.launch.ready {
            Ready::Listen | Ready::Exchange if self.unix.is_some() => {
                Ok(self.listens_at_path()?.then(Vec::new))
            }
            Ready::Listen | Ready::Exchange => {
                let table = socket_table(self.port)?;
                let own = if table.is_empty() {
                    table
                } else {
                    self.own(table)
                };
                let addrs = reachable(&own, self.launch.host);
                Ok((!addrs.is_empty()).then_some(addrs))
            }
            Ready::Line(stream, pattern) => self.poll_output(*stream, pattern),
        }
    }

    /// Whether a process of its tree listens at the path of the Unix socket.
    fn listens_at_path(&self) -> Result<bool, StartFailure> {
        let Some(path) = self.unix else {
            return Ok(false);
        };
        let table = unix_listeners(path)
            .map_err(|error| StartFailure::harness("read the kernel's socket table", error))?;
        if table.is_empty() {
            return Ok(false);
        }
        let own = OwnSockets::of(self.tree.supervisor_pid());
        Ok(table.iter().any(|listener| own.holds(listener.inode)))
    }

    fn poll_output(
        &self,
        stream: ReadyStream,
        pattern: &Regex,
    ) -> Result<Option<Vec<SocketAddr>>, StartFailure> {
        let output = self.output();
        let Some(announced) = find_line(stream, pattern, &output) else {
            return Ok(None);
        };
        if self.unix.is_some() {
            return Ok(Some(Vec::new()));
        }
        let port = announced.or(self.port);
        let addrs = reachable(&self.own(socket_table(port)?), self.launch.host);
        if !addrs.is_empty() {
            return Ok(Some(addrs));
        }
        // The line alone makes the server ready; it need not have a listener of its own.
        Ok(port.map(|port| vec![SocketAddr::new(self.launch.host, port)]))
    }

    /// Fails if the server can no longer become ready.
    fn check_possible(&self, status: &Status) -> Result<(), StartFailure> {
        if let Some(errno) = status.spawn_errno {
            return Err(self.spawn_failed(errno));
        }
        if let Some(errno) = status.bind_errno {
            let error = std::io::Error::from_raw_os_error(errno);
            let doing = format!("listen on port {} for the server", self.port.unwrap_or(0));
            return Err(StartFailure::harness(doing, error));
        }
        if let Some(failure) = (self.trouble)() {
            return Err(failure);
        }
        if let Some(error) = &status.harness_error {
            let error = std::io::Error::new(error.kind(), error.to_string());
            return Err(StartFailure::harness("watch the server's process", error));
        }
        if let Some(exit) = status.exit {
            // The first process of a daemon exits with code 0 while its child keeps running.
            if !exit.is_success() || status.tree_ended {
                return Err(self.exited(exit));
            }
        } else if status.supervisor_ended {
            let error = std::io::Error::other("its supervisor ended unexpectedly");
            return Err(StartFailure::harness("keep the server running", error));
        }
        Ok(())
    }

    fn spawn_failed(&self, errno: i32) -> StartFailure {
        let error = std::io::Error::from_raw_os_error(errno);
        let harness_errors = [
            libc::EAGAIN,
            libc::ENOMEM,
            libc::EMFILE,
            libc::ENFILE,
            libc::EPERM,
            libc::ESRCH,
        ];
        if harness_errors.contains(&errno) {
            return StartFailure::harness("start the server's process", error);
        }
        let program = self.launch.cmd.first().cloned().unwrap_or_default();
        if let Some(user) = self.launch.user.clone().filter(|_| errno == libc::EACCES) {
            let why = format!("it may not execute `{program}`: {error}");
            return StartFailure::User { user, why };
        }
        StartFailure::Spawn {
            program,
            cwd: self.launch.cwd.clone(),
            error,
        }
    }

    fn exited(&self, exit: super::Exit) -> StartFailure {
        let output = self.output();
        StartFailure::Exited {
            exit,
            after: self.started.elapsed(),
            stderr_tail: output.stderr_tail,
            stdout_tail: output.stdout_tail,
            holders: self.holders(),
        }
    }

    fn timed_out(&self) -> StartFailure {
        let Output {
            stderr_tail,
            stdout_tail,
            ..
        } = self.output();
        let port = self.port.unwrap_or(0);
        let holders = self.holders();
        if !holders.is_empty() && self.launch.ready.is_by_socket() {
            return StartFailure::PortInUse {
                port,
                holders,
                stderr_tail,
                stdout_tail,
            };
        }
        let elsewhere = self.own(listeners(None).unwrap_or_default());
        let pattern = match &self.launch.ready {
            Ready::Listen | Ready::Exchange => None,
            Ready::Line(_, pattern) => Some(pattern.as_str().into()),
        };
        StartFailure::NotReady {
            expected: Box::new(match self.unix {
                Some(path) => Address::Unix(path.to_owned()),
                None => Address::Tcp(SocketAddr::new(self.launch.host, port)),
            }),
            waited: self.started.elapsed(),
            listening_elsewhere: elsewhere.iter().map(|listener| listener.addr).collect(),
            stderr_tail,
            stdout_tail,
            pattern,
        }
    }

    /// Other processes that listen on the port.
    fn holders(&self) -> Vec<Holder> {
        let Some(port) = self.port else {
            return Vec::new();
        };
        let table = listeners(Some(port)).unwrap_or_default();
        let own = self.own(table.clone());
        let mut found = Vec::new();
        for foreign in table.into_iter().filter(|listener| !own.contains(listener)) {
            let addr = foreign.addr;
            let holders = proc::holders_of(foreign.inode);
            if holders.is_empty() {
                found.push(Holder {
                    pid: None,
                    comm: String::new(),
                    addr,
                });
            }
            found.extend(holders.into_iter().map(|(pid, comm)| Holder {
                pid: Some(pid),
                comm,
                addr,
            }));
        }
        found
    }

    /// The listeners that a process of the tree holds.
    fn own(&self, table: Vec<Listener>) -> Vec<Listener> {
        owned(table, self.tree.supervisor_pid())
    }

    fn output(&self) -> Output {
        let printed = self.tree.printed();
        Output::of(&printed.stdout, &printed.stderr)
    }
}

fn socket_table(port: Option<u16>) -> Result<Vec<Listener>, StartFailure> {
    listeners(port).map_err(|error| StartFailure::harness("read the kernel's socket table", error))
}

/// The sockets that the descendants of a process hold.
struct OwnSockets {
    inodes: Vec<u32>,
    /// Whether the descriptors of a descendant may not be read.
    hidden: bool,
}

impl OwnSockets {
    fn of(root: u32) -> Self {
        let tree = proc::descendants_quickly(root).unwrap_or_else(|| proc::descendants(root));
        let (mut inodes, mut hidden) = (Vec::new(), false);
        for process in tree.iter().filter(|process| !process.is_dead()) {
            match proc::socket_inodes(process.pid) {
                Ok(found) => inodes.extend(found),
                Err(error) => hidden |= error.kind() == std::io::ErrorKind::PermissionDenied,
            }
        }
        Self { inodes, hidden }
    }

    fn holds(&self, inode: u32) -> bool {
        self.inodes.contains(&inode) || (self.hidden && proc::holders_of(inode).is_empty())
    }
}

/// The listeners that a descendant of `root` holds. If the descriptors of a descendant may not be read, because it has
/// changed its user, listeners without a visible holder count too.
pub(super) fn owned(table: Vec<Listener>, root: u32) -> Vec<Listener> {
    let own = OwnSockets::of(root);
    let listeners = table.into_iter();
    listeners
        .filter(|listener| own.holds(listener.inode))
        .collect()
}

/// The addresses at which these listeners of a server expected at `host` can be reached: `host` first, then the loopback
/// address of the other family. A listener on any other specific address does not count.
pub(super) fn reachable(own: &[Listener], host: IpAddr) -> Vec<SocketAddr> {
    let mut found = Vec::new();
    for listener in own {
        let (ip, port) = (listener.addr.ip(), listener.addr.port());
        if ip == host {
            found.push(listener.addr);
        } else if ip.is_unspecified() {
            let families = [ip.is_ipv4() || !listener.v6_only, ip.is_ipv6()];
            let loopbacks = [
                IpAddr::V4(Ipv4Addr::LOCALHOST),
                IpAddr::V6(Ipv6Addr::LOCALHOST),
            ];
            for (loopback, _) in loopbacks
                .into_iter()
                .zip(families)
                .filter(|(_, takes)| *takes)
            {
                let ip = if loopback.is_ipv4() == host.is_ipv4() {
                    host
                } else {
                    loopback
                };
                found.push(SocketAddr::new(ip, port));
            }
        }
    }
    // A loopback listener of the other family counts only if there is also one on the host.
    let on_host = own.iter().any(|listener| listener.addr.ip() == host);
    let other_family = own
        .iter()
        .filter(|listener| on_host && listener.addr.ip().is_loopback());
    found.extend(other_family.map(|listener| listener.addr));
    found.sort_by_key(|addr| (addr.ip() != host, *addr));
    found.dedup();
    found
}

/// Searches the output for a line that matches, stdout first; an unfinished last line counts too. Returns the port in the
/// pattern's group `port`, if it has one.
fn find_line(stream: ReadyStream, pattern: &Regex, output: &Output) -> Option<Option<u16>> {
    let (stdout, stderr) = (output.stdout_tail.as_str(), output.stderr_tail.as_str());
    let texts = match stream {
        ReadyStream::Stdout => [stdout, ""],
        ReadyStream::Stderr => ["", stderr],
        ReadyStream::Either => [stdout, stderr],
    };
    let mut lines = texts.into_iter().flat_map(str::lines);
    let found = lines.find_map(|line| pattern.captures(line))?;
    Some(
        found
            .name("port")
            .and_then(|port| port.as_str().parse().ok()),
    )
}

#[cfg(test)]
mod tests {
    use super::super::output::Stream;
    use super::*;

    fn at(addr: &str, v6_only: bool) -> Listener {
        Listener {
            addr: addr.parse().unwrap(),
            backlog: 1,
            queued: 0,
            inode: 1,
            v6_only,
        }
    }

    fn reach(own: &[Listener], host: &str) -> Vec<String> {
        reachable(own, host.parse().unwrap())
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn where_to_connect() {
        assert_eq!(
            reach(&[at("127.0.0.1:7", false)], "127.0.0.1"),
            ["127.0.0.1:7"]
        );
        assert_eq!(
            reach(&[at("0.0.0.0:7", false)], "127.0.0.1"),
            ["127.0.0.1:7"]
        );
        assert_eq!(
            reach(&[at("0.0.0.0:7", false)], "127.0.0.9"),
            ["127.0.0.9:7"]
        );
        assert_eq!(
            reach(&[at("[::]:7", false)], "127.0.0.1"),
            ["127.0.0.1:7", "[::1]:7"]
        );
        assert_eq!(reach(&[at("[::]:7", true)], "127.0.0.1"), ["[::1]:7"]);
        assert_eq!(reach(&[at("[::1]:7", true)], "127.0.0.1"), [""; 0]);
        assert_eq!(reach(&[at("[::1]:7", true)], "::1"), ["[::1]:7"]);
        let both = [at("[::1]:7", true), at("127.0.0.1:7", false)];
        assert_eq!(reach(&both, "127.0.0.1"), ["127.0.0.1:7", "[::1]:7"]);
        assert_eq!(reach(&[at("10.0.0.1:7", false)], "127.0.0.1"), [""; 0]);
    }

    #[test]
    fn lines_of_output() {
        let pattern = Regex::new(r"^listening on \S+:(?P<port>\d+)").unwrap();
        let output = |text: &str| {
            let (stdout, stderr) = (Stream::default(), Stream::default());
            stdout.push(text.as_bytes());
            stderr.push(b"ready on stderr");
            Output::of(&stdout, &stderr)
        };
        let find =
            |pattern: &Regex, text: &str| find_line(ReadyStream::Stdout, pattern, &output(text));
        assert_eq!(
            find(&pattern, "hi\nlistening on 127.0.0.1:81\n"),
            Some(Some(81))
        );
        assert_eq!(find(&pattern, "hi\n"), None);
        let plain = Regex::new("ready").unwrap();
        assert_eq!(find(&plain, "x\nready"), Some(None));
        assert_eq!(find(&plain, "x\n"), None);
        let on = |stream| find_line(stream, &plain, &output("x\n"));
        assert_eq!(on(ReadyStream::Stderr), Some(None));
        assert_eq!(on(ReadyStream::Either), Some(None));
    }
}
