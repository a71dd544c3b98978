//! The thread of one server life that reads what the server prints and what its supervisor reports, so
//! that a busy lane never blocks a server that prints.

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

/// A supervisor's line is short; more without an end of line is no supervisor of ours.
const LINE_BYTES_MAX: usize = 4096;

/// After the end of the main process at most this much is read before its end is told.
const LAST_WORDS_BYTES_MAX: usize = 1 << 20;

/// The two streams of a server.
#[derive(Debug)]
pub(super) struct Printed {
    pub(super) stdout: Stream,
    pub(super) stderr: Stream,
    pipes: [OwnedFd; 2],
    hold_stdout: AtomicBool,
}

impl Printed {
    pub(super) fn new(stdout: OwnedFd, stderr: OwnedFd) -> Printed {
        Printed {
            stdout: Stream::default(),
            stderr: Stream::default(),
            pipes: [stdout, stderr],
            hold_stdout: AtomicBool::new(false),
        }
    }

    /// From now on stdout is not read any more (one read may still be under way).
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

/// Reads until the supervisor is gone.
pub(super) fn run(mut reports: UnixStream, printed: &Printed, told: &watch::Sender<Status>) {
    let sources = [
        &reports as &dyn AsFdDyn,
        &printed.pipes[0],
        &printed.pipes[1],
    ];
    if let Some(error) = sources.iter().find_map(|source| never_block(*source).err()) {
        told.send_modify(|status| status.trouble = Some(Arc::new(error)));
    }
    let mut drain = Drain {
        printed,
        told,
        open: [true, true],
        buffer: vec![0; 64 * 1024],
        line: Vec::new(),
    };
    while drain.step(&mut reports) {}
    drain.read_last_words();
    told.send_modify(|status| status.over = true);
}

/// Anything with a descriptor, in one list.
trait AsFdDyn {
    fn fd(&self) -> std::os::fd::BorrowedFd<'_>;
}

impl<T: AsFd> AsFdDyn for T {
    fn fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.as_fd()
    }
}

fn never_block(source: &dyn AsFdDyn) -> io::Result<()> {
    Ok(fcntl_setfl(
        source.fd(),
        fcntl_getfl(source.fd())? | OFlags::NONBLOCK,
    )?)
}

struct Drain<'a> {
    printed: &'a Printed,
    told: &'a watch::Sender<Status>,
    /// Which pipes may still give something.
    open: [bool; 2],
    buffer: Vec<u8>,
    /// The beginning of a report.
    line: Vec<u8>,
}

impl Drain<'_> {
    /// Waits for something and takes it. False once the supervisor is gone.
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

    /// One read. Returns how much there was.
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

    /// What is in the pipes now, so that the end of a process is told after its last words.
    fn read_last_words(&mut self) {
        for index in 0..2 {
            let mut seen = 0;
            while self.open[index] && !self.printed.is_held(index) && seen < LAST_WORDS_BYTES_MAX {
                match self.read_pipe(index) {
                    0 => break,
                    count => seen += count,
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
        self.line.len() <= LINE_BYTES_MAX
    }

    fn take_report(&mut self, line: &str, reports: &mut UnixStream) {
        let Some((what, Ok(number))) = line
            .split_once(' ')
            .map(|(what, value)| (what, value.parse::<i32>()))
        else {
            return;
        };
        match what {
            "pid" => self.take_pid(number, reports),
            "error" => self
                .told
                .send_modify(|status| status.refused = Some(number)),
            "left" => self.told.send_modify(|status| status.empty = true),
            "exit" => self.tell_exit(Exit::Code(number)),
            "signal" => self.tell_exit(Exit::Signal(number)),
            _ => {}
        }
    }

    /// The supervisor does not reap this process before it is answered, so the number is still good.
    fn take_pid(&mut self, number: i32, reports: &mut UnixStream) {
        let opened = match Pid::from_raw(number) {
            Some(pid) => pidfd_open(pid, PidfdFlags::empty()).map_err(io::Error::from),
            None => Err(io::ErrorKind::InvalidData.into()),
        };
        let pid = u32::try_from(number).unwrap_or(0);
        self.told.send_modify(|status| match opened {
            Ok(pidfd) => {
                status.main = Some(MainProcess {
                    pid,
                    pidfd: Arc::new(pidfd),
                })
            }
            Err(error) => status.trouble = Some(Arc::new(error)),
        });
        let _ = rustix::io::write(&*reports, b"k");
    }

    fn tell_exit(&mut self, exit: Exit) {
        self.read_last_words();
        self.told.send_modify(|status| status.exit = Some(exit));
    }
}
