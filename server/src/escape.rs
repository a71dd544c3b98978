//! Escapes bytes received from the network for terminals and logs.

use std::fmt::{self, Display, Formatter};

/// Displays bytes as one line of printable text of limited length.
///
/// Control characters, quotes and backslashes are escaped as in Rust, and bytes that are not UTF-8
/// appear as `\xNN`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Escaped<'a> {
    bytes: &'a [u8],
    max: usize,
}

impl<'a> Escaped<'a> {
    /// Shows at most the first `max` bytes, and the number of bytes left out.
    pub(crate) fn new(bytes: &'a [u8], max: usize) -> Self {
        Self { bytes, max }
    }
}

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let shown = &self.bytes[..self.bytes.len().min(self.max)];
        for chunk in shown.utf8_chunks() {
            write!(f, "{}", chunk.valid().escape_debug())?;
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        match self.bytes.len() - shown.len() {
            0 => Ok(()),
            left => write!(f, "... ({left} more bytes)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Escaped;

    #[test]
    fn hostile_bytes_stay_on_one_printable_line() {
        let text = Escaped::new("a\n\u{1b}[2J\"问".as_bytes(), 64).to_string();
        assert_eq!(text, "a\\n\\u{1b}[2J\\\"问");
        assert_eq!(Escaped::new(b"\xff\0", 64).to_string(), "\\xff\\0");
    }

    #[test]
    fn long_input_is_cut_and_counted() {
        assert_eq!(
            Escaped::new(b"abcdef", 2).to_string(),
            "ab... (4 more bytes)"
        );
    }
}
