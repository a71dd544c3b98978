//! tcprove as a library: prove a server from any `#[test]`, without an installed binary.
//!
//! [`Prove`] says which server, and which conversation it holds. Its methods start servers of their own and judge or measure
//! them, as the commands of the same names do. They block, and may be called anywhere, also inside an async runtime.

mod apart;
mod checks;
mod client;
mod control;
mod error;
mod exchange;
mod figures;
mod findings;
mod prepared;
mod server;
#[cfg(feature = "proptest")]
pub mod strategy;
mod words;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use checks::Checks;
pub use client::Client;
pub use error::{ProveError, Result};
pub use figures::{Figures, Loaded};
pub use findings::Fuzzed;
use prepared::Prepared;
pub use server::Server;

use crate::data::clock_seed;
use crate::load::Workload;

/// A server and its conversation, to be proved.
///
/// ```no_run
/// use tcprove::{Prove, Workload, ms, secs};
///
/// let server = Prove::cmd(["target/debug/my-server", "--port", "{port}"]).talk("line");
/// server.check("split-*").assert_pass();
/// server.load(Workload::closed(10).lasting(secs(2))).assert(|figures| figures.p99 < ms(5));
/// server.fuzz(secs(10)).assert_no_findings();
/// ```
#[derive(Clone, Debug)]
pub struct Prove {
    origin: ProveOrigin,
    conversation: Option<Conversation>,
    env: BTreeMap<String, String>,
    params: BTreeMap<String, String>,
    cwd: Option<PathBuf>,
    seed: u64,
    out: PathBuf,
}

/// Where the server comes from.
#[derive(Clone, Debug)]
enum ProveOrigin {
    /// This command starts it.
    Command(Vec<String>),
    /// A `tcprove.toml` says how it is started.
    File(PathBuf),
    /// It is running.
    Running(SocketAddr),
}

/// Where its conversation is described.
#[derive(Clone, Debug)]
enum Conversation {
    /// A built-in talk.
    Builtin(String),
    /// A file.
    File(PathBuf),
    /// The text of a file.
    Text(String),
}

/// The folder for findings, which the command line has too.
const OUT: &str = "tcprove-fuzz";

impl Prove {
    /// The server that this command starts: the program and its arguments, which contain `{port}` where the port belongs.
    /// Each start gets a free port.
    pub fn cmd<W: Into<String>>(words: impl IntoIterator<Item = W>) -> Self {
        let words = words.into_iter().map(Into::into).collect();
        Self::of(ProveOrigin::Command(words))
    }

    /// The server and the conversation that a `tcprove.toml` describes.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::of(ProveOrigin::File(path.into()))
    }

    /// A server that is already running, for example in a thread of the test. What needs a fresh server is skipped.
    pub fn running(address: SocketAddr) -> Self {
        Self::of(ProveOrigin::Running(address))
    }

    fn of(origin: ProveOrigin) -> Self {
        Self {
            origin,
            conversation: None,
            env: BTreeMap::new(),
            params: BTreeMap::new(),
            cwd: None,
            seed: clock_seed(),
            out: OUT.into(),
        }
    }

    /// It holds the built-in conversation of this name, such as `line`, `http` or `redis`.
    #[must_use]
    pub fn talk(mut self, name: &str) -> Self {
        self.conversation = Some(Conversation::Builtin(name.into()));
        self
    }

    /// It holds the conversation that this file describes.
    #[must_use]
    pub fn talk_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.conversation = Some(Conversation::File(path.into()));
        self
    }

    /// It holds the conversation that this text describes, as a `tcprove.toml` would: `[talk]`, and `[promise]` if it promises
    /// anything.
    #[must_use]
    pub fn conversation(mut self, toml: impl Into<String>) -> Self {
        self.conversation = Some(Conversation::Text(toml.into()));
        self
    }

    /// Sets an environment variable of the server.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Sets a parameter: the value of `{name}` in the server's command.
    #[must_use]
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.params.insert(name.into(), value.into());
        self
    }

    /// Starts the server in this folder instead of the current one.
    #[must_use]
    pub fn cwd(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cwd = Some(folder.into());
        self
    }

    /// Sets the seed of everything random. Without it each run has another one, which a failure names.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Writes findings of [`Prove::fuzz`] below this folder instead of `tcprove-fuzz` in the current one.
    #[must_use]
    pub fn out(mut self, folder: impl Into<PathBuf>) -> Self {
        self.out = folder.into();
        self
    }

    /// Starts a server, which ends when the value is dropped.
    ///
    /// # Errors
    /// The description is not valid, or the server does not start.
    pub fn start(&self) -> Result<Server> {
        Server::spawn(self)
    }

    /// Runs the checks whose id matches one of these globs, with commas between them: `split-*`, `rst-*,fin-*`; `*` is the
    /// whole battery. Each runs on servers of its own, and a failure is repeated on a fresh one before it counts.
    ///
    /// One run at a time is made in a process, since several checks measure time or memory.
    pub fn check(&self, globs: &str) -> Checks {
        Checks::run(self, globs)
    }

    /// Puts a load on a fresh server and measures it.
    pub fn load(&self, workload: Workload) -> Loaded {
        Loaded::run(self, workload)
    }

    /// Sends mutated conversations to servers for this time, and confirms and minimizes what it finds.
    pub fn fuzz(&self, duration: Duration) -> Fuzzed {
        Fuzzed::run(self, duration)
    }

    fn prepared(&self) -> Result<Prepared> {
        Prepared::of(self)
    }
}

/// So many milliseconds.
pub const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// So many seconds.
pub const fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}
