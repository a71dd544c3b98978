//! What a server prints when it breaks, cut down to what is the same every time.

use std::sync::LazyLock;

use regex::Regex;

use crate::talk::{escape, escape_text};

/// Frames that name a bug.
const FRAMES_MAX: usize = 3;
/// Lines of output that are kept as evidence.
const LINES_SHOWN: usize = 20;

/// Where a frame of a stack names its place: Rust's panics, Python, sanitizers, JavaScript, Go.
static FRAMES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        r"(?m)panicked at (?:'.*', )?([^\s:]+:\d+):\d+",
        r#"(?m)^\s+File "([^"]+)", line \d+, in (\S+)"#,
        r"(?m)^\s*#\d+ 0x[0-9a-f]+ in (\S+)",
        r"(?m)^\s+at (?:async )?([^\s(]+) \(",
        r"(?m)^([\w./*()\[\]]+)\(.*\)\n\t\S+\.go:\d+",
    ]
    .iter()
    .map(|pattern| compiled(pattern))
    .collect()
});

/// Frames of runtimes, which are the same for many bugs.
static RUNTIME: LazyLock<Regex> = LazyLock::new(|| {
    compiled(
        r"^(core|std|alloc|tokio)::|/rustc/|/lib/python|/usr/lib|^node:|^_*(start|asan|interceptor)|^(malloc|free|memcpy|abort|raise)\b|^runtime\.|^panic\b",
    )
});

static NUMBERS: LazyLock<Regex> = LazyLock::new(|| compiled(r"0x[0-9a-fA-F]+|\d+"));
static QUOTED: LazyLock<Regex> = LazyLock::new(|| compiled(r#""[^"]*"|'[^']*'|`[^`]*`"#));

fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap_or_else(|error| unreachable!("a pattern of ours: {error}"))
}

/// Text out of bytes that may be anything.
pub(super) fn decode(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The top frames that are the program's own. A function that calls itself for ever is one frame.
pub(super) fn frames(text: &str) -> Vec<String> {
    if let Some(at) = text.find("has overflowed its stack") {
        let begin = text[..at].rfind('\n').map_or(0, |end| end + 1);
        return vec![masked(&text[begin..at]) + "stack overflow"];
    }
    for pattern in FRAMES.iter() {
        let mut found: Vec<String> = Vec::new();
        for frame in pattern.captures_iter(text) {
            let parts: Vec<&str> = frame
                .iter()
                .skip(1)
                .flatten()
                .map(|part| part.as_str())
                .collect();
            let frame = parts.join(" ");
            if !RUNTIME.is_match(&frame) && found.last() != Some(&frame) {
                found.push(frame);
            }
        }
        // Python writes the innermost frame last.
        if pattern.as_str().contains("File ") {
            found.reverse();
        }
        found.truncate(FRAMES_MAX);
        if !found.is_empty() {
            return found.iter().map(|frame| escape_text(frame, 120)).collect();
        }
    }
    Vec::new()
}

/// The last line of the text that says something, without numbers and quoted parts.
pub(super) fn normalized_end(text: &str) -> String {
    let last = text
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.is_empty());
    last.map(masked).unwrap_or_default()
}

fn masked(line: &str) -> String {
    let unquoted = QUOTED.replace_all(line, "_");
    escape_text(&NUMBERS.replace_all(&unquoted, "N"), 120)
}

/// The one line that tells a person most.
pub(super) fn message(text: &str) -> Option<String> {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect();
    let telling = |line: &&&str| {
        line.contains("panicked at")
            || line.contains("overflowed its stack")
            || line.contains("Sanitizer:")
    };
    if let Some(at) = lines.iter().position(|line| telling(&line)) {
        // Since Rust 1.73 the message is on the line below.
        let below = lines.get(at + 1).filter(|_| lines[at].ends_with(':'));
        let whole = below.map_or(lines[at].to_owned(), |below| {
            format!("{} {below}", lines[at])
        });
        return Some(escape_text(&whole, 200));
    }
    let error = lines.iter().rev().find(|line| {
        let word = line.split([':', ' ']).next().unwrap_or_default();
        word.ends_with("Error")
            || word.ends_with("Exception")
            || line.starts_with("fatal")
            || line.starts_with("panic")
    });
    error.or(lines.last()).map(|line| escape_text(line, 200))
}

/// The last lines, safe to show.
pub(super) fn last_lines(text: &str) -> Vec<String> {
    let lines: Vec<String> = text
        .trim_end()
        .lines()
        .map(|line| escape(line.as_bytes(), 300))
        .collect();
    lines[lines.len().saturating_sub(LINES_SHOWN)..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_many_languages() {
        let rust = "thread 'c' (9) panicked at src/a.rs:12:5:\nindex 313\nnote: run with";
        assert_eq!(frames(rust), ["src/a.rs:12"]);
        assert_eq!(
            message(rust).unwrap(),
            "thread 'c' (9) panicked at src/a.rs:12:5: index 313"
        );
        let python = "Traceback (most recent call last):\n  File \"/usr/lib/python3/x.py\", line 1, in run\n    a\n  File \"s.py\", line 7, in main\n    b\n  File \"s.py\", line 3, in serve\n    c\nValueError: 3";
        assert_eq!(frames(python), ["s.py serve", "s.py main"]);
        assert_eq!(message(python).unwrap(), "ValueError: 3");
        let node = "TypeError: x\n    at handle (/a/ws.js:1:2)\n    at node:events (x)\n    at Server.emit (node:events:5)";
        assert_eq!(frames(node)[0], "handle");
        let asan = "==1==ERROR: AddressSanitizer: heap\n    #0 0x55 in memcpy\n    #1 0x56 in parse a.c:1\n    #2 0x56 in parse a.c:1\n    #3 0x57 in main a.c:9";
        assert_eq!(frames(asan), ["parse", "main"]);
        let overflow =
            "\nthread 'tokio-runtime-worker' (12) has overflowed its stack\nfatal runtime error";
        assert_eq!(frames(overflow), ["thread _ (N) stack overflow"]);
    }

    #[test]
    fn what_changes_is_masked() {
        assert_eq!(
            normalized_end("a\nbad token 'x9' at 0x7f00 after 12 bytes\n\n"),
            "bad token _ at N after N bytes"
        );
        assert_eq!(normalized_end(""), "");
    }
}
