//! Answers system calls of a server for the kernel: with errors that no client can cause, with short transfers, or late.
//!
//! A server that is started with [`StartOptions::inject`](super::StartOptions) gets a seccomp filter before its first
//! instruction, and inherits it to all its processes. A thread of tcprove receives each call that the filter names and
//! lets it proceed, unless a [`Rule`] is in force that concerns it: it concerns sockets of the server's address and waits
//! for them, its files and its output, and new threads, and nothing else. All other calls of the server cost nothing.
//! Without the option there is no filter.
//!
//! [`keeper`] ends the server's processes if tcprove and the supervisor are killed.

mod accepting;
mod caller;
pub(crate) mod calls;
mod engine;
mod keeper;
mod link;
mod place;
mod plausible;
mod rule;
mod shared;
mod transfer;

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

pub use calls::CallSet;
pub(crate) use calls::{CallKind, error_name};
use engine::Engine;
pub(super) use keeper::{KEEP, keep};
use link::Link;
pub(super) use link::connect;
pub(crate) use place::Site;
pub(crate) use plausible::results;
pub(crate) use rule::{Injected, Place, Record, Rule, SeenCall};
use shared::Shared;

use crate::sys::{CallFilter, CallListener};

/// The filter of a new process. `calls` is a link to which its listener goes, a colon, and the name of a [`CallSet`].
///
/// # Errors
/// Those of connect(2); there is no such set.
pub(super) fn filter(calls: &str) -> io::Result<CallFilter> {
    let known = calls
        .split_once(':')
        .and_then(|(link, set)| Some((link, CallSet::of_name(set)?)));
    let (link, set) = known.ok_or(io::ErrorKind::InvalidInput)?;
    Ok(CallFilter::new(&calls::numbers(set), connect(link)?))
}

/// Answers the calls of one server.
#[derive(Debug)]
pub(super) struct Injector {
    link: Mutex<Option<Link>>,
    name: String,
    shared: Arc<Shared>,
    status: Arc<Mutex<Status>>,
    /// Closed on drop, which ends the thread.
    stop: Option<OwnedFd>,
    stopped: Mutex<Option<OwnedFd>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Whether calls can be answered.
#[derive(Debug, Default)]
enum Status {
    #[default]
    Waiting,
    /// There is a listener; whether short transfers are possible.
    Ready { is_killable: bool },
    /// Why there is none.
    Failed(String),
}

/// What a thread needs to start its work.
struct Start {
    link: Link,
    shared: Arc<Shared>,
    status: Arc<Mutex<Status>>,
    stop: OwnedFd,
    executable: std::path::PathBuf,
    supervisor: u32,
    id: String,
}

impl Injector {
    /// Prepares for a server that is not started yet.
    ///
    /// # Errors
    /// Those of socket(2) and pipe(2).
    pub(super) fn prepare() -> io::Result<Injector> {
        let link = Link::open()?;
        let (stopped, stop) = io::pipe()?;
        Ok(Injector {
            name: link.name().to_owned(),
            link: Mutex::new(Some(link)),
            shared: Arc::default(),
            status: Arc::default(),
            stop: Some(stop.into()),
            stopped: Mutex::new(Some(stopped.into())),
            thread: Mutex::default(),
        })
    }

    /// What [`filter`] takes, for the supervisor: the link, and the calls that the filter names.
    pub(super) fn filter_of(&self, set: CallSet) -> String {
        format!("{}:{}", self.name, set.name())
    }

    /// Answers from now on the calls of a server that this supervisor starts. `executable` is that of the supervisor, `id`
    /// the entry of the environment that all processes of the tree have.
    ///
    /// # Errors
    /// No thread can be started.
    pub(super) fn begin(&self, executable: &Path, supervisor: u32, id: String) -> io::Result<()> {
        let (Some(link), Some(stop)) = (taken(&self.link), taken(&self.stopped)) else {
            return Ok(());
        };
        let start = Start {
            link,
            shared: Arc::clone(&self.shared),
            status: Arc::clone(&self.status),
            stop,
            executable: std::path::absolute(executable)?,
            supervisor,
            id,
        };
        let thread = std::thread::Builder::new()
            .name("injector".into())
            .spawn(move || start.run())?;
        *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(())
    }

    /// Puts a rule into force until the returned value is dropped. Another rule ends it.
    ///
    /// # Errors
    /// Why results cannot be injected.
    pub(super) fn arm(&self, site: Site, rule: Rule) -> Result<Injection, String> {
        let status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        match &*status {
            Status::Ready { is_killable: false } if rule.result == Injected::Short => {
                return Err("short transfers need Linux 5.19: a signal could repeat them".into());
            }
            Status::Ready { .. } => {}
            Status::Waiting => return Err("the server has not installed its filter".into()),
            Status::Failed(reason) => return Err(reason.clone()),
        }
        Ok(Injection {
            number: self.shared.arm(site, rule),
            shared: Arc::clone(&self.shared),
        })
    }
}

impl Injector {
    /// What is known of the calls of the server without a rule.
    pub(super) fn calls(&self) -> CallsSoFar {
        CallsSoFar {
            count: self.shared.calls(),
            has_rings: self.shared.has_rings(),
        }
    }
}

/// The calls of a server with a filter, whatever they act on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct CallsSoFar {
    /// Number of calls that the filter has reported.
    pub(crate) count: u64,
    /// A process uses io_uring, through which it makes calls that no filter sees.
    pub(crate) has_rings: bool,
}

fn taken<T>(place: &Mutex<Option<T>>) -> Option<T> {
    place.lock().unwrap_or_else(PoisonError::into_inner).take()
}

impl Drop for Injector {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = taken(&self.thread) {
            let _ = thread.join();
        }
    }
}

impl Start {
    fn run(self) {
        let status = Arc::clone(&self.status);
        let set = |new: Status| {
            *status.lock().unwrap_or_else(PoisonError::into_inner) = new;
        };
        let listener = match self.listener() {
            Ok(Some(listener)) => listener,
            Ok(None) => return,
            Err(error) => {
                return set(Status::Failed(format!(
                    "the kernel refuses a seccomp filter with a listener: {error}"
                )));
            }
        };
        let keeper = keeper::start(&self.executable, self.supervisor, &self.id, &listener);
        let keeper = match keeper {
            Ok(keeper) => Some(keeper),
            Err(error) => {
                set(Status::Failed(format!("cannot start a keeper: {error}")));
                None
            }
        };
        if keeper.is_some() {
            set(Status::Ready {
                is_killable: listener.is_killable(),
            });
        }
        // Without a rule every call proceeds.
        let told = keeper
            .as_ref()
            .and_then(|(control, _)| control.try_clone().ok());
        Engine::new(listener, self.shared, self.stop, told).run();
        if let Some((control, keeper)) = keeper {
            end(control, keeper);
        }
    }

    /// The listener, once the server has installed its filter. `None` if it never will.
    fn listener(&self) -> io::Result<Option<CallListener>> {
        let Some(stream) = self
            .waits_for(&self.link)?
            .then(|| self.link.accept())
            .flatten()
        else {
            return Ok(None);
        };
        if !self.waits_for(&stream)? {
            return Ok(None);
        }
        let (bytes, descriptor) = link::receive(&stream)?;
        if bytes.is_empty() {
            // The supervisor did not start the server.
            return Ok(None);
        }
        CallListener::received(&bytes, descriptor).map(Some)
    }

    /// Waits until something can be read. False if the thread has to end.
    fn waits_for(&self, source: impl std::os::fd::AsFd) -> io::Result<bool> {
        loop {
            let mut sources = [
                PollFd::new(&source, PollFlags::IN),
                PollFd::new(&self.stop, PollFlags::IN),
            ];
            match poll(&mut sources, None) {
                Ok(_) => return Ok(sources[1].revents().is_empty()),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Time for the keeper to kill what is left of a server.
const KEEPER_TIME: Duration = Duration::from_secs(5);

/// Waits for the keeper, which ends with the last process of the server.
fn end(control: UnixStream, mut keeper: Child) {
    drop(control);
    let begun = Instant::now();
    while matches!(keeper.try_wait(), Ok(None)) && begun.elapsed() < KEEPER_TIME {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A rule in force. Dropping it ends the rule.
#[derive(Debug)]
pub(crate) struct Injection {
    shared: Arc<Shared>,
    number: u64,
}

impl Injection {
    /// What the rule has done so far.
    pub(crate) fn record(&self) -> Record {
        self.shared.record(self.number).unwrap_or_default()
    }

    /// Ends the rule. Returns what it has done.
    pub(crate) fn end(self) -> Record {
        self.record()
    }
}

impl Drop for Injection {
    fn drop(&mut self) {
        self.shared.disarm(self.number);
    }
}
