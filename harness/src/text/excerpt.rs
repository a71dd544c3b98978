//! Excerpts of what a server printed.

use super::escape;
use super::stack::own_frames;

/// Characters of a line that are shown.
const LINE_CHARS_MAX: usize = 300;
/// Excerpts of fewer lines have no room for stack frames.
const FRAMES_FROM: usize = 4;

/// At most `max` lines of `text` that are not blank, each safe to show, and a mark wherever lines are left out.
///
/// The last lines are always among them: most programs name the error there. A quarter are the first ones, since
/// some programs name it first. Up to half are the stack frames of the program itself, which a reader looks for first, and which
/// lie between those of libraries.
pub(crate) fn excerpt(text: &str, max: usize) -> Vec<String> {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let kept = kept(&lines, max);
    let mut shown = Vec::new();
    let mut left_out = 0;
    for (line, is_kept) in lines.iter().zip(kept) {
        if !is_kept {
            left_out += 1;
            continue;
        }
        shown.extend(left_out_mark(std::mem::take(&mut left_out)));
        shown.push(escape(line.trim_end().as_bytes(), LINE_CHARS_MAX));
    }
    shown.extend(left_out_mark(left_out));
    shown
}

/// Which of the lines are kept.
fn kept(lines: &[&str], max: usize) -> Vec<bool> {
    if lines.len() <= max {
        return vec![true; lines.len()];
    }
    let mut kept = vec![false; lines.len()];
    let room = if max < FRAMES_FROM { 0 } else { max / 2 };
    let frames = own_frames(lines, room);
    let first = 0..max / 4;
    let last = (0..lines.len()).rev();
    // The last line is the first to be kept.
    let wanted = last.clone().take(1).chain(frames).chain(first).chain(last);
    let mut count = 0;
    for place in wanted {
        if count == max {
            break;
        }
        if !kept[place] {
            kept[place] = true;
            count += 1;
        }
    }
    kept
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

    /// The user's frame lies in the middle of a traceback, between a framework and a library.
    #[test]
    fn frames_of_the_program_itself_are_kept() {
        let library = |at: usize| {
            format!("  File \"/usr/lib/python3.11/asyncio/x.py\", line {at}, in run\n    call()\n")
        };
        let before: String = (0..20).map(library).collect();
        let own = "  File \"/srv/shop/server.py\", line 41, in order\n    total += decode(field)\n";
        let after: String = (20..40).map(library).collect();
        let traceback = format!(
            "Traceback (most recent call last):\n{before}{own}{after}UnicodeDecodeError: bad\n"
        );
        let shown = excerpt(&traceback, 12);
        let has = |part: &str| shown.iter().any(|line| line.contains(part));
        assert!(
            has("server.py") && has("total += decode(field)"),
            "{shown:?}"
        );
        assert_eq!(shown[0], "Traceback (most recent call last):");
        assert_eq!(shown.last().unwrap(), "UnicodeDecodeError: bad");
        let lines = shown.iter().filter(|line| !line.contains("left out"));
        assert_eq!(lines.count(), 12);
        for max in 1..90 {
            let shown = excerpt(&traceback, max);
            assert_eq!(shown.last().unwrap(), "UnicodeDecodeError: bad", "{max}");
            let lines = shown.iter().filter(|line| !line.contains("left out"));
            assert_eq!(lines.count(), max.min(84), "{max}");
        }
    }

    #[test]
    fn nothing_and_what_is_not_safe() {
        assert!(excerpt("\n  \n", 5).is_empty());
        assert_eq!(last_line(""), None);
        assert_eq!(excerpt("a\x1b[2J\r\n", 5), ["a\\x1b[2J"]);
        assert_eq!(ends(&[1, 2, 3], 0), (&[][..], 3, &[][..]));
    }
}
