//! Recognizes reports of a program's own bugs on stderr.
//!
//! A report is recognized by how one of its lines begins. A Python traceback that ends because the peer
//! disconnected is not a report: many correct servers log disconnects this way.

use std::sync::LazyLock;

use regex::bytes::Regex;

/// Maximum lines kept of one report: half of them from its beginning, half from its end.
const LINES_MAX: usize = 120;

/// Maximum bytes of a line without a line end; the rest is dropped.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// How the first line of a report begins.
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

/// The last line of a traceback whose only cause is that the peer disconnected, or that it sent what must be refused: an
/// error with an HTTP status 4xx.
static PEER_DISCONNECTED: LazyLock<Regex> = LazyLock::new(|| {
    compiled(
        r"^(\w+\.)*(\w*ConnectionResetError|\w*ConnectionAbortedError|\w*BrokenPipeError|\w*IncompleteReadError|Client\w*Disconnect\w*)\b|^(\w+\.)*\w+: (HTTP )?4\d\d\b",
    )
});

/// How a sanitizer begins a report after which it ends the program.
static SANITIZER: LazyLock<Regex> = LazyLock::new(|| compiled(r"^==\d+==\s?ERROR: \w+Sanitizer"));

/// What Python's asyncio prints before the traceback of a client's handler: it says no more than the traceback.
const INTRODUCTION: &[u8] = b"Unhandled exception in ";
/// How a traceback begins.
const TRACEBACK: &[u8] = b"Traceback";

/// How Python names an error. Threads that report at the same time mix other lines in between.
static ERROR_LINE: LazyLock<Regex> = LazyLock::new(|| compiled(r"^[A-Za-z_][\w.]*(:|$)"));

fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap_or_else(|error| unreachable!("invalid built-in pattern: {error}"))
}

/// A report, possibly still incomplete.
#[derive(Clone, Debug, Default)]
pub(super) struct StderrReport {
    lines: Vec<Vec<u8>>,
}

/// Reads stderr incrementally, line by line.
#[derive(Clone, Debug, Default)]
pub(super) struct StderrScan {
    read: u64,
    partial: Vec<u8>,
    report: Option<StderrReport>,
}

impl StderrScan {
    /// Bytes of stderr read so far.
    pub(super) fn read(&self) -> u64 {
        self.read
    }

    /// Adds `fresh` bytes; `total` is the number of bytes of stderr including them.
    pub(super) fn push(&mut self, fresh: &[u8], total: u64) {
        self.read = total;
        self.partial.extend_from_slice(fresh);
        while let Some(end) = memchr::memchr(b'\n', &self.partial) {
            let line: Vec<u8> = self.partial.drain(..=end).collect();
            self.line(line.trim_ascii_end());
        }
        let excess = self.partial.len().saturating_sub(LINE_BYTES_MAX);
        self.partial.drain(..excess);
    }

    fn line(&mut self, line: &[u8]) {
        match &mut self.report {
            Some(report) => report.push(line),
            None if REPORTS.is_match(line) => {
                self.report = Some(StderrReport {
                    lines: vec![line.to_vec()],
                });
            }
            None => {}
        }
    }

    /// Whether a report has begun.
    pub(super) fn is_reporting(&self) -> bool {
        self.report.is_some()
    }

    /// Whether the last report is a traceback whose last line, which names the error, has not come yet.
    pub(super) fn is_inside_traceback(&self) -> bool {
        self.report
            .as_ref()
            .is_some_and(StderrReport::is_unfinished)
    }

    /// Takes the report, unless it is only about a peer that disconnected.
    pub(super) fn take(&mut self) -> Option<StderrReport> {
        self.report
            .take()
            .filter(|report| !report.is_about_the_peer())
    }
}

impl StderrReport {
    /// Adds a line. The end of a long traceback names the error, so the middle is what goes.
    fn push(&mut self, line: &[u8]) {
        if self.lines.len() == LINES_MAX {
            self.lines.remove(LINES_MAX / 2);
        }
        self.lines.push(line.to_vec());
    }

    /// The line that was recognized.
    pub(super) fn first_line(&self) -> &[u8] {
        self.lines.first().map_or(b"", Vec::as_slice)
    }

    /// Whether it is a traceback and nothing worse.
    pub(super) fn is_traceback(&self) -> bool {
        let first = self.first_line();
        let is_python = first.starts_with(TRACEBACK) || first.starts_with(INTRODUCTION);
        is_python && !self.has_others()
    }

    /// Whether there is a report in it that is neither a traceback nor what introduces one.
    fn has_others(&self) -> bool {
        let is_python =
            |line: &Vec<u8>| line.starts_with(TRACEBACK) || line.starts_with(INTRODUCTION);
        let mut lines = self.lines.iter();
        lines.any(|line| REPORTS.is_match(line) && !is_python(line))
    }

    /// Whether a sanitizer that usually ends the program has reported, perhaps after a log of something else.
    pub(super) fn is_of_sanitizer(&self) -> bool {
        self.lines.iter().any(|line| SANITIZER.is_match(line))
    }

    /// Whether it is a traceback that has not begun, or one without the line that names the error, which may be followed by more
    /// about it.
    fn is_unfinished(&self) -> bool {
        let is_begin = |line: &Vec<u8>| line.starts_with(TRACEBACK);
        let is_frame = |line: &Vec<u8>| is_begin(line) || line.starts_with(b"  File \"");
        let last = self.lines.iter().rposition(is_frame).unwrap_or(0);
        let inside = |line: &Vec<u8>| line.first().is_none_or(|byte| *byte == b' ');
        let has_begun = self.lines.iter().any(is_begin);
        self.is_traceback() && (!has_begun || self.lines[last + 1..].iter().all(inside))
    }

    /// All lines, joined by newlines.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.lines.join(&b'\n')
    }

    /// Whether every traceback in it ends with an error that says the peer disconnected.
    fn is_about_the_peer(&self) -> bool {
        if self.has_others() {
            return false;
        }
        // The first unindented line after indented ones is the error that ended the traceback.
        let mut indented = false;
        let mut ends = Vec::new();
        for line in self.lines.iter().skip(1) {
            let inside = line.first().is_none_or(|byte| *byte == b' ');
            if indented && !inside {
                ends.push(line);
            }
            indented = inside;
        }
        let errors: Vec<_> = ends
            .iter()
            .filter(|line| ERROR_LINE.is_match(line))
            .collect();
        !errors.is_empty() && errors.iter().all(|line| PEER_DISCONNECTED.is_match(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(stderr: &str) -> Option<String> {
        let mut scan = StderrScan::default();
        // In small pieces, as a pipe delivers them.
        let mut total = 0;
        for piece in stderr.as_bytes().chunks(7) {
            total += piece.len() as u64;
            scan.push(piece, total);
        }
        scan.take()
            .map(|report| String::from_utf8_lossy(report.first_line()).into_owned())
    }

    /// The line that names the error comes last, and a busy machine may let it come late.
    #[test]
    fn a_traceback_without_its_error_is_unfinished() {
        let text = "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n    g()\nValueError: no\n";
        let mut scan = StderrScan::default();
        let mut unfinished = Vec::new();
        for line in text.split_inclusive('\n') {
            scan.push(line.as_bytes(), scan.read() + line.len() as u64);
            unfinished.push(scan.is_inside_traceback());
        }
        assert_eq!(unfinished, [true, true, true, false]);
        // The error has a text of several lines.
        scan.push(b"  more\n", scan.read() + 7);
        assert!(!scan.is_inside_traceback());
        scan.push(b"Traceback (most recent call last):\n", scan.read() + 35);
        assert!(scan.is_inside_traceback());
        let mut scan = StderrScan::default();
        let introduced =
            format!("Unhandled exception in client_connected_cb\ntransport: <x>\n{text}");
        let mut unfinished = Vec::new();
        for line in introduced.split_inclusive('\n') {
            scan.push(line.as_bytes(), scan.read() + line.len() as u64);
            unfinished.push(scan.is_inside_traceback());
        }
        assert_eq!(unfinished, [true, true, true, true, true, false]);
        let mut scan = StderrScan::default();
        scan.push(b"panic: x\n", 9);
        assert!(!scan.is_inside_traceback());
    }

    #[test]
    fn a_sanitizer_may_report_after_something_else() {
        let of_sanitizer = |text: &str| {
            let mut scan = StderrScan::default();
            scan.push(text.as_bytes(), text.len() as u64);
            scan.take().unwrap().is_of_sanitizer()
        };
        let report = "==12==ERROR: AddressSanitizer: heap-use-after-free\n";
        assert!(of_sanitizer(report));
        assert!(of_sanitizer(&format!("panic: x\n{report}")));
        assert!(!of_sanitizer("panic: x\n"));
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
            let mut scan = StderrScan::default();
            let text = format!("Traceback (most recent call last):\n{frames}{error}\n");
            scan.push(text.as_bytes(), text.len() as u64);
            scan.take().map(|report| report.bytes())
        };
        assert!(
            traceback("ValueError: x")
                .unwrap()
                .ends_with(b"ValueError: x")
        );
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
        assert!(report(&traceback("framework.BadLine: 400, message:\n  Too long")).is_none());
        assert!(report(&traceback("framework.Failure: 500, message:\n  No")).is_some());
        assert!(report(&traceback("framework.requests.ClientDisconnect")).is_none());
        assert!(report(&traceback("framework.ClientConnectionResetError: no")).is_none());
        assert!(report(&traceback("UnicodeDecodeError: 'utf-8' codec")).is_some());
        let handler = |error: &str| {
            format!(
                "Unhandled exception in client_connected_cb\ntransport: <_SelectorSocketTransport closed fd=7>\n{}",
                traceback(error)
            )
        };
        let reset = handler("ConnectionResetError: Connection lost");
        assert!(report(&reset).is_none());
        assert!(report(&format!("{reset}{reset}")).is_none());
        assert!(report(&handler("AttributeError: 'str' object")).is_some());
        assert!(report("Unhandled exception in client_connected_cb\nno traceback\n").is_some());
        let two_threads = "Traceback (most recent call last):\n  File \"s.py\", line 3, in run\nException in thread Thread-3 (serve):\nTraceback (most recent call last):\n    recv()\nConnectionResetError: [Errno 104]\n    recv()\nConnectionResetError: [Errno 104]\n";
        assert!(report(two_threads).is_none());
        let chained = traceback("ConnectionResetError: x")
            + "\nDuring handling of the above exception, another exception occurred:\n\n"
            + &traceback("KeyError: 'a'");
        assert!(report(&chained).is_some());
    }
}
