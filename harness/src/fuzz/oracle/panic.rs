//! Panic: the server lives, and has reported a bug of its own on stderr.
//!
//! Reports are known by how a line of them begins. A Python traceback that ends because the peer went away
//! is none: that is how many sound servers take note of it.

use std::sync::LazyLock;
use std::time::Duration;

use regex::bytes::Regex;

use super::{Symptom, text};
use crate::fuzz::Kind;
use crate::fuzz::life::Life;

/// A program that ends because of what it reports is gone by then.
const AFTERMATH: Duration = Duration::from_millis(100);

/// Lines of a report that are kept: the first ones, and as many of the last ones.
const LINES_MAX: usize = 120;

/// How lines begin with which a program reports a bug of its own.
static REPORTS: LazyLock<Regex> = LazyLock::new(|| {
    let patterns = [
        r"thread '.*'( \(\d+\))? panicked at ",
        r"thread '.*'( \(\d+\))? has overflowed its stack",
        r"Traceback \(most recent call last\):",
        r"==\d+==\s?ERROR: \w+Sanitizer",
        r"WARNING: ThreadSanitizer",
        r"\S+:\d+:\d+: runtime error: ",
        r"panic: ",
        r"fatal error: ",
        r".*http: panic serving ",
        r"(Uncaught |\[?Unhandled)",
        r#"Exception in thread ""#,
        r".*Assertion .* failed",
        r"\*\*\* .* detected \*\*\*",
        r"(malloc|free|realloc|corrupted|double free)[( ].*",
        r"terminate called ",
        r"(thread|Task) .*panicked",
    ];
    compiled(&format!("^({})", patterns.join("|")))
});

/// The last line of a traceback that only says that the peer went away.
static PEER_WENT_AWAY: LazyLock<Regex> = LazyLock::new(|| {
    compiled(
        r"^(\w+\.)*(ConnectionResetError|ConnectionAbortedError|BrokenPipeError|IncompleteReadError)\b",
    )
});

/// How Python names an error. Threads that report at the same time put other lines among these.
static AN_ERROR: LazyLock<Regex> = LazyLock::new(|| compiled(r"^[A-Za-z_][\w.]*(:|$)"));

fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap_or_else(|error| unreachable!("a pattern of ours: {error}"))
}

/// A report that has begun, or is whole.
#[derive(Clone, Debug, Default)]
pub struct Report {
    lines: Vec<Vec<u8>>,
}

/// Reads stderr as it comes, line by line.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    read: u64,
    partial: Vec<u8>,
    report: Option<Report>,
}

impl Scan {
    /// How many bytes of stderr were read.
    pub fn read(&self) -> u64 {
        self.read
    }

    /// Takes what came next; `total` is the count of bytes with it.
    pub fn push(&mut self, fresh: &[u8], total: u64) {
        self.read = total;
        self.partial.extend_from_slice(fresh);
        while let Some(end) = memchr::memchr(b'\n', &self.partial) {
            let line: Vec<u8> = self.partial.drain(..=end).collect();
            self.line(line.trim_ascii_end());
        }
        // A line without an end is no report.
        let excess = self.partial.len().saturating_sub(16 * 1024);
        self.partial.drain(..excess);
    }

    fn line(&mut self, line: &[u8]) {
        match &mut self.report {
            Some(report) => report.push(line),
            None if REPORTS.is_match(line) => {
                self.report = Some(Report {
                    lines: vec![line.to_vec()],
                });
            }
            None => {}
        }
    }

    /// Whether a report has begun.
    pub fn is_reporting(&self) -> bool {
        self.report.is_some()
    }

    /// The report, if there is one that counts.
    pub fn take(&mut self) -> Option<Report> {
        self.report
            .take()
            .filter(|report| !report.is_about_the_peer())
    }
}

impl Report {
    /// A long traceback names its error in the last line, so the middle is what goes.
    fn push(&mut self, line: &[u8]) {
        if self.lines.len() == LINES_MAX {
            self.lines.remove(LINES_MAX / 2);
        }
        self.lines.push(line.to_vec());
    }

    /// The line by which it was known.
    pub fn first_line(&self) -> &[u8] {
        self.lines.first().map_or(b"", Vec::as_slice)
    }

    /// Whether every traceback in it ends with the news that the peer went away.
    fn is_about_the_peer(&self) -> bool {
        let others = |line: &&Vec<u8>| REPORTS.is_match(line) && !line.starts_with(b"Traceback");
        if self.lines.iter().any(|line| others(&line)) {
            return false;
        }
        // What stands at the margin after indented lines is the error that ended the traceback.
        let mut indented = false;
        let mut ends = Vec::new();
        for line in self.lines.iter().skip(1) {
            let inside = line.first().is_none_or(|byte| *byte == b' ');
            if indented && !inside {
                ends.push(line);
            }
            indented = inside;
        }
        let errors: Vec<_> = ends.iter().filter(|line| AN_ERROR.is_match(line)).collect();
        !errors.is_empty() && errors.iter().all(|line| PEER_WENT_AWAY.is_match(line))
    }

    fn text(&self) -> String {
        text::decode(&self.lines.join(&b'\n'))
    }
}

/// What stderr has reported since the last look.
pub fn seen(life: &mut Life<'_>) -> Option<Symptom> {
    let report = life.scan()?;
    // Last words come before the end. Then it is a crash, and every time: not now this, now that.
    if life.until(AFTERMATH, |life| life.look().ended.is_some())
        && let Some(crash) = life.judge(Ok(Duration::ZERO))
    {
        return Some(crash);
    }
    let text = report.text();
    let key = text::cause(&text);
    let title = text::message(&text).unwrap_or_else(|| "a report on stderr".into());
    Some(
        Symptom::new(Kind::Panic, key, title)
            .with("stderr", text::lines_shown(&text))
            .with("line", text::decode(report.first_line())),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(stderr: &str) -> Option<String> {
        let mut scan = Scan::default();
        // In small pieces, as pipes give them.
        let mut total = 0;
        for piece in stderr.as_bytes().chunks(7) {
            total += piece.len() as u64;
            scan.push(piece, total);
        }
        scan.take().map(|report| text::decode(report.first_line()))
    }

    #[test]
    fn reports_are_known_by_how_lines_begin() {
        for (stderr, found) in [
            ("thread 'main' (12) panicked at src/a.rs:1:2:\nboom\n", true),
            (
                "thread 'tokio-rt-worker' panicked at 'x', src/a.rs:1:2\n",
                true,
            ),
            ("note: thread 'main' panicked at src/a.rs\n", false),
            ("GET /panic: x\n", false),
            (
                "panic: runtime error: index out of range\n\ngoroutine 7 [running]:\n",
                true,
            ),
            ("==12==ERROR: AddressSanitizer: heap-use-after-free\n", true),
            (
                "Traceback (most recent call last):\n  File \"a\", line 1, in f\n    x\nValueError: no\n",
                true,
            ),
            ("listening\n", false),
        ] {
            assert_eq!(report(stderr).is_some(), found, "{stderr}");
        }
    }

    #[test]
    fn the_end_of_a_long_traceback_is_kept() {
        let frames = "  File \"s.py\", line 3, in f\n    g()\n".repeat(300);
        let traceback = |error: &str| {
            let mut scan = Scan::default();
            let text = format!("Traceback (most recent call last):\n{frames}{error}\n");
            scan.push(text.as_bytes(), text.len() as u64);
            scan.take().map(|report| text::cause(&report.text()))
        };
        assert_eq!(traceback("ValueError: x").unwrap(), "ValueError in s.py f");
        assert!(traceback("ConnectionResetError: [Errno 104] reset").is_none());
    }

    #[test]
    fn a_peer_that_went_away_is_no_bug() {
        let traceback = |error: &str| {
            format!(
                "Traceback (most recent call last):\n  File \"s.py\", line 3, in serve\n    recv()\n{error}\n"
            )
        };
        assert!(report(&traceback("ConnectionResetError: [Errno 104] reset")).is_none());
        assert!(
            report(&traceback(
                "asyncio.exceptions.IncompleteReadError: 0 bytes"
            ))
            .is_none()
        );
        assert!(report(&traceback("UnicodeDecodeError: 'utf-8' codec")).is_some());
        let two_threads = "Traceback (most recent call last):\n  File \"s.py\", line 3, in run\nException in thread Thread-3 (serve):\nTraceback (most recent call last):\n    recv()\nConnectionResetError: [Errno 104]\n    recv()\nConnectionResetError: [Errno 104]\n";
        assert!(report(two_threads).is_none());
        let chained = traceback("ConnectionResetError: x")
            + "\nDuring handling of the above exception, another exception occurred:\n\n"
            + &traceback("KeyError: 'a'");
        assert!(report(&chained).is_some());
    }
}
