//! What can go wrong besides a verdict.

use std::fmt;

/// The result of a step of a test. `fn my_test() -> tcprove::Result` can use `?`.
pub type Result<T = ()> = std::result::Result<T, ProveError>;

/// Why a step of a test could not be made, or what the server did instead of what was expected.
#[derive(Clone, PartialEq, Eq)]
pub enum ProveError {
    /// The description of the server or of its conversation is wrong. The text says where, and what to do.
    Description(String),
    /// The server does not start, or does not hold its own conversation.
    Server(String),
    /// A client got something else than it expected, or nothing.
    Reply {
        /// What it expected, escaped.
        expected: String,
        /// What it got instead.
        actual: String,
        /// The last lines that the server printed on stderr.
        stderr: String,
    },
    /// This machine does not allow it: too few descriptors, no room for a folder.
    Machine(String),
}

impl fmt::Display for ProveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Description(text) | Self::Server(text) | Self::Machine(text) => f.write_str(text),
            Self::Reply {
                expected,
                actual,
                stderr,
            } => {
                write!(f, "expected {expected}, but {actual}")?;
                if !stderr.is_empty() {
                    write!(f, "\nthe server printed:\n{stderr}")?;
                }
                Ok(())
            }
        }
    }
}

/// A test that returns an error shows it in this form, so it is the text that a reader understands.
impl fmt::Debug for ProveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ProveError {}
