//! SGR sequences. The writer strips them where colours are not wanted.

pub(super) const RESET: &str = "\x1b[0m";
pub(super) const BOLD: &str = "\x1b[1m";
pub(super) const DIM: &str = "\x1b[2m";
pub(super) const RED: &str = "\x1b[31m";
pub(super) const GREEN: &str = "\x1b[32m";
pub(super) const YELLOW: &str = "\x1b[33m";
pub(super) const MAGENTA: &str = "\x1b[35m";

/// The text without these sequences.
pub(super) fn plain(text: &str) -> String {
    [RESET, BOLD, DIM, RED, GREEN, YELLOW, MAGENTA]
        .iter()
        .fold(text.to_owned(), |text, sequence| text.replace(sequence, ""))
}
