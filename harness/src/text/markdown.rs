//! Text of unknown origin in Markdown.

/// Escapes text of unknown origin: no markup, on one line.
pub(crate) fn plain(text: &str) -> String {
    let text = super::escape_text(text, 2000);
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '#' | '~' | '!' | '@' => {
                out.push('\\');
                out.push(char);
            }
            _ => out.push(char),
        }
    }
    out
}

/// A code span that contains any text (CommonMark 6.1: more backticks outside than inside).
pub(crate) fn code(text: &str) -> String {
    let text = super::escape_text(text, 2000);
    let longest = text
        .split(|char| char != '`')
        .map(str::len)
        .max()
        .unwrap_or(0);
    let ticks = "`".repeat(longest + 1);
    format!("{ticks} {text} {ticks}")
}
