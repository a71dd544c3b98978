//! Waiting until a server is ready, by looking at it from outside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use regex::Regex;

use super::failure::{Holder, StartFailure};
use super::life::Life;
use super::output::Output;
use super::socket_table::{Listener, listeners};
use super::status::Status;
use super::{Launch, Ready, proc};

/// Between two looks: quick at first, so that fast servers are not rounded up, slower for slow ones.
const LOOK_FIRST: Duration = Duration::from_millis(1);
const LOOK_LAST: Duration = Duration::from_millis(10);

/// What is waited for.
pub(super) struct Wait<'a> {
    pub(super) launch: &'a Launch,
    pub(super) life: &'a Life,
    /// The port it was told to use; `None`: it chooses one.
    pub(super) port: Option<u16>,
    pub(super) started: Instant,
    pub(super) give_up: Duration,
}

impl Wait<'_> {
    /// Until it is ready: the addresses to connect to, best first.
    pub(super) async fn until_ready(&self) -> Result<Vec<SocketAddr>, StartFailure> {
        let mut news = self.life.news();
        let mut pause = LOOK_FIRST;
        loop {
            let status = self.life.status();
            if let Some(addrs) = self.look(&status)? {
                return Ok(addrs);
            }
            self.still_possible(&status)?;
            let waited = self.started.elapsed();
            if waited >= self.give_up
                || (waited >= self.launch.ready_timeout && self.is_elsewhere())
            {
                return Err(self.too_late());
            }
            // News ends the pause early; an error means there will be none any more.
            if let Ok(Err(_)) = tokio::time::timeout(pause, news.changed()).await {
                tokio::time::sleep(pause).await;
            }
            pause = (pause * 5 / 4).min(LOOK_LAST);
        }
    }

    /// It listens, and not where it was told to: more patience will not mend that.
    fn is_elsewhere(&self) -> bool {
        let asked_of_the_kernel = matches!(self.launch.ready, Ready::Listen);
        asked_of_the_kernel && !self.own(listeners(None).unwrap_or_default()).is_empty()
    }

    /// Until the program runs.
    pub(super) async fn until_running(&self) -> Result<(), StartFailure> {
        let mut news = self.life.news();
        loop {
            let status = self.life.status();
            if status.main.is_some() {
                return Ok(());
            }
            self.still_possible(&status)?;
            if self.started.elapsed() >= self.give_up {
                return Err(self.too_late());
            }
            let _ = tokio::time::timeout(LOOK_LAST, news.changed()).await;
        }
    }

    fn look(&self, status: &Status) -> Result<Option<Vec<SocketAddr>>, StartFailure> {
        if status.main.is_none() {
            return Ok(None);
        }
        match &self.launch.ready {
            Ready::Listen => {
                let table = socket_table(self.port)?;
                let own = if table.is_empty() {
                    table
                } else {
                    self.own(table)
                };
                let addrs = reachable(&own, self.launch.host);
                Ok((!addrs.is_empty()).then_some(addrs))
            }
            Ready::Stdout(pattern) => self.look_at_output(pattern),
        }
    }

    fn look_at_output(&self, pattern: &Regex) -> Result<Option<Vec<SocketAddr>>, StartFailure> {
        let output = self.output();
        let Some(announced) = find_line(pattern, &output) else {
            return Ok(None);
        };
        let port = announced.or(self.port);
        let addrs = reachable(&self.own(socket_table(port)?), self.launch.host);
        if !addrs.is_empty() {
            return Ok(Some(addrs));
        }
        // The file says that this line is what counts, so no listener of its own is asked for.
        Ok(port.map(|port| vec![SocketAddr::new(self.launch.host, port)]))
    }

    /// Errors that no waiting will mend.
    fn still_possible(&self, status: &Status) -> Result<(), StartFailure> {
        if let Some(errno) = status.refused {
            return Err(self.refused(errno));
        }
        if let Some(trouble) = &status.trouble {
            let error = std::io::Error::new(trouble.kind(), trouble.to_string());
            return Err(StartFailure::harness("watch the server's process", error));
        }
        if let Some(exit) = status.exit {
            // A server that makes itself a daemon ends its first process with success.
            if !exit.is_success() || status.empty {
                return Err(self.exited(exit));
            }
        } else if status.over {
            let error = std::io::Error::other("its supervisor ended by itself");
            return Err(StartFailure::harness("keep the server running", error));
        }
        Ok(())
    }

    fn refused(&self, errno: i32) -> StartFailure {
        let error = std::io::Error::from_raw_os_error(errno);
        let ours = [
            libc::EAGAIN,
            libc::ENOMEM,
            libc::EMFILE,
            libc::ENFILE,
            libc::EPERM,
            libc::ESRCH,
        ];
        if ours.contains(&errno) {
            return StartFailure::harness("start the server's process", error);
        }
        let program = self.launch.cmd.first().cloned().unwrap_or_default();
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

    fn too_late(&self) -> StartFailure {
        let Output {
            stderr_tail,
            stdout_tail,
            ..
        } = self.output();
        let port = self.port.unwrap_or(0);
        let holders = self.holders();
        if !holders.is_empty() && matches!(self.launch.ready, Ready::Listen) {
            return StartFailure::PortInUse {
                port,
                holders,
                stderr_tail,
                stdout_tail,
            };
        }
        let elsewhere = self.own(listeners(None).unwrap_or_default());
        let pattern = match &self.launch.ready {
            Ready::Listen => None,
            Ready::Stdout(pattern) => Some(pattern.as_str().to_owned()),
        };
        StartFailure::NotReady {
            port,
            waited: self.started.elapsed(),
            listening_elsewhere: elsewhere.iter().map(|listener| listener.addr).collect(),
            stderr_tail,
            stdout_tail,
            pattern,
        }
    }

    /// Who else listens on the port.
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

    /// Those that a process of the tree holds.
    fn own(&self, table: Vec<Listener>) -> Vec<Listener> {
        owned(table, self.life.supervisor_pid())
    }

    fn output(&self) -> Output {
        let printed = self.life.printed();
        Output::of(&printed.stdout, &printed.stderr)
    }
}

fn socket_table(port: Option<u16>) -> Result<Vec<Listener>, StartFailure> {
    listeners(port)
        .map_err(|error| StartFailure::harness("read the kernel's table of sockets", error))
}

/// The listeners that a descendant of `root` holds. A process whose descriptors we may not see (it changed
/// its user) cannot be ruled out; then a listener counts if nobody else is seen to hold it.
pub(super) fn owned(table: Vec<Listener>, root: u32) -> Vec<Listener> {
    let tree = proc::descendants_quickly(root).unwrap_or_else(|| proc::descendants(root));
    let mut inodes = Vec::new();
    let mut hidden = false;
    for process in tree.iter().filter(|process| !process.is_dead()) {
        match proc::socket_inodes(process.pid) {
            Ok(found) => inodes.extend(found),
            Err(error) => hidden |= error.kind() == std::io::ErrorKind::PermissionDenied,
        }
    }
    let is_own = |listener: &Listener| {
        inodes.contains(&listener.inode) || (hidden && proc::holders_of(listener.inode).is_empty())
    };
    table.into_iter().filter(is_own).collect()
}

/// Where these can be connected to, for a server expected at `host`: the host itself first, then the
/// loopback address of the other family. A specific address that is not the host does not count.
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
    // A loopback listener of the other family counts beside a right one, in whichever order they came.
    let right = own.iter().any(|listener| listener.addr.ip() == host);
    let beside = own
        .iter()
        .filter(|listener| right && listener.addr.ip().is_loopback());
    found.extend(beside.map(|listener| listener.addr));
    found.sort_by_key(|addr| (addr.ip() != host, *addr));
    found.dedup();
    found
}

/// The first line that matches; in it the port the server says it chose, if the pattern has such a group.
/// Lines are looked for on stdout, then on stderr; an unfinished last line counts too.
fn find_line(pattern: &Regex, output: &Output) -> Option<Option<u16>> {
    let lines = output.stdout_tail.lines().chain(output.stderr_tail.lines());
    let found = lines.filter_map(|line| pattern.captures(line)).next()?;
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
            let stream = Stream::default();
            stream.push(text.as_bytes());
            Output::of(&stream, &Stream::default())
        };
        assert_eq!(
            find_line(&pattern, &output("hi\nlistening on 127.0.0.1:81\n")),
            Some(Some(81))
        );
        assert_eq!(find_line(&pattern, &output("hi\n")), None);
        let plain = Regex::new("ready").unwrap();
        assert_eq!(find_line(&plain, &output("x\nready")), Some(None));
    }
}
