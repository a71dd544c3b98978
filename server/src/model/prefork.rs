//! Worker processes that share one listener.
//!
//! The parent opens the listener and starts the workers by executing its own program again, because
//! a fork of a multi-threaded process may only call async-signal-safe functions. A worker inherits
//! two descriptors: the listener, and as its standard input a pipe whose other end only the parent
//! holds. A byte in the pipe tells the worker to drain. The end of the pipe means that the parent
//! is gone, for whatever reason, and the worker exits immediately, so that no orphan keeps the port.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::session::blocking::poll_until;
use crate::tls::Tls;
use crate::{Config, Listener, ServerError, Shutdown};

/// A worker that ends within this time is replaced only after a pause.
const SHORT_LIFE: Duration = Duration::from_secs(1);
/// The first pause before a worker is replaced. It doubles with each further failure.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// Maximum pause before a worker is replaced.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Number of consecutive short lives of a worker after which the server gives up.
const SHORT_LIVES_MAX: u32 = 5;
/// Time that the workers get to exit after the drain.
const GRACE: Duration = Duration::from_secs(2);

/// Starts the workers and replaces those that end, until the shutdown; then drains them.
pub(super) fn run(
    listener: Listener,
    config: &Config,
    shutdown: &Shutdown,
) -> Result<(), ServerError> {
    let mut slots = Vec::new();
    for number in 0..config.workers.max(1) {
        let worker = Some(Worker::spawn(&listener, config, number)?);
        slots.push(Slot {
            number,
            worker,
            pause: PAUSE_MIN,
            short_lives: 0,
        });
    }
    while !shutdown.is_triggered() {
        wait(&slots, Some(shutdown), None)?;
        for slot in &mut slots {
            slot.refill(&listener, config)?;
        }
    }
    drop(listener);
    drain(slots, config.drain + GRACE)
}

/// Tells the workers to drain and waits for at most `time`. Remaining workers are killed.
fn drain(slots: Vec<Slot>, time: Duration) -> Result<(), ServerError> {
    let until = Instant::now() + time;
    let mut slots = slots;
    for worker in slots.iter_mut().filter_map(|slot| slot.worker.as_mut()) {
        worker.tell_to_drain();
    }
    while slots.iter().any(|slot| slot.worker.is_some()) && Instant::now() < until {
        wait(&slots, None, Some(until))?;
        for slot in &mut slots {
            slot.clear_dead();
        }
    }
    Ok(())
}

/// Waits until a worker ends, the shutdown is triggered, or the pause of an empty slot is over.
fn wait(
    slots: &[Slot],
    shutdown: Option<&Shutdown>,
    until: Option<Instant>,
) -> Result<(), ServerError> {
    let workers = slots.iter().filter_map(|slot| slot.worker.as_ref());
    let mut fds: Vec<_> = workers
        .map(|worker| worker.pidfd.as_fd())
        .chain(shutdown.map(AsFd::as_fd))
        .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
        .collect();
    // An empty slot waits for its pause.
    let empty = slots.iter().find(|slot| slot.worker.is_none());
    let until = until.or_else(|| empty.map(|slot| Instant::now() + slot.pause));
    poll_until(&mut fds, until).map_err(ServerError::start("wait for the workers"))
}

/// The place of one worker.
struct Slot {
    number: usize,
    worker: Option<Worker>,
    /// The pause before the next attempt to start a worker.
    pause: Duration,
    /// Number of consecutive workers that ended within [`SHORT_LIFE`].
    short_lives: u32,
}

impl Slot {
    /// Replaces the worker if it has ended: immediately, or after a pause if its life was short.
    fn refill(&mut self, listener: &Listener, config: &Config) -> Result<(), ServerError> {
        if self.worker.is_some() {
            let Some(lived) = self.clear_dead() else {
                return Ok(());
            };
            tracing::warn!("a worker ended and will be replaced");
            if lived < SHORT_LIFE {
                return self.lived_short();
            }
            (self.pause, self.short_lives) = (PAUSE_MIN, 0);
        }
        match Worker::spawn(listener, config, self.number) {
            Ok(worker) => self.worker = Some(worker),
            Err(error) => {
                tracing::warn!(%error, "cannot replace a worker");
                self.pause = (self.pause * 2).min(PAUSE_MAX);
            }
        }
        Ok(())
    }

    fn lived_short(&mut self) -> Result<(), ServerError> {
        self.short_lives += 1;
        if self.short_lives == SHORT_LIVES_MAX {
            let why = format!(
                "{SHORT_LIVES_MAX} workers in a row ended within {} s of their start",
                SHORT_LIFE.as_secs()
            );
            return Err(ServerError::start("keep a worker running")(
                io::Error::other(why),
            ));
        }
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        Ok(())
    }

    /// Empties the slot if its worker has ended, and returns how long the worker lived.
    fn clear_dead(&mut self) -> Option<Duration> {
        let worker = self.worker.as_mut()?;
        let status = worker.child.try_wait().ok().flatten()?;
        tracing::info!(pid = worker.child.id(), %status, "a worker ended");
        self.worker.take().map(|worker| worker.started.elapsed())
    }
}

/// A worker process. It is killed on drop.
struct Worker {
    child: Child,
    /// Readable once the process has ended.
    pidfd: OwnedFd,
    started: Instant,
}

impl Worker {
    fn spawn(listener: &Listener, config: &Config, number: usize) -> Result<Self, ServerError> {
        let (program, leading) = config
            .worker_exe
            .as_ref()
            .ok_or(ServerError::NoWorkerProgram)?;
        let spawned = || {
            // The only inheritable copy; it is closed when this function returns.
            let inherited = fcntl_dupfd_cloexec(listener.as_fd(), 3)?;
            fcntl_setfd(&inherited, FdFlags::empty())?;
            let mut child = Command::new(program)
                .args(leading)
                .args(arguments(config, number, inherited.as_raw_fd()))
                .stdin(Stdio::piped())
                .spawn()?;
            match pidfd_open(Pid::from_child(&child), PidfdFlags::empty()) {
                Ok(pidfd) => Ok(Self {
                    child,
                    pidfd,
                    started: Instant::now(),
                }),
                Err(error) => {
                    // Closing the pipe ends the worker.
                    drop(child.stdin.take());
                    child.wait()?;
                    Err(error.into())
                }
            }
        };
        spawned().map_err(ServerError::start("start a worker"))
    }

    fn tell_to_drain(&mut self) {
        if let Some(lifeline) = &mut self.child.stdin {
            // Writing fails if the worker has already ended, which is fine.
            let _ = lifeline.write_all(b"s");
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Both fail only if the process has ended and was reaped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The arguments that pass the settings on to worker `number`.
fn arguments(config: &Config, number: usize, listener: i32) -> Vec<OsString> {
    let ms = |time: Duration| format!("{}ms", time.as_millis());
    // With the same seed all workers would draw the same delays.
    let delay_seed = config.delay_seed.wrapping_add(number as u64);
    let connections = config.max_connections.div_ceil(config.workers.max(1));
    let mut list = vec![
        ("--inherited-fd", listener.to_string()),
        ("--protocol", config.protocol.to_string()),
        ("--recv-buffer", config.recv_buffer.to_string()),
        ("--max-message", config.max_message.to_string()),
        ("--idle-timeout", ms(config.idle_timeout)),
        ("--max-connections", connections.to_string()),
        ("--drain", ms(config.drain)),
        ("--linger", ms(config.linger)),
        ("--write-bound", config.write_bound.to_string()),
        ("--delay-seed", delay_seed.to_string()),
        ("--slower", config.slower_percent.to_string()),
    ];
    if let Some(size) = config.so_rcvbuf_after_accept {
        list.push(("--so-rcvbuf-after-accept", size.to_string()));
    }
    list.extend(transport_arguments(config));
    if let Some(every) = config.push {
        list.push(("--push", ms(every)));
    }
    if let Some(delay) = config.delay {
        list.push(("--delay", delay.to_string()));
    }
    if let Some(fault) = config.fault {
        list.push(("--fault", fault.name.to_owned()));
    }
    let list = list
        .into_iter()
        .map(|(name, value)| format!("{name}={value}").into());
    list.chain(paths(config)).collect()
}

fn transport_arguments(config: &Config) -> Vec<(&'static str, String)> {
    let handshake_ms = config.handshake_timeout.as_millis();
    let mut list = vec![("--handshake-timeout", format!("{handshake_ms}ms"))];
    if let Some(version) = config.proxy {
        list.push(("--proxy", version.to_string()));
    }
    if config.starttls {
        list.push(("--starttls", "true".to_owned()));
    }
    if let Some(tls) = &config.tls {
        let names = tls.files().alpn.iter();
        list.extend(names.map(|name| ("--tls-alpn", name.clone())));
    }
    list
}

/// The arguments that are paths, which need not be UTF-8.
fn paths(config: &Config) -> impl Iterator<Item = OsString> {
    let tls = config.tls.as_ref().map(Tls::files);
    let list = [
        ("--delay-log=", config.delay_log.as_ref()),
        ("--unix=", config.unix.as_ref()),
        ("--tls-cert=", tls.map(|files| &files.cert)),
        ("--tls-key=", tls.map(|files| &files.key)),
        (
            "--tls-client-ca=",
            tls.and_then(|files| files.client_ca.as_ref()),
        ),
    ];
    list.into_iter().filter_map(|(name, path)| {
        let mut argument = OsString::from(name);
        argument.push(path?);
        Some(argument)
    })
}
