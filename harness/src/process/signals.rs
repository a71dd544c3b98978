//! Signals to a server and to parts of its tree.

use std::io;
use std::os::fd::AsFd as _;
use std::path::Path;

use rustix::process::pidfd_send_signal;

use super::Server;
use super::proc::Stat;
use super::supervised_tree::signal_same_process;
use crate::sys::signal_from_raw;

impl Server {
    /// Sends a signal to its main process, through its pidfd.
    ///
    /// # Errors
    /// `ESRCH` if it has ended; `Unsupported` if attached; `InvalidInput` if there is no such signal.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        let signal = signal_from_raw(signal).ok_or(io::ErrorKind::InvalidInput)?;
        let main = self
            .supervised()
            .ok_or(io::ErrorKind::Unsupported)?
            .status()
            .main;
        let main = main.ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))?;
        Ok(pidfd_send_signal(main.pidfd.as_fd(), signal)?)
    }

    /// Sends a signal to every process of its tree, parents first. Does nothing if attached.
    pub fn signal_tree(&self, signal: i32) {
        let Some(signal) = signal_from_raw(signal).filter(|_| !self.is_attached()) else {
            return;
        };
        for process in self.processes().iter().filter(|process| !process.is_dead()) {
            signal_same_process(process, signal);
        }
    }

    /// Sends a signal to the processes of its tree that execute such a program, and returns how many there are. Does nothing if
    /// attached.
    pub(crate) fn signal_programs(&self, signal: i32, is_wanted: impl Fn(&Path) -> bool) -> usize {
        let Some(signal) = signal_from_raw(signal).filter(|_| !self.is_attached()) else {
            return 0;
        };
        let runs = |process: &Stat| {
            let program = std::fs::read_link(format!("/proc/{}/exe", process.pid));
            !process.is_dead() && program.is_ok_and(|program| is_wanted(&program))
        };
        let all = self.processes();
        let wanted = all.iter().filter(|process| runs(process));
        wanted
            .map(|process| signal_same_process(process, signal))
            .count()
    }
}
