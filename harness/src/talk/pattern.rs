//! Patterns without placeholders, compiled once.

use std::collections::BTreeMap;
use std::fmt;

use regex::bytes::{Regex, RegexBuilder};

use crate::text::escape::{escape, escape_regex};

/// An exact text, its beginning, or a regex over bytes.
#[derive(Clone)]
pub enum Pattern {
    /// Exactly these bytes.
    Exact(Vec<u8>),
    /// These bytes, and anything after them.
    Start(Vec<u8>),
    /// Matches somewhere in the bytes; anchored only if written so.
    Regex(Regex),
}

impl Pattern {
    /// Compiles a regex. The error is the last line of the regex crate's explanation.
    pub fn regex(source: &str) -> Result<Self, String> {
        compile(source).map(Self::Regex)
    }

    /// Compiles a regex in which a class such as `[^\n]` matches any byte: what a server repeats may be cut in the middle of a
    /// character. Classes of Unicode are possible too, but then only characters match.
    pub(crate) fn of_bytes(source: &str) -> Result<Self, String> {
        let regex = compiler(source, PATTERN_BYTES_MAX).unicode(false).build();
        regex.map_or_else(|_| Self::regex(source), |regex| Ok(Self::Regex(regex)))
    }

    /// The named groups of a match of the regex; `None` if it does not match, or there is none.
    pub(super) fn groups(&self, bytes: &[u8]) -> Option<BTreeMap<String, Vec<u8>>> {
        let Self::Regex(regex) = self else {
            return None;
        };
        let captures = regex.captures(bytes)?;
        let names = regex.capture_names().flatten();
        let values = names.filter_map(|name| {
            let value = captures.name(name)?.as_bytes().to_vec();
            Some((name.to_owned(), value))
        });
        Some(values.collect())
    }

    /// Names of the groups of the regex.
    pub(crate) fn group_names(&self) -> Vec<String> {
        match self {
            Self::Regex(regex) => regex.capture_names().flatten().map(str::to_owned).collect(),
            Self::Exact(_) | Self::Start(_) => Vec::new(),
        }
    }

    /// Whether the bytes equal or begin with the text, or the regex matches.
    pub fn is_match(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Exact(exact) => exact == bytes,
            Self::Start(start) => bytes.starts_with(start),
            Self::Regex(regex) => regex.is_match(bytes),
        }
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(exact) => write!(f, "\"{}\"", escape(exact, 60)),
            Self::Start(start) => write!(f, "\"{}...\"", escape(start, 60)),
            Self::Regex(regex) => {
                write!(f, "/{}/", escape_regex(regex.as_str(), 60))
            }
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(one), Self::Exact(other)) | (Self::Start(one), Self::Start(other)) => {
                one == other
            }
            (Self::Regex(one), Self::Regex(other)) => one.as_str() == other.as_str(),
            _ => false,
        }
    }
}

/// Maximum size of a compiled pattern from a file, in bytes.
const PATTERN_BYTES_MAX: usize = 8 << 20;

/// Maximum size of a compiled pattern with a payload filled in, in bytes.
const FILLED_IN_BYTES_MAX: usize = 256 << 20;

/// Compiles a pattern as written in a file.
pub(crate) fn compile(source: &str) -> Result<Regex, String> {
    compile_within(source, PATTERN_BYTES_MAX)
}

/// Compiles a pattern with its values filled in.
pub(crate) fn compile_filled_in(source: &str) -> Result<Regex, String> {
    compile_within(source, FILLED_IN_BYTES_MAX)
}

fn compiler(source: &str, bytes_max: usize) -> RegexBuilder {
    let mut compiler = RegexBuilder::new(source);
    compiler.size_limit(bytes_max);
    compiler
}

fn compile_within(source: &str, bytes_max: usize) -> Result<Regex, String> {
    compiler(source, bytes_max)
        .build()
        .map_err(|error| last_line(&error.to_string()))
}

/// The regex crate's explanation has several lines; the last one names the error.
pub(crate) fn last_line(explanation: &str) -> String {
    let last = explanation.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_may_end_in_the_middle_of_a_character() {
        let cut = b"331 \xe9\x97 OK\r\n";
        let line = r"^\d{3} [^\n]*\r\n$";
        assert!(Pattern::of_bytes(line).unwrap().is_match(cut));
        assert!(!Pattern::regex(line).unwrap().is_match(cut));
        let letters = Pattern::of_bytes(r"^\p{Han}+ $").unwrap();
        assert!(letters.is_match("问题 ".as_bytes()));
        assert!(Pattern::of_bytes("[").is_err());
    }
}
