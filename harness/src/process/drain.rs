//! The thread that reads the server's output and the supervisor's reports. A thread of its own, so that the
//! server never blocks on a full pipe while tcprove is busy.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::sync::watch;

use super::Exit;
use super::output::Stream;
use super::status::{MainProcess, Status};

/// Maximum length of an unfinished report line, in bytes. Reading stops beyond it.
const REPORT_BYTES_MAX: usize = 4096;

/// Maximum number of bytes read from each pipe after the main process has ended and before its exit is published.
const FINAL_OUTPUT_BYTES_MAX: usize = 1 << 20;

/// The output of a server: both streams and the pipes they are read from.
#[derive(Debug)]
pub(super) struct Printed {
    pub(super) stdout: Stream,
    pub(super) stderr: Stream,
    pipes: [OwnedFd; 2],
    hold_stdout: AtomicBool,
}

/// The output of a server that may have ended.
#[derive(Debug)]
pub(crate) struct Printout(pub(super) Arc<Printed>);

impl Printout {
    /// The kept part of its stderr, and the number of bytes of all of it.
    pub(crate) fn stderr(&self) -> (Vec<u8>, u64) {
        self.0.stderr.since(0)
    }
}

impl Printed {
    pub(super) fn new(stdout: OwnedFd, stderr: OwnedFd, hold_stdout: bool) -> Printed {
        Printed {
            stdout: Stream::default(),
            stderr: Stream::default(),
            pipes: [stdout, stderr],
            hold_stdout: AtomicBool::new(hold_stdout),
        }
    }

    /// Stops reading stdout. A read that has already begun may still complete.
    pub(super) fn hold_stdout(&self) {
        self.hold_stdout.store(true, Ordering::Release);
    }

    fn stream(&self, index: usize) -> &Stream {
        if index == 0 {
            &self.stdout
        } else {
            &self.stderr
        }
    }

    fn is_held(&self, index: usize) -> bool {
        index == 0 && self.hold_stdout.load(Ordering::Acquire)
    }
}

/// Reads the output and the reports, and publishes the status, until the supervisor ends.
pub(super) fn run(mut reports: UnixStream, printed: &Printed, status: &watch::Sender<Status>) {
    let sources = [
        &reports as &dyn AsFdDyn,
        &printed.pipes[0],
        &printed.pipes[1],
    ];
    if let Some(error) = sources
        .iter()
        .find_map(|source| set_nonblocking(*source).err())
    {
        status.send_modify(|status| status.harness_error = Some(Arc::new(error)));
    }
    let mut drain = Drain {
        printed,
        status,
        open: [true, true],
        buffer: vec![0; 64 * 1024],
        line: Vec::new(),
    };
    while drain.step(&mut reports) {}
    drain.read_final_output();
    status.send_modify(|status| status.supervisor_ended = true);
}

/// `AsFd` as a trait object, for a list of different types.
trait AsFdDyn {
    fn fd(&self) -> std::os::fd::BorrowedFd<'_>;
}

impl<T: AsFd> AsFdDyn for T {
    fn fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.as_fd()
    }
}

fn set_nonblocking(source: &dyn AsFdDyn) -> io::Result<()> {
    Ok(fcntl_setfl(
        source.fd(),
        fcntl_getfl(source.fd())? | OFlags::NONBLOCK,
    )?)
}

struct Drain<'a> {
    printed: &'a Printed,
    status: &'a watch::Sender<Status>,
    /// Which pipes have not reached their end.
    open: [bool; 2],
    buffer: Vec<u8>,
    /// The unfinished last report line.
    line: Vec<u8>,
}

impl Drain<'_> {
    /// Waits for input and reads it. False once the supervisor has ended.
    fn step(&mut self, reports: &mut UnixStream) -> bool {
        let mut sources = vec![PollFd::new(reports, PollFlags::IN)];
        let wanted: Vec<usize> = (0..2)
            .filter(|&index| self.open[index] && !self.printed.is_held(index))
            .collect();
        sources.extend(
            wanted
                .iter()
                .map(|&index| PollFd::new(&self.printed.pipes[index], PollFlags::IN)),
        );
        match poll(&mut sources, None) {
            Ok(_) => {}
            Err(Errno::INTR) => return true,
            Err(_) => return false,
        }
        let ready: Vec<bool> = sources
            .iter()
            .map(|source| !source.revents().is_empty())
            .collect();
        for (&index, _) in wanted.iter().zip(&ready[1..]).filter(|(_, ready)| **ready) {
            self.read_pipe(index);
        }
        !ready[0] || self.read_reports(reports)
    }

    /// Reads once from a pipe. Returns the number of bytes read.
    fn read_pipe(&mut self, index: usize) -> usize {
        match rustix::io::read(&self.printed.pipes[index], &mut self.buffer[..]) {
            Ok(0) => self.open[index] = false,
            Ok(count) => {
                self.printed.stream(index).push(&self.buffer[..count]);
                return count;
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.open[index] = false,
        }
        0
    }

    /// Reads what the pipes contain, so that the exit of a process is published after its output.
    fn read_final_output(&mut self) {
        for index in 0..2 {
            let mut total = 0;
            while self.open[index] && !self.printed.is_held(index) && total < FINAL_OUTPUT_BYTES_MAX
            {
                match self.read_pipe(index) {
                    0 => break,
                    count => total += count,
                }
            }
        }
    }

    fn read_reports(&mut self, reports: &mut UnixStream) -> bool {
        let mut chunk = [0u8; 256];
        match rustix::io::read(&*reports, &mut chunk) {
            Ok(0) => return false,
            Ok(count) => self.line.extend_from_slice(&chunk[..count]),
            Err(Errno::AGAIN | Errno::INTR) => return true,
            Err(_) => return false,
        }
        while let Some(end) = memchr::memchr(b'\n', &self.line) {
            let line: Vec<u8> = self.line.drain(..=end).collect();
            self.take_report(String::from_utf8_lossy(&line).trim_end(), reports);
        }
        self.line.len() <= REPORT_BYTES_MAX
    }

    fn take_report(&mut self, line: &str, reports: &mut UnixStream) {
        let Some((keyword, Ok(number))) = line
            .split_once(' ')
            .map(|(keyword, value)| (keyword, value.parse::<i32>()))
        else {
            return;
        };
        match keyword {
            "pid" => self.take_pid(number, reports),
            "error" => self
                .status
                .send_modify(|status| status.spawn_errno = Some(number)),
            "bind" => self
                .status
                .send_modify(|status| status.bind_errno = Some(number)),
            "left" => self.status.send_modify(|status| status.tree_ended = true),
            "exit" => self.publish_exit(Exit::Code(number)),
            "signal" => self.publish_exit(Exit::Signal(number)),
            _ => {}
        }
    }

    /// The supervisor does not reap this process before the answer, so the pid cannot have been reused.
    fn take_pid(&mut self, number: i32, reports: &mut UnixStream) {
        let opened = match Pid::from_raw(number) {
            Some(pid) => pidfd_open(pid, PidfdFlags::empty()).map_err(io::Error::from),
            None => Err(io::ErrorKind::InvalidData.into()),
        };
        let pid = u32::try_from(number).unwrap_or(0);
        self.status.send_modify(|status| match opened {
            Ok(pidfd) => {
                status.main = Some(MainProcess {
                    pid,
                    pidfd: Arc::new(pidfd),
                })
            }
            Err(error) => status.harness_error = Some(Arc::new(error)),
        });
        let _ = rustix::io::write(&*reports, b"k");
    }

    fn publish_exit(&mut self, exit: Exit) {
        self.read_final_output();
        self.status.send_modify(|status| status.exit = Some(exit));
    }
}
