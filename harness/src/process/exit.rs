//! How a process ended, and signals by name.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use super::Process;

/// How the main process of a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exit {
    /// It exited by itself with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

impl Exit {
    /// It exited with code 0.
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

/// What became of an orderly stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopReport {
    /// How the main process ended; `None`: it did not within the limit.
    pub exit: Option<Exit>,
    /// From the signal to the end, or to the limit.
    pub waited: Duration,
    /// Processes of the tree that were alive afterwards. They are killed when the server is dropped.
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

/// `SIGTERM` for 15; `signal 40` for what has no name.
pub fn signal_name(signal: i32) -> Cow<'static, str> {
    match NAMES.iter().find(|(number, _)| *number == signal) {
        Some((_, name)) => format!("SIG{name}").into(),
        None => format!("signal {signal}").into(),
    }
}

/// 15 for `TERM`, `SIGTERM`, `term` or `15`; `None` for what is no signal.
pub fn signal_number(name: &str) -> Option<i32> {
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
