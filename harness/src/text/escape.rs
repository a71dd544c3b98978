//! Escapes bytes of unknown origin for display.

use std::fmt::Write;

/// Shows `bytes` in at most about `max` characters, safe for a terminal.
///
/// Printable ASCII and printable UTF-8 are unchanged; `
/// `, `\r`, `\t` and `\\` become escapes; each byte of anything else (control characters, escape
/// sequences, invalid UTF-8, invisible and direction-changing characters) becomes `\xNN`. Text that
/// does not fit is cut, never inside an escape, and ends with `… (N bytes)`, where N is the whole
/// length.
pub fn escape(bytes: &[u8], max: usize) -> String {
    let mut shown = String::new();
    let mut shown_chars = 0;
    // No character has more than four bytes, so a longer prefix is never needed.
    let prefix = &bytes[..bytes.len().min(max.saturating_mul(4).saturating_add(4))];
    for chunk in prefix.utf8_chunks() {
        for character in chunk.valid().chars() {
            if !push(&mut shown, &mut shown_chars, &escape_char(character), max) {
                return cut(shown, bytes.len());
            }
        }
        for byte in chunk.invalid() {
            if !push(&mut shown, &mut shown_chars, &format!("\\x{byte:02x}"), max) {
                return cut(shown, bytes.len());
            }
        }
    }
    if prefix.len() < bytes.len() {
        return cut(shown, bytes.len());
    }
    shown
}

/// Like [`escape`], for messages that quote escaped text: backslashes are unchanged, so that
/// nothing is escaped twice.
pub(crate) fn escape_text(text: &str, max: usize) -> String {
    let (mut shown, mut shown_chars) = (String::new(), 0);
    for character in text.chars() {
        let piece = if character == '\\' {
            character.to_string()
        } else {
            escape_char(character)
        };
        if !push(&mut shown, &mut shown_chars, &piece, max) {
            return cut(shown, text.len());
        }
    }
    shown
}

/// Like [`escape`], for the source of a regex: backslashes are unchanged.
pub(crate) fn escape_regex(source: &str, max: usize) -> String {
    escape_text(source, max).replace("\\\\", "\\")
}

fn push(shown: &mut String, shown_chars: &mut usize, piece: &str, max: usize) -> bool {
    let chars = piece.chars().count();
    if *shown_chars + chars > max {
        return false;
    }
    *shown_chars += chars;
    shown.push_str(piece);
    true
}

fn cut(mut shown: String, len: usize) -> String {
    let unit = if len == 1 { "byte" } else { "bytes" };
    let _ = write!(shown, "… ({len} {unit})");
    shown
}

fn escape_char(character: char) -> String {
    match character {
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        '\\' => "\\\\".to_owned(),
        ' '..='~' => character.to_string(),
        _ if is_visible(character) => character.to_string(),
        _ => {
            let mut bytes = [0; 4];
            character
                .encode_utf8(&mut bytes)
                .bytes()
                .fold(String::new(), |mut escaped, byte| {
                    let _ = write!(escaped, "\\x{byte:02x}");
                    escaped
                })
        }
    }
}

/// Whether a character outside ASCII is visible and does not affect surrounding text.
fn is_visible(character: char) -> bool {
    // `escape_debug` escapes what Unicode classifies as control, format, surrogate, private use,
    // unassigned, separator (other than the space), or combining mark.
    let mut escaped = character.escape_debug();
    let itself = escaped.next() == Some(character) && escaped.next().is_none();
    itself && !affects_surrounding_text(character)
}

/// Direction marks, zero-width and filler characters. Listed explicitly, so that the result does
/// not depend on the Unicode version of the standard library.
fn affects_surrounding_text(character: char) -> bool {
    matches!(u32::from(character),
        0x80..=0xa0 | 0xad | 0x034f | 0x061c | 0x115f..=0x1160 | 0x17b4..=0x17b5
        | 0x180b..=0x180f | 0x2000..=0x200f | 0x2028..=0x202f | 0x205f..=0x206f | 0x2800 | 0x3000
        | 0x3164 | 0xe000..=0xf8ff | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff0..=0xfffb
        | 0xe0000..=0x10ffff)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keeps_text_and_escapes_the_rest() {
        assert_eq!(escape(b"ok\r\n\t\\", 99), "ok\\r\\n\\t\\\\");
        assert_eq!(escape("ok, 问题 é 🎉".as_bytes(), 99), "ok, 问题 é 🎉");
        assert_eq!(
            escape(b"\x1b[31m\0\x7f\xff", 99),
            "\\x1b[31m\\x00\\x7f\\xff"
        );
        assert_eq!(
            escape("\u{202e}x\u{2066}".as_bytes(), 99),
            "\\xe2\\x80\\xaex\\xe2\\x81\\xa6"
        );
        assert_eq!(escape("\u{9b}31m".as_bytes(), 99), "\\xc2\\x9b31m");
    }

    #[test]
    fn cuts_and_says_how_long_it_was() {
        assert_eq!(escape(b"abcdef", 3), "abc… (6 bytes)");
        assert_eq!(escape(b"ab\x00", 4), "ab… (3 bytes)");
        assert_eq!(escape(b"x", 0), "… (1 byte)");
        assert_eq!(escape(&[b'a'; 100_000], 2), "aa… (100000 bytes)");
    }

    proptest! {
        #[test]
        fn never_leaves_a_control_character(bytes in proptest::collection::vec(any::<u8>(), 0..200), max in 0usize..100) {
            let shown = escape(&bytes, max);
            prop_assert!(!shown.chars().any(char::is_control));
            prop_assert!(shown.chars().count() <= max + 20);
        }

        #[test]
        fn never_leaves_a_direction_mark(text in "[\u{200b}-\u{206f}\u{80}-\u{9f}a-z]{0,20}") {
            let shown = escape_text(&text, 1000);
            prop_assert!(!shown.chars().any(affects_surrounding_text));
        }
    }
}
