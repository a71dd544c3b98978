//! Stack frames in what a server printed, and whether they belong to the program itself or to a library.

use std::sync::LazyLock;

use regex::Regex;

/// Where a frame names its file: Python, sanitizers with and without lines, Rust and JavaScript and Java, Go, Ruby.
static FILES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        r#"^\s+File "([^"]+)", line \d+"#,
        r"^\s*#\d+ .*?\s\(?(/?[^\s:()]+\.\w+):\d+",
        r"^\s*#\d+ .*\(([^\s()]+)\+0x[0-9a-f]+\)",
        r"panicked at (?:'.*', )?([^\s:]+):\d+",
        r"^\s+at (?:.*\()?([^\s()]+?):\d+(?::\d+)?\)?$",
        r"^\t(/\S+\.go):\d+",
        r"^\s*from (\S+\.rb):\d+",
    ]
    .iter()
    .map(|pattern| compiled(pattern))
    .collect()
});

/// Files of languages, their libraries, and packages.
static LIBRARY: LazyLock<Regex> = LazyLock::new(|| {
    compiled(concat!(
        r"^<|^node:|^internal/|^/usr/(lib|lib64|share|include)/|/lib/python\d|/(site|dist)-packages/|/node_modules/",
        r"|/rustc/|^library/|/registry/src/|/toolchains?/|/go/src/|/pkg/mod/|/gems/",
        r"|sysdeps/|/glibc|^\.\./csu/|/nptl/|sanitizer|compiler-rt|(^|/)lib[^/]*\.so(\.|$)",
    ))
});

fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap_or_else(|error| unreachable!("invalid built-in pattern: {error}"))
}

/// Whether the line is a frame of the program itself.
fn is_own(line: &str) -> bool {
    // It begins every program.
    if line.contains(" in _start ") {
        return false;
    }
    let file = FILES.iter().find_map(|pattern| pattern.captures(line));
    let file = file.and_then(|found| found.get(1));
    file.is_some_and(|file| !LIBRARY.is_match(file.as_str()))
}

/// The places of the lines that are frames of the program itself, with the source that Python prints below; at most `max`, those
/// next to the error first.
pub(super) fn own_frames(lines: &[&str], max: usize) -> Vec<usize> {
    let mut frames: Vec<Vec<usize>> = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        if !is_own(line) {
            continue;
        }
        let source = lines.get(place + 1);
        let has_source = line.trim_start().starts_with("File \"")
            && source.is_some_and(|source| source.starts_with("    "));
        frames.push(if has_source {
            vec![place, place + 1]
        } else {
            vec![place]
        });
    }
    // Python prints the innermost frame last.
    if lines
        .iter()
        .any(|line| line.contains("most recent call last"))
    {
        frames.reverse();
    }
    let mut places = Vec::new();
    for frame in frames {
        if places.len() + frame.len() > max {
            break;
        }
        places.extend(frame);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_a_program_are_told_from_those_of_libraries() {
        for own in [
            "  File \"/srv/shop/server.py\", line 41, in order",
            "  File \"server.py\", line 3, in <module>",
            "    #2 0x55d0 in parse_header /home/me/src/parse.c:120:9",
            "    #2 0x55d0 in parse_header (/home/me/server+0x4d2e1)",
            "thread 'main' (7) panicked at src/main.rs:12:5:",
            "             at ./src/conn.rs:88:13",
            "    at Socket.<anonymous> (/srv/ws.js:17:9)",
            "    at /srv/ws.js:17:9",
            "\t/home/me/server/main.go:31 +0x1d",
            "\tfrom server.rb:12:in `serve'",
        ] {
            assert!(is_own(own), "{own}");
        }
        for other in [
            "  File \"/usr/lib/python3.11/asyncio/events.py\", line 80, in _run",
            "  File \"/venv/lib/python3.11/site-packages/x/y.py\", line 80, in _run",
            "  File \"<frozen runpy>\", line 88, in _run_code",
            "    #0 0x7f in memcpy ../../../../src/libsanitizer/asan/asan_interceptors.cpp:90",
            "    #7 0x7f in __libc_start_main ../sysdeps/nptl/libc_start_call_main.h:58",
            "    #3 0x7f in start_thread (/lib/x86_64-linux-gnu/libc.so.6+0x89133)",
            "    #7 0x5568 in _start (/home/me/server+0x1250)",
            "             at /rustc/59807616/library/core/src/panicking.rs:80:14",
            "             at /home/me/.cargo/registry/src/index.crates.io-1/tokio-1.54.1/src/task.rs:3:1",
            "    at node:events:513:28",
            "    at Server.emit (node:events:5:1)",
            "    at f (/srv/node_modules/ws/lib/receiver.js:1:2)",
            "\t/usr/local/go/src/net/http/server.go:1930 +0x11",
            "UnicodeDecodeError: bad",
            "listening on 127.0.0.1:80",
        ] {
            assert!(!is_own(other), "{other}");
        }
    }

    #[test]
    fn the_frames_next_to_the_error_come_first() {
        let python = "Traceback (most recent call last):\n  File \"a.py\", line 1, in a\n    b()\n  File \"a.py\", line 2, in b\n    c()\nE: x";
        let lines: Vec<&str> = python.lines().collect();
        assert_eq!(own_frames(&lines, 2), [3, 4]);
        assert_eq!(own_frames(&lines, 9), [3, 4, 1, 2]);
        let asan = "==1==ERROR\n    #0 0x1 in f a.c:1\n    #1 0x2 in g a.c:2";
        let lines: Vec<&str> = asan.lines().collect();
        assert_eq!(own_frames(&lines, 1), [1]);
    }
}
