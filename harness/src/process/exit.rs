//! The exit status of a process, and the names of signals.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use super::Process;

/// The exit status of a server's main process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// It was killed by the signal with this number.
    Signal(i32),
}

/// Signals by which a process ends because of a bug of its own.
const FAULTS: [i32; 7] = [
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGABRT,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGSEGV,
    libc::SIGSYS,
];

impl Exit {
    /// The exit of a process with this wait status.
    pub(crate) fn of_wait_status(status: i32) -> Self {
        match status & 0x7f {
            0 => Exit::Code(status >> 8 & 0xff),
            signal => Exit::Signal(signal),
        }
    }

    /// Whether a bug of its own has killed it.
    pub(crate) fn is_fault(self) -> bool {
        matches!(self, Exit::Signal(signal) if FAULTS.contains(&signal))
    }

    /// Whether it exited with code 0.
    pub fn is_success(self) -> bool {
        self == Exit::Code(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Exit::Code(code) => write!(f, "exited with code {code}"),
            Exit::Signal(signal) => write!(f, "was killed by {} ({signal})", signal_name(signal)),
        }
    }
}

/// The result of a graceful stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopReport {
    /// The exit status of the main process; `None` if it did not end within the limit.
    pub exit: Option<Exit>,
    /// Time from the signal to the exit, or the limit.
    pub waited: Duration,
    /// Processes of the tree that were still alive. They are killed when the server is dropped.
    pub left: Vec<Process>,
}

const NAMES: &[(i32, &str)] = &[
    (libc::SIGHUP, "HUP"),
    (libc::SIGINT, "INT"),
    (libc::SIGQUIT, "QUIT"),
    (libc::SIGILL, "ILL"),
    (libc::SIGTRAP, "TRAP"),
    (libc::SIGABRT, "ABRT"),
    (libc::SIGBUS, "BUS"),
    (libc::SIGFPE, "FPE"),
    (libc::SIGKILL, "KILL"),
    (libc::SIGUSR1, "USR1"),
    (libc::SIGSEGV, "SEGV"),
    (libc::SIGUSR2, "USR2"),
    (libc::SIGPIPE, "PIPE"),
    (libc::SIGALRM, "ALRM"),
    (libc::SIGTERM, "TERM"),
    (libc::SIGCHLD, "CHLD"),
    (libc::SIGCONT, "CONT"),
    (libc::SIGSTOP, "STOP"),
    (libc::SIGTSTP, "TSTP"),
    (libc::SIGTTIN, "TTIN"),
    (libc::SIGTTOU, "TTOU"),
    (libc::SIGURG, "URG"),
    (libc::SIGXCPU, "XCPU"),
    (libc::SIGXFSZ, "XFSZ"),
    (libc::SIGVTALRM, "VTALRM"),
    (libc::SIGPROF, "PROF"),
    (libc::SIGWINCH, "WINCH"),
    (libc::SIGIO, "IO"),
    (libc::SIGPWR, "PWR"),
    (libc::SIGSYS, "SYS"),
];

/// The name of a signal, such as `SIGTERM` for 15, or `signal 40` for a number without a name.
pub(crate) fn signal_name(signal: i32) -> Cow<'static, str> {
    match NAMES.iter().find(|(number, _)| *number == signal) {
        Some((_, name)) => format!("SIG{name}").into(),
        None => format!("signal {signal}").into(),
    }
}

/// Parses a signal: 15 for `TERM`, `SIGTERM`, `term` or `15`. `None` if there is no such signal.
pub(crate) fn signal_number(name: &str) -> Option<i32> {
    if let Ok(number) = name.parse::<i32>() {
        return (1..=64).contains(&number).then_some(number);
    }
    let upper = name.to_ascii_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    NAMES
        .iter()
        .find(|(_, name)| *name == bare)
        .map(|(number, _)| *number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_a_sentence() {
        assert_eq!(Exit::Code(1).to_string(), "exited with code 1");
        assert_eq!(Exit::Signal(11).to_string(), "was killed by SIGSEGV (11)");
        assert_eq!(Exit::Signal(40).to_string(), "was killed by signal 40 (40)");
    }

    #[test]
    fn wait_statuses() {
        let of = Exit::of_wait_status;
        assert_eq!((of(0), of(3 << 8)), (Exit::Code(0), Exit::Code(3)));
        // With the bit of a core dump.
        assert_eq!((of(11), of(0x8b)), (Exit::Signal(11), Exit::Signal(11)));
        assert!(of(0x8b).is_fault() && !of(15).is_fault() && !of(1 << 8).is_fault());
    }

    #[test]
    fn names_and_numbers() {
        for (number, name) in NAMES {
            assert_eq!(signal_number(name), Some(*number));
            assert_eq!(signal_number(&signal_name(*number)), Some(*number));
        }
        assert_eq!(signal_number("term"), Some(15));
        assert_eq!(signal_number("65"), None);
        assert_eq!(signal_number("NOPE"), None);
    }
}
