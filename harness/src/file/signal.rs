//! The signals a file may name.

use std::fmt;

/// A signal by its name without `SIG`, as `stop` and `reload` name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StopSignal(usize);

/// Names and Linux numbers. The numbers are the same on every architecture Linux runs on here.
const SIGNALS: [(&str, i32); 7] = [
    ("TERM", libc::SIGTERM),
    ("INT", libc::SIGINT),
    ("QUIT", libc::SIGQUIT),
    ("HUP", libc::SIGHUP),
    ("USR1", libc::SIGUSR1),
    ("USR2", libc::SIGUSR2),
    ("KILL", libc::SIGKILL),
];

impl StopSignal {
    /// The usual way to ask a server to stop.
    pub const TERM: Self = Self(0);

    /// The names that are accepted.
    pub fn names() -> impl Iterator<Item = &'static str> + Clone {
        SIGNALS.iter().map(|(name, _)| *name)
    }

    /// The signal of that name, with or without `SIG` in front.
    pub fn from_name(name: &str) -> Option<Self> {
        let bare = name.strip_prefix("SIG").unwrap_or(name);
        SIGNALS.iter().position(|(name, _)| *name == bare).map(Self)
    }

    /// The number to give to `kill`.
    pub fn number(self) -> i32 {
        SIGNALS[self.0].1
    }

    /// The name without `SIG`.
    pub fn name(self) -> &'static str {
        SIGNALS[self.0].0
    }
}

impl fmt::Display for StopSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_name() {
        assert_eq!(StopSignal::from_name("TERM"), Some(StopSignal::TERM));
        assert_eq!(StopSignal::from_name("SIGQUIT").unwrap().number(), 3);
        assert_eq!(StopSignal::TERM.number(), 15);
        assert_eq!(StopSignal::from_name("term"), None);
    }
}
