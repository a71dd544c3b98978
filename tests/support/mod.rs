//! Runs the binary as a user would, and reads its output and files.

pub mod battery;
mod machine;
pub mod reports;
pub mod schema;
pub mod skip;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, OnceLock};
use std::time::{Duration, Instant};

pub use machine::{alone, at_once, is_own_process, share};
use rustix::process::{Pid, Signal, kill_process};

/// Time limit for events that must happen. Reaching it is a failure.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// Pause between two polls of a condition.
const POLL_PAUSE: Duration = Duration::from_millis(5);

/// The path of the `tcprove` binary: the optimized one that `TCPROVE_OPTIMIZED` names, which needs less CPU time, or else
/// that of the build under test.
pub fn program() -> &'static str {
    static OPTIMIZED: LazyLock<Option<String>> =
        LazyLock::new(|| std::env::var("TCPROVE_OPTIMIZED").ok());
    OPTIMIZED
        .as_deref()
        .unwrap_or(env!("CARGO_BIN_EXE_tcprove"))
}

/// A test's own folder and marker, and the binary.
pub struct Bench {
    folder: tempfile::TempDir,
    /// A unique text. A server with it in its command line can be found in the process list.
    pub marker: String,
}

/// How a run ended.
pub struct Ended {
    /// `None` after a signal.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    /// Peak resident memory of tcprove's process.
    pub rss_peak_kib: u64,
}

/// A run that has not ended.
pub struct Running {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
    rss_peak_kib: u64,
}

impl Bench {
    pub fn new() -> Self {
        share();
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self {
            folder: tempfile::tempdir().unwrap(),
            marker: format!("marker-{}-{number}-end", std::process::id()),
        }
    }

    /// The path of a file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file into the folder.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Reads a file in the folder.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// A command that runs the binary in the folder, with tcprove in PATH and without environment variables that change
    /// its output.
    pub fn tcprove(&self) -> Command {
        let binary = Path::new(program());
        let mut path = vec![binary.parent().unwrap().to_owned()];
        path.extend(std::env::split_paths(
            &std::env::var_os("PATH").unwrap_or_default(),
        ));
        let mut command = Command::new(binary);
        command
            .current_dir(self.folder.path())
            .env("PATH", std::env::join_paths(path).unwrap())
            .env_remove("GITHUB_STEP_SUMMARY")
            .env_remove("GITHUB_ACTIONS")
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE");
        command
    }

    /// Starts a command with its output redirected to files in the folder.
    pub fn start(&self, mut command: Command) -> Running {
        let (stdout, stderr) = (self.path(".stdout"), self.path(".stderr"));
        let create = |path: &Path| std::fs::File::create(path).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(create(&stdout))
            .stderr(create(&stderr))
            .spawn()
            .unwrap();
        Running {
            child,
            stdout,
            stderr,
            rss_peak_kib: 0,
        }
    }

    /// Runs `tcprove` with these arguments until it ends.
    pub fn run<S: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ended {
        let mut command = self.tcprove();
        command.args(arguments);
        self.end(command)
    }

    /// Runs a command until it ends.
    pub fn end(&self, command: Command) -> Ended {
        self.start(command).end()
    }

    /// The processes with this test's marker in their command line.
    pub fn left(&self) -> Vec<String> {
        let marker = self.marker.as_bytes();
        let own = std::process::id().to_string();
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let marked = |entry: std::fs::DirEntry| {
            let name = entry.file_name().into_string().ok()?;
            let words = std::fs::read(entry.path().join("cmdline")).ok()?;
            let found = words.windows(marker.len()).any(|part| part == marker);
            (found && name != own).then(|| format!("{name}: {}", String::from_utf8_lossy(&words)))
        };
        processes.filter_map(marked).collect()
    }

    /// Asserts that no process of this test is left.
    pub fn assert_nothing_left(&self) {
        assert_eq!(self.left(), Vec::<String>::new());
    }
}

impl Running {
    /// Waits until it prints `listening on ADDRESS`, and returns the address.
    pub fn address(&self) -> std::net::SocketAddr {
        let mut found = None;
        until("the address", || {
            let heard = self.stdout();
            let addr = heard
                .lines()
                .find_map(|line| line.strip_prefix("listening on "));
            found = addr.and_then(|addr| addr.parse().ok());
            found.is_some()
        });
        found.expect("an address")
    }

    /// Waits until it ends. Panics after [`PATIENCE`].
    pub fn end(mut self) -> Ended {
        let begun = Instant::now();
        loop {
            self.look_at_memory();
            if let Some(status) = self.child.try_wait().unwrap() {
                return Ended {
                    code: status.code(),
                    stdout: read(&self.stdout),
                    stderr: read(&self.stderr),
                    rss_peak_kib: self.rss_peak_kib,
                };
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "no end; stderr: {}",
                read(&self.stderr)
            );
            std::thread::sleep(POLL_PAUSE);
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Its stdout so far.
    pub fn stdout(&self) -> String {
        read(&self.stdout)
    }

    /// Its stderr so far.
    pub fn stderr(&self) -> String {
        read(&self.stderr)
    }

    /// Reads the kernel's high-water mark. The last value that is read may miss the last few milliseconds.
    fn look_at_memory(&mut self) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap_or_default();
        let mark = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = mark.and_then(|mark| mark.trim().trim_end_matches(" kB").parse().ok());
        self.rss_peak_kib = self.rss_peak_kib.max(kib.unwrap_or(0));
    }
}

impl Drop for Running {
    /// Kills the process, so that a failed test leaves none behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// Both streams, for the messages of assertions.
    pub fn all(&self) -> String {
        format!(
            "code {:?}\nstdout: {}\nstderr: {}",
            self.code, self.stdout, self.stderr
        )
    }
}

fn read(path: &Path) -> String {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    String::from_utf8(bytes).expect("tcprove prints UTF-8")
}

/// Polls until the condition holds.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "timed out waiting for {what}");
        std::thread::sleep(POLL_PAUSE);
    }
}

/// Whether a program of this name is in PATH.
pub fn is_in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// A Python interpreter with these modules, as in `import yaml, scipy`, or the reason why there is none. `TCPROVE_PYTHON` names
/// it; the default is `python3`.
pub fn python_with(modules: &str) -> Result<String, String> {
    let python = std::env::var("TCPROVE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let import = format!("import {modules}");
    match Command::new(&python).args(["-c", &import]).output() {
        Ok(output) if output.status.success() => Ok(python),
        Ok(_) => Err(format!("{modules}: {python} does not have it")),
        Err(error) => Err(format!("{modules}: {python}: {error}")),
    }
}

/// The path of the Python interpreter itself, not of a wrapper. If there is none, the test is recorded as skipped.
#[track_caller]
pub fn python() -> Option<&'static str> {
    static FOUND: OnceLock<Option<String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let mut command = Command::new("python3");
        let out = command
            .args(["-c", "import sys; print(sys.executable)"])
            .output()
            .ok()?;
        let path = String::from_utf8(out.stdout).ok()?;
        out.status.success().then(|| path.trim().to_owned())
    });
    if found.is_none() {
        skip::needs("python3");
    }
    found.as_deref()
}

/// The path of a file in `tests/data`.
pub fn data(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/data")
        .join(name);
    path.canonicalize().unwrap().to_str().unwrap().to_owned()
}
