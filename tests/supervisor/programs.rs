//! The servers of these tests, and functions that wait for them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tcprove::process::{Launch, Server, StartFailure, StartOptions};

/// Time limit for events that must happen. Reaching it is a failure.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The common beginning of the Python programs. `listen()` returns a listening socket on the port in argv[1].
const PRELUDE: &str = r#"
import os, signal, socket, sys, threading, time
KEPT = []
def listen(backlog=16, host="127.0.0.1", port=None, reuse=True):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    s = socket.socket(family)
    if reuse:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((host, int(sys.argv[1]) if port is None else port))
    s.listen(backlog)
    KEPT.append(s)
    return s
def forever():
    # A signal that arrives just before the sleep is handled after it.
    while True:
        time.sleep(0.1)
def note(text):
    with open(sys.argv[2], "a") as f:
        f.write(str(text) + "\n")
def daemonize():
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
"#;

/// A server that runs a Python `script`. argv[1] is the port, argv[2] a file for notes in `{tmp}`. `None` if there is no
/// python3.
pub fn python(script: &str) -> Option<Launch> {
    let interpreter = crate::support::python()?;
    let script = format!("{PRELUDE}\n{script}");
    Some(launch([
        interpreter,
        "-ESc",
        &script,
        "{port}",
        "{tmp}/notes",
    ]))
}

pub fn shell(script: &str) -> Launch {
    launch(["sh", "-c", script])
}

fn launch<const N: usize>(cmd: [&str; N]) -> Launch {
    crate::support::share();
    let mut launch = Launch::new(crate::support::program(), cmd);
    launch.ready_timeout = PATIENCE;
    launch
}

/// Starts a server, which must become ready.
pub async fn start(launch: &Launch) -> Server {
    Server::start(launch, StartOptions::default())
        .await
        .unwrap_or_else(|failure| panic!("{failure}"))
}

/// Starts a server without waiting until it is ready.
pub async fn run(launch: &Launch) -> Server {
    let options = StartOptions {
        await_ready: false,
        ..StartOptions::default()
    };
    Server::start(launch, options)
        .await
        .unwrap_or_else(|failure| panic!("{failure}"))
}

/// Starts a server, which must fail.
pub async fn start_failure(launch: &Launch) -> StartFailure {
    Server::start(launch, StartOptions::default())
        .await
        .expect_err("it must not become ready")
}

/// Polls until `look` returns a value.
pub async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "timed out waiting for {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Waits until a server has noted `count` pids, and returns them.
pub async fn noted(path: PathBuf, count: usize) -> Vec<u32> {
    let look = || {
        let text = std::fs::read_to_string(&path).ok()?;
        let complete = text.ends_with('\n') && text.lines().count() >= count;
        complete.then(|| {
            text.lines()
                .filter_map(|line| line.parse().ok())
                .collect::<Vec<u32>>()
        })
    };
    let numbers = until("notes of its processes", look).await;
    assert_eq!(numbers.len(), count);
    numbers
}

/// Whether a process exists and is not a zombie.
pub fn is_alive(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    !stat
        .rsplit(')')
        .next()
        .is_some_and(|rest| rest.trim_start().starts_with(['Z', 'X']))
}

/// The number of processes whose command line contains `token`.
pub fn alive_with(token: &str) -> usize {
    let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
    let has = |path: PathBuf| {
        std::fs::read(path.join("cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(token))
    };
    processes.filter(|entry| has(entry.path())).count()
}
