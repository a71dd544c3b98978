//! Servers in this process and in child processes, and clients with timeouts.

pub mod client;
pub mod tls;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown as Direction, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tcprove_server::{Config, ServerError, Shutdown, bind, run};

/// Timeout for everything that a healthy server does. Generous, because the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The path of the server's binary.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_tcprove-server");

/// A server in a thread of this process.
pub struct Inside {
    /// The address of a server that does not listen on a Unix socket.
    pub address: Option<SocketAddr>,
    pub shutdown: Shutdown,
    thread: Option<JoinHandle<Result<(), ServerError>>>,
}

impl Inside {
    pub fn start(config: Config) -> Self {
        let worker_exe = Some((PathBuf::from(PROGRAM), Vec::new()));
        let config = Config {
            worker_exe,
            ..config
        };
        let listener = bind(&config).unwrap();
        let address = listener.local_addr().ok();
        let shutdown = Shutdown::new().unwrap();
        let thread = thread::spawn({
            let shutdown = shutdown.clone();
            move || run(listener, config, shutdown)
        });
        Self {
            address,
            shutdown,
            thread: Some(thread),
        }
    }

    pub fn connect(&self) -> TcpStream {
        connect(self.address.unwrap())
    }

    /// Stops the server and waits until it has ended.
    pub fn stop(mut self) {
        self.shutdown.trigger();
        self.thread.take().unwrap().join().unwrap().unwrap();
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.shutdown.trigger();
    }
}

/// The server as a child process, killed on drop.
pub struct Process {
    pub child: Child,
    /// The port; 0 on a Unix socket.
    pub port: u16,
    pub output: BufReader<std::process::ChildStdout>,
}

impl Process {
    pub fn start(arguments: &[&str]) -> Self {
        Self::spawn(Command::new(PROGRAM).args(arguments))
    }

    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let address = line
            .trim_end()
            .strip_prefix("listening on ")
            .and_then(|address| address.rsplit_once(':'));
        let port = match address {
            Some(("unix", _)) => Some(0),
            Some((_, port)) => port.parse().ok(),
            None => None,
        };
        let port = port.unwrap_or_else(|| panic!("not ready: {line:?}"));
        Self {
            child,
            port,
            output,
        }
    }

    pub fn connect(&self) -> TcpStream {
        connect(([127, 0, 0, 1], self.port).into())
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal)
            .unwrap();
    }

    /// CPU time of all threads that live, as the scheduler counts it.
    pub fn cpu_time(&self) -> Duration {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let nanos = |task: PathBuf| -> u64 {
            let times = std::fs::read_to_string(task.join("schedstat")).unwrap_or_default();
            let on_cpu = times.split(' ').next().unwrap_or_default();
            on_cpu.parse().unwrap_or(0)
        };
        Duration::from_nanos(tasks.flatten().map(|task| nanos(task.path())).sum())
    }

    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends the request and expects exactly this reply.
pub fn exchange(stream: &mut (impl Read + Write), request: &[u8], reply: &[u8]) {
    stream.write_all(request).unwrap();
    expect(stream, reply);
}

/// Expects exactly these bytes.
pub fn expect(stream: &mut impl Read, reply: &[u8]) {
    let mut got = vec![0; reply.len()];
    stream.read_exact(&mut got).unwrap();
    assert_eq!(
        String::from_utf8_lossy(&got),
        String::from_utf8_lossy(reply)
    );
}

/// Reads until the server's end of the stream. A reset is an error, and over TLS the lack of a
/// close_notify.
pub fn read_all(stream: &mut impl Read) -> Vec<u8> {
    let mut got = Vec::new();
    stream.read_to_end(&mut got).unwrap();
    got
}

pub fn finish(stream: &TcpStream) {
    stream.shutdown(Direction::Write).unwrap();
}

/// Polls a condition until it holds, and panics after [`PATIENCE`].
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + PATIENCE;
    while !condition() {
        assert!(std::time::Instant::now() < end, "gave up waiting: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The child processes of a process.
pub fn children(id: u32) -> Vec<u32> {
    let read = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
    read.unwrap_or_default()
        .split_whitespace()
        .map(|child| child.parse().unwrap())
        .collect()
}

/// Whether a process runs and is not a zombie.
pub fn runs(id: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, state)| !state.starts_with(['Z', 'X']))
}
