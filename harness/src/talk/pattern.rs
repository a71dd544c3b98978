//! A fixed pattern: no placeholders, compiled once.

use crate::text::escape::{escape, escape_regex};
use std::fmt;

use regex::bytes::{Regex, RegexBuilder};

/// An exact text or a regex over bytes.
#[derive(Clone)]
pub enum Pattern {
    /// These bytes and no others.
    Exact(Vec<u8>),
    /// Anchored as it is written.
    Regex(Regex),
}

impl Pattern {
    /// Compiles a regex. The error is the last line of the regex crate's explanation.
    pub fn regex(source: &str) -> Result<Self, String> {
        compile(source).map(Self::Regex)
    }

    /// Whether the bytes are the exact text, or the regex is found in them.
    pub fn is_match(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Exact(exact) => exact == bytes,
            Self::Regex(regex) => regex.is_match(bytes),
        }
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(exact) => write!(f, "\"{}\"", escape(exact, 60)),
            Self::Regex(regex) => {
                write!(f, "/{}/", escape_regex(regex.as_str(), 60))
            }
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(one), Self::Exact(other)) => one == other,
            (Self::Regex(one), Self::Regex(other)) => one.as_str() == other.as_str(),
            _ => false,
        }
    }
}

/// A pattern out of a file may not take more memory than this.
const PATTERN_BYTES_MAX: usize = 8 << 20;

/// A pattern with a payload in it may take more.
const FILLED_IN_BYTES_MAX: usize = 256 << 20;

/// Compiles a pattern as a file has it.
pub(crate) fn compile(source: &str) -> Result<Regex, String> {
    compile_within(source, PATTERN_BYTES_MAX)
}

/// Compiles a pattern with its values put in.
pub(crate) fn compile_filled_in(source: &str) -> Result<Regex, String> {
    compile_within(source, FILLED_IN_BYTES_MAX)
}

fn compile_within(source: &str, bytes_max: usize) -> Result<Regex, String> {
    RegexBuilder::new(source)
        .size_limit(bytes_max)
        .build()
        .map_err(|error| last_line(&error.to_string()))
}

/// The regex crate explains over several lines; the last one says what is wrong.
pub(crate) fn last_line(explanation: &str) -> String {
    let last = explanation.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}
