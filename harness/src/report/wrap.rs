//! Wrapping of text for a terminal.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Minimum number of columns beside the indent. With fewer, lines are indented by [`NARROW`] only.
const ROOM_MIN: usize = 20;
/// Indent of continued lines on a narrow terminal.
const NARROW: usize = 2;
/// Minimum number of columns for wrapping at all.
const COLUMNS_MIN: usize = 12;

/// Wraps `text` to `columns`, of which `indent` are used on every line. The first line is not
/// indented, since the cursor is already there. Breaks between words, and inside words longer than
/// a line. Without `columns` the text is unchanged.
pub(super) fn wrap(text: &str, indent: usize, columns: Option<usize>) -> String {
    let (indent, room, mut used) = match (room(indent, columns), columns) {
        (Some(room), _) => (indent, room, 0),
        (None, Some(columns)) if columns >= COLUMNS_MIN => {
            let narrow = indent.min(NARROW);
            (narrow, columns - narrow - 1, indent - narrow)
        }
        _ => return text.to_owned(),
    };
    let mut wrapped = String::new();
    for (number, word) in text.split(' ').enumerate() {
        let is_full = used + usize::from(number > 0) + word.width() > room;
        if used > 0 && is_full {
            new_line(&mut wrapped, indent);
            used = 0;
        } else if number > 0 {
            wrapped.push(' ');
            used += 1;
        }
        for character in word.chars() {
            let width = character.width().unwrap_or(0);
            if used + width > room {
                new_line(&mut wrapped, indent);
                used = 0;
            }
            wrapped.push(character);
            used += width;
        }
    }
    wrapped
}

/// As much of `text` as fits on the rest of the line, with `…` if some is left out.
pub(super) fn cut(text: &str, indent: usize, columns: Option<usize>) -> String {
    let Some(room) = room(indent, columns) else {
        return text.to_owned();
    };
    if text.width() <= room {
        return text.to_owned();
    }
    let mut used = 1;
    let fits = |character: &char| {
        used += character.width().unwrap_or(0);
        used <= room
    };
    let kept: String = text.chars().take_while(fits).collect();
    format!("{}…", kept.trim_end())
}

fn room(indent: usize, columns: Option<usize>) -> Option<usize> {
    // The last column stays empty: a terminal wraps when it is written to.
    let room = columns?.saturating_sub(indent + 1);
    (room >= ROOM_MIN).then_some(room)
}

fn new_line(text: &mut String, indent: usize) {
    text.truncate(text.trim_end_matches(' ').len());
    text.push('\n');
    text.extend(std::iter::repeat_n(' ', indent));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_between_words_and_inside_long_ones() {
        let columns = Some(25);
        assert_eq!(
            wrap("one two three four five six", 2, columns),
            "one two three four\n  five six"
        );
        let long = "x".repeat(30);
        assert_eq!(
            wrap(&long, 0, columns),
            format!("{}\n{}", "x".repeat(24), "x".repeat(6))
        );
        assert_eq!(wrap(&long, 0, None), long);
        assert_eq!(
            wrap("one two three", 20, columns),
            "one\n  two three",
            "the first line is indented already, the others would have no room"
        );
        assert_eq!(wrap(&long, 0, Some(8)), long, "too narrow to be worth it");
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(
            wrap(&"问".repeat(13), 0, Some(25)),
            format!("{}\n问", "问".repeat(12))
        );
        assert_eq!(
            cut(&"问".repeat(13), 0, Some(25)),
            format!("{}…", "问".repeat(11))
        );
    }

    #[test]
    fn cuts_what_does_not_fit() {
        assert_eq!(
            cut("one two three four five six", 0, Some(25)),
            "one two three four five…"
        );
        assert_eq!(cut("short", 0, Some(25)), "short");
    }
}
