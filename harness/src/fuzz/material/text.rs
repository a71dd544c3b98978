//! Finds the lines, words and numbers of a message.

use std::ops::Range;

use memchr::memchr_iter;

/// Each line with its line end, which the last line may lack.
pub(in crate::fuzz) fn lines(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut begin = 0;
    let mut lines = Vec::new();
    for end in memchr_iter(b'\n', bytes).map(|at| at + 1) {
        lines.push(begin..end);
        begin = end;
    }
    if begin < bytes.len() {
        lines.push(begin..bytes.len());
    }
    lines
}

/// Each run of letters and digits. Bytes above 127 count as letters.
pub(in crate::fuzz) fn words(bytes: &[u8]) -> Vec<Range<usize>> {
    runs(bytes, |byte| byte.is_ascii_alphanumeric() || byte >= 128)
}

/// Each decimal number that is a word of its own, with its minus sign.
pub(in crate::fuzz) fn numbers(bytes: &[u8]) -> Vec<Range<usize>> {
    let is_number = |word: &Range<usize>| bytes[word.clone()].iter().all(u8::is_ascii_digit);
    let mut numbers = words(bytes);
    numbers.retain(is_number);
    for number in &mut numbers {
        if number.start > 0 && bytes[number.start - 1] == b'-' {
            number.start -= 1;
        }
    }
    numbers
}

/// The shortest form of a line that may still be valid: `Host: localhost` becomes `H:l`, `$12` becomes `$1`.
/// More repetitions of it fit into a message.
pub(in crate::fuzz) fn skeleton(line: &[u8]) -> Vec<u8> {
    let end = line.iter().rposition(|byte| !b"\r\n".contains(byte));
    let (text, line_end) = line.split_at(end.map_or(0, |at| at + 1));
    let mut short = Vec::new();
    let mut in_word = false;
    let mut after_colon = false;
    for byte in text {
        let is_word = byte.is_ascii_alphanumeric() || *byte >= 128;
        let dropped = is_word && in_word || *byte == b' ' && after_colon;
        if !dropped {
            // A fragment of a UTF-8 character is not a letter.
            short.push(if byte.is_ascii() { *byte } else { b'a' });
            after_colon = *byte == b':';
        }
        in_word = is_word;
    }
    short.extend_from_slice(line_end);
    short
}

fn runs(bytes: &[u8], inside: impl Fn(u8) -> bool) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| inside(**byte)) {
        match runs.last_mut() {
            Some(last) if last.end == at => last.end = at + 1,
            _ => runs.push(at..at + 1),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits() {
        let bytes = b"set k9 -12 60\r\nx";
        let of = |ranges: Vec<Range<usize>>| -> Vec<&[u8]> {
            ranges.into_iter().map(|range| &bytes[range]).collect()
        };
        assert_eq!(of(lines(bytes)), [&b"set k9 -12 60\r\n"[..], b"x"]);
        assert_eq!(of(words(bytes)), [&b"set"[..], b"k9", b"12", b"60", b"x"]);
        assert_eq!(of(numbers(bytes)), [&b"-12"[..], b"60"]);
    }

    #[test]
    fn skeletons() {
        assert_eq!(skeleton(b"Host: localhost\r\n"), b"H:l\r\n");
        assert_eq!(skeleton(b"$12\r\n"), b"$1\r\n");
        assert_eq!(skeleton(b"\r\n"), b"\r\n");
        assert_eq!(skeleton(b"put 0 60"), b"p 0 6");
    }
}
