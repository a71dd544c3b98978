//! Bytes that a stranger sent, made fit for a terminal or a log.

use std::fmt::{self, Display, Formatter};

/// Displays bytes as one line of printable text, cut after a number of bytes.
///
/// Readable characters stay as they are; control characters, quotes and backslashes are escaped
/// as in Rust, and bytes that are no UTF-8 appear as `\xNN`.
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'a> {
    bytes: &'a [u8],
    max: usize,
}

impl<'a> Escaped<'a> {
    /// Shows at most the first `max` of the bytes, and how many were left out.
    pub fn new(bytes: &'a [u8], max: usize) -> Self {
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
            left => write!(f, "... ({left} bytes more)"),
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
            "ab... (4 bytes more)"
        );
    }
}
