//! Normalizes what a server prints when it fails, so that the same bug always yields the same text.

use std::sync::LazyLock;

use regex::Regex;

use crate::text::{escape_text, excerpt};

/// Maximum stack frames that identify a bug.
const FRAMES_MAX: usize = 3;
/// Maximum lines of output kept as evidence.
const LINES_SHOWN: usize = 20;

/// Where a stack frame names its location: Rust panics, Python, sanitizers, JavaScript, Go.
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

/// Frames of language runtimes, which many bugs share.
static RUNTIME: LazyLock<Regex> = LazyLock::new(|| {
    compiled(
        r"^(core|std|alloc|tokio)::|/rustc/|/lib/python|/usr/lib|^node:|^_*(start|asan|interceptor)|^(malloc|free|memcpy|abort|raise)\b|^runtime\.|^panic\b",
    )
});

/// How Python, JavaScript and Java name an exception.
static ERROR_NAMES: LazyLock<Regex> =
    LazyLock::new(|| compiled(r"(?m)^(?:[a-z_]\w*\.)*([A-Z]\w*(?:Error|Exception))\b"));
/// The folder of Cargo's registry, which differs between machines.
static REGISTRY: LazyLock<Regex> = LazyLock::new(|| compiled(r"/\S*/registry/src/[^/\s]+/"));
static NUMBERS: LazyLock<Regex> = LazyLock::new(|| compiled(r"0x[0-9a-fA-F]+|\d+"));
static QUOTED: LazyLock<Regex> = LazyLock::new(|| compiled(r#""[^"]*"|'[^']*'|`[^`]*`"#));

/// How a sanitizer begins a report after which it ends the program.
static SANITIZER: LazyLock<Regex> =
    LazyLock::new(|| compiled(r"(?m)^==\d+==\s?ERROR: \w+Sanitizer"));

fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap_or_else(|error| unreachable!("invalid built-in pattern: {error}"))
}

/// Decodes bytes as text, with replacement characters.
pub(super) fn decode(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The top frames of the program itself. Direct recursion counts as one frame.
fn frames(text: &str) -> Vec<String> {
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
            if RUNTIME.is_match(&frame) {
                continue;
            }
            let frame = placeless(&frame);
            if found.last() != Some(&frame) {
                found.push(frame);
            }
        }
        // Python prints the innermost frame last.
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

/// The identity of a report: the error and the top frames, or else its normalized last line.
pub(super) fn cause(text: &str) -> String {
    let text = from_sanitizer(text);
    let frames = frames(text).join(" < ");
    match (frames.is_empty(), error_name(text)) {
        (true, _) => normalized_end(text),
        (false, None) => frames,
        // One function can fail in several ways.
        (false, Some(error)) => format!("{error} in {frames}"),
    }
}

/// The text from the last report of a sanitizer on, which is why the program ended, whatever it has logged before.
fn from_sanitizer(text: &str) -> &str {
    let last = SANITIZER.find_iter(text).last();
    last.map_or(text, |found| &text[found.start()..])
}

/// The name of the last error in the text.
fn error_name(text: &str) -> Option<&str> {
    let names = ERROR_NAMES.captures_iter(text);
    let name = names.last()?.get(1)?.as_str();
    Some(match name {
        // Which of them occurs depends on timing.
        "ConnectionResetError" | "BrokenPipeError" | "ConnectionAbortedError" => "ConnectionError",
        name => name,
    })
}

/// A frame without the folder of its program, so that a bug has the same identity on every machine.
fn placeless(frame: &str) -> String {
    if !frame.starts_with('/') {
        return frame.to_owned();
    }
    let path = frame.split(' ').next().unwrap_or(frame);
    let from = match path.rfind("/src/") {
        Some(source) => source + 1,
        None => path.rfind('/').map_or(0, |end| end + 1),
    };
    frame[from..].to_owned()
}

/// The line that names the error of the last traceback, or the last line that is not indented, without numbers and quoted parts.
/// What an error says on more lines, and what is logged after it, often repeats what was received.
fn normalized_end(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let lines: Vec<&str> = lines.collect();
    let is_outer = |line: &&str| !line.starts_with(char::is_whitespace);
    let ends = lines
        .windows(2)
        .filter(|pair| !is_outer(&pair[0]) && is_outer(&pair[1]));
    let mut errors = ends.map(|pair| pair[1]);
    let error = match text.contains("Traceback (") {
        true => errors.next_back(),
        false => None,
    };
    let last = error
        .or_else(|| lines.iter().rev().copied().find(|line| is_outer(line)))
        .or_else(|| lines.last().copied());
    last.map(|line| masked(line.trim())).unwrap_or_default()
}

fn masked(line: &str) -> String {
    let unquoted = QUOTED.replace_all(line, "_");
    escape_text(&NUMBERS.replace_all(&unquoted, "N"), 120)
}

/// The most informative line for a person.
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
        // Since Rust 1.73 the message is on the next line.
        let below = lines.get(at + 1).filter(|_| lines[at].ends_with(':'));
        let whole = below.map_or(lines[at].to_owned(), |below| {
            format!("{} {below}", lines[at])
        });
        return Some(escape_text(&REGISTRY.replace_all(&whole, ""), 200));
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

/// The lines of a report that are kept as evidence.
pub(super) fn lines_shown(text: &str) -> Vec<String> {
    excerpt(text, LINES_SHOWN)
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
        let crates = "thread 'c' panicked at /h/.cargo/registry/src/index-1/x-0.4.1/src/frame.rs:148:67:\nno";
        assert_eq!(frames(crates), ["src/frame.rs:148"]);
        assert_eq!(
            message(crates).unwrap(),
            "thread 'c' panicked at x-0.4.1/src/frame.rs:148:67: no"
        );
        let python = "Traceback (most recent call last):\n  File \"/usr/lib/python3/x.py\", line 1, in run\n    a\n  File \"s.py\", line 7, in main\n    b\n  File \"s.py\", line 3, in serve\n    c\nValueError: 3";
        assert_eq!(frames(python), ["s.py serve", "s.py main"]);
        assert_eq!(message(python).unwrap(), "ValueError: 3");
        assert_eq!(cause(python), "ValueError in s.py serve < s.py main");
        let other = python.replace("ValueError: 3", "asyncio.TimeoutError");
        assert_eq!(cause(&other), "TimeoutError in s.py serve < s.py main");
        assert_eq!(cause(rust), "src/a.rs:12");
        let node = "TypeError: x\n    at handle (/a/ws.js:1:2)\n    at node:events (x)\n    at Server.emit (node:events:5)";
        assert_eq!(frames(node)[0], "handle");
        let logged = "Traceback (most recent call last):\n  File \"s.py\", line 3, in serve\n    c\nValueError: 3\n";
        let report = "==7==ERROR: AddressSanitizer: heap\n    #0 0x1 in parse a.c:9\n";
        assert_eq!(cause(&format!("{logged}{report}")), cause(report));
        let asan = "==1==ERROR: AddressSanitizer: heap\n    #0 0x55 in memcpy\n    #1 0x56 in parse a.c:1\n    #2 0x56 in parse a.c:1\n    #3 0x57 in main a.c:9";
        assert_eq!(frames(asan), ["parse", "main"]);
        let overflow =
            "\nthread 'tokio-runtime-worker' (12) has overflowed its stack\nfatal runtime error";
        assert_eq!(frames(overflow), ["thread _ (N) stack overflow"]);
    }

    #[test]
    fn frames_do_not_depend_on_the_folder_of_the_program() {
        assert_eq!(placeless("/home/me/s.py serve"), "s.py serve");
        assert_eq!(placeless("/r/x-0.4.1/src/frame.rs:148"), "src/frame.rs:148");
        assert_eq!(placeless("src/a.rs:12"), "src/a.rs:12");
    }

    #[test]
    fn what_changes_is_masked() {
        assert_eq!(
            normalized_end("a\nbad token 'x9' at 0x7f00 after 12 bytes\n\n"),
            "bad token _ at N after N bytes"
        );
        assert_eq!(
            normalized_end("Bad: 400, message:\n  Bad line 'x'\n"),
            "Bad: N, message:"
        );
        let logged = "Traceback (most recent call last):\n  File \"a\", line 1, in f\nError: x\n404 OPTIONS *\n";
        assert_eq!(normalized_end(logged), "Error: x");
        assert_eq!(normalized_end(" a\n"), "a");
        assert_eq!(normalized_end(""), "");
    }
}
