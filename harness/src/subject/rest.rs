//! How a server sleeps when it has nothing to do, and whether it has closed the connections of its clients by then.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;

use super::client::RehearsalClient;
use crate::process::Server;

/// How long a server may compute after its last client has left.
const COMING_TO_REST: Duration = Duration::from_millis(500);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// How long a server may take to release what it used for clients that have left.
const RELEASES: Duration = Duration::from_secs(2);
/// For how long the number of its processes must not have changed then.
const UNCHANGED: Duration = Duration::from_millis(200);

/// Number of clients after which a server must still hold the connections of all.
const CLIENTS: usize = 3;
/// How long a server may take to close a connection: it may look up its client's name.
const CLOSES: Duration = Duration::from_secs(5);

/// Processes of one name whose threads wait in the same calls.
#[derive(Clone, Debug, PartialEq, Eq, JsonSchema, Serialize)]
pub(crate) struct AtRest {
    /// The name of the processes, as the kernel knows it.
    pub name: String,
    /// Number of processes.
    pub processes: usize,
    /// Number of threads of each of them by what they do, such as `epoll_wait`.
    pub threads: BTreeMap<String, usize>,
}

/// What the server's threads do once it has nothing to do.
pub(super) async fn at_rest(server: &Server) -> Vec<AtRest> {
    let begun = Instant::now();
    while server.is_computing() && begun.elapsed() < COMING_TO_REST {
        tokio::time::sleep(PAUSE).await;
    }
    grouped(server.threads())
}

/// Waits until the server has released what it used for clients that have left: it has accepted and closed their connections, and
/// no more of its processes end. Not longer than [`RELEASES`].
pub(super) async fn released(server: &Server) {
    let holds = || server.waiting_for_accept() + server.abandoned().map_or(0, |left| left.total());
    let begun = Instant::now();
    let mut processes = server.tree().len();
    let mut since = Instant::now();
    while begun.elapsed() < RELEASES && (holds() > 0 || since.elapsed() < UNCHANGED) {
        tokio::time::sleep(PAUSE).await;
        let now = server.tree().len();
        if now != processes {
            (processes, since) = (now, Instant::now());
        }
    }
}

/// Whether the server keeps the connection of every client that has left, also after plain exchanges.
pub(super) async fn keeps_connections(client: &RehearsalClient) -> bool {
    let held = || {
        let left = client.server().abandoned();
        left.map_or(0, |left| left.total())
    };
    let before = held();
    // One may be kept until the next client comes.
    if before < 2 {
        return false;
    }
    for _ in 0..CLIENTS {
        if client.exchange().await.is_err() {
            return false;
        }
    }
    let begun = Instant::now();
    while held() >= before + CLIENTS {
        if begun.elapsed() >= CLOSES {
            return true;
        }
        tokio::time::sleep(PAUSE).await;
    }
    false
}

/// Processes that look the same, as one.
fn grouped(processes: Vec<(String, BTreeMap<String, usize>)>) -> Vec<AtRest> {
    let mut all: Vec<AtRest> = Vec::new();
    for (name, threads) in processes {
        let same = |known: &&mut AtRest| known.name == name && known.threads == threads;
        match all.iter_mut().find(same) {
            Some(known) => known.processes += 1,
            None => all.push(AtRest {
                name,
                processes: 1,
                threads,
            }),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_that_look_the_same_are_one_entry() {
        let doing =
            |name: &str, call: &str| (name.to_owned(), BTreeMap::from([(call.to_owned(), 1)]));
        let worker = || doing("nginx", "epoll_wait");
        let all = grouped(vec![doing("nginx", "rt_sigsuspend"), worker(), worker()]);
        let counts: Vec<usize> = all.iter().map(|one| one.processes).collect();
        assert_eq!(counts, [1, 2]);
    }
}
