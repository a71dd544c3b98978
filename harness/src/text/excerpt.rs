//! Excerpts of what a server printed.

use super::escape;

/// Characters of a line that are shown.
const LINE_CHARS_MAX: usize = 300;

/// At most `max` lines of `text` that are not blank, each safe to show, and between them a mark where lines are
/// left out.
///
/// The last lines are always among them: most programs name the error there. A quarter are the first ones, since
/// some programs name it first.
pub(crate) fn excerpt(text: &str, max: usize) -> Vec<String> {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let show = |line: &&str| escape(line.trim_end().as_bytes(), LINE_CHARS_MAX);
    let (first, left_out, last) = ends(&lines, max);
    let mut shown: Vec<String> = first.iter().map(show).collect();
    shown.extend(left_out_mark(left_out));
    shown.extend(last.iter().map(show));
    shown
}

/// The last line of `text` that is not blank, safe to show.
pub(crate) fn last_line(text: &str) -> Option<String> {
    excerpt(text, 1).pop()
}

/// The mark that stands for lines that are left out.
pub(crate) fn left_out_mark(count: usize) -> Option<String> {
    match count {
        0 => None,
        1 => Some("… (1 line left out)".to_owned()),
        _ => Some(format!("… ({count} lines left out)")),
    }
}

/// The first and the last of `items`, together at most `max`, and how many lie between them.
pub(crate) fn ends<T>(items: &[T], max: usize) -> (&[T], usize, &[T]) {
    let left_out = items.len().saturating_sub(max);
    let first = if left_out == 0 { items.len() } else { max / 4 };
    let (first, rest) = items.split_at(first);
    (first, left_out, &rest[left_out..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_always_there() {
        let frames: String = (0..90).map(|frame| format!("  File {frame}\n")).collect();
        let traceback = format!("Traceback:\n{frames}ValueError: 3\n\n");
        for max in 1..120 {
            let shown = excerpt(&traceback, max);
            assert_eq!(shown.last().unwrap(), "ValueError: 3", "{max}");
            let left_out = 92_usize.saturating_sub(max);
            assert_eq!(
                shown.len(),
                92 - left_out + usize::from(left_out > 0),
                "{max}"
            );
        }
        let shown = excerpt(&traceback, 8);
        assert_eq!(shown[0], "Traceback:");
        assert_eq!(shown[2], "… (84 lines left out)");
        assert_eq!(last_line(&traceback).unwrap(), "ValueError: 3");
    }

    #[test]
    fn nothing_and_what_is_not_safe() {
        assert!(excerpt("\n  \n", 5).is_empty());
        assert_eq!(last_line(""), None);
        assert_eq!(excerpt("a\x1b[2J\r\n", 5), ["a\\x1b[2J"]);
        assert_eq!(ends(&[1, 2, 3], 0), (&[][..], 3, &[][..]));
    }
}
