//! Why nothing could be counted: what happened, and what to do next.

use crate::load::engine::EngineError;
use crate::process::StartFailure;
use crate::text::excerpt;
use std::time::Duration;

/// Why nothing could be counted.
#[derive(Debug, thiserror::Error)]
pub enum NoCounts {
    /// Nothing can be put under a server that runs already.
    #[error(
        "the server runs already, and what is counted has to be started under valgrind: give its command instead of its address"
    )]
    Attached,
    /// There is no valgrind.
    #[error(
        "valgrind is not in PATH: install it (Debian, Ubuntu: apt-get install valgrind; Fedora: dnf install valgrind)"
    )]
    NoValgrind,
    /// Under valgrind it was not ready in time, ended early, or was nothing that valgrind starts.
    #[error("under valgrind it could not be started: {failure}\n{}", advice(&failure.to_string()))]
    Start {
        /// Why.
        failure: Box<StartFailure>,
    },
    /// Under valgrind an exchange failed.
    #[error(
        "under valgrind exchange {number} failed: {why}{}\n{}",
        tail(stderr),
        advice(stderr)
    )]
    Exchange {
        /// Which, from 1.
        number: u64,
        /// Why.
        why: String,
        /// What the server, or valgrind, said last.
        stderr: String,
    },
    /// The talk cannot be said over and over.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A process left no counts.
    #[error(
        "process {pid} of the server left no counts behind, {why}: valgrind writes them when a process ends, as the user that it has become, unless it is killed by another one (SIGKILL){}",
        tail(stderr)
    )]
    Unwritten {
        /// Which.
        pid: u32,
        /// What is known.
        why: String,
        /// What the server, or valgrind, said last.
        stderr: String,
    },
    /// A file with counts is none.
    #[error("valgrind wrote {file}, but {why}; has another version of it changed the format?")]
    Malformed {
        /// Its name.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// Something of ours failed.
    #[error("tcprove could not {doing}: {error}")]
    Harness {
        /// What it was doing.
        doing: &'static str,
        /// What the system said.
        error: std::io::Error,
    },
    /// It takes so long that there is no time for enough requests.
    #[error(
        "under valgrind a request takes {request:.0?}, and start and end {around:.0?}: the least that gives a figure takes {needed:.0?}, and {limit:.0?} is all it may take; allow it more time"
    )]
    TooSlow {
        /// What a request takes.
        request: Duration,
        /// What start and end take together.
        around: Duration,
        /// What the fewest requests would take.
        needed: Duration,
        /// The longest time that all of it may take.
        limit: Duration,
    },
    /// It took longer than was planned.
    #[error("{}", out_of_time(*requests, *first, *last))]
    OutOfTime {
        /// Requests of the life that was cut off.
        requests: usize,
        /// What one of its first tenth took.
        first: Duration,
        /// What one of its last tenth took.
        last: Duration,
    },
    /// Somebody asked for the end.
    #[error("it was ended early")]
    Interrupted,
}

/// Requests that take so many times as long as the first ones take longer because of them.
const GROWN: u32 = 3;

fn out_of_time(requests: usize, first: Duration, last: Duration) -> String {
    let mut text = format!(
        "under valgrind the time was over at request {requests} of a life; the last ones took {last:.0?} each"
    );
    text += &match last > first * GROWN {
        true => format!(
            ", and the first {first:.0?}: with every request the server keeps something that makes the next one dearer, so that no figure is that of an operation; choose a turn that leaves nothing behind (--turn N)"
        ),
        false => "; allow it more time (a longer --max-time)".to_owned(),
    };
    text
}

/// Lines of stderr that are shown.
const LINES_MAX: usize = 8;
/// Lines with which valgrind explains why it ends a program; its advice to write to its authors follows.
const WHY_LINES: usize = 5;

fn tail(stderr: &str) -> String {
    let lines: Vec<&str> = stderr
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let end = lines
        .iter()
        .position(|line| is_why(line))
        .map_or(lines.len(), |why| lines.len().min(why + WHY_LINES));
    let shown = excerpt(&lines[..end].join("\n"), LINES_MAX);
    if shown.is_empty() {
        return String::new();
    }
    format!("\nits stderr:\n  {}", shown.join("\n  "))
}

/// Whether valgrind says by this line why it ends the program, or itself.
fn is_why(line: &str) -> bool {
    const WHYS: [&str; 4] = [
        "Process terminating",
        "valgrind: the 'impossible' happened",
        "Unrecognised instruction",
        "unrecognised instruction",
    ];
    WHYS.iter().any(|why| line.contains(why))
}

/// What to do next, as far as what was said tells.
fn advice(said: &str) -> &'static str {
    if said.contains("nrecognised instruction") || said.contains("unhandled instruction") {
        "valgrind does not know an instruction of it: build the server for a usual CPU (without -march=native or target-cpu=native; AVX-512 is not supported)"
    } else if said.contains("unhandled") && said.contains("syscall") {
        "valgrind does not know a system call of it; a newer valgrind may"
    } else if said.contains("/runtime.") || said.contains("goroutine") {
        "programs in Go do not run under valgrind; what the duet measures does not need it"
    } else {
        "does `valgrind --tool=callgrind` with its command run it? Programs in Go, on the JVM or with other compilers of their own often do not; what the duet measures does not need valgrind"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_grows_slower_is_told_from_one_that_is_slow() {
        let milliseconds = |first, last| NoCounts::OutOfTime {
            requests: 700,
            first: Duration::from_millis(first),
            last: Duration::from_millis(last),
        };
        let slow = milliseconds(10, 20).to_string();
        assert!(
            slow.contains("at request 700") && slow.ends_with("--max-time)"),
            "{slow}"
        );
        let grown = milliseconds(1, 20).to_string();
        assert!(
            grown.contains("the first 1ms: with every request"),
            "{grown}"
        );
    }

    #[test]
    fn what_to_do_next_is_said() {
        let failed = |stderr: &str| {
            let trouble = NoCounts::Exchange {
                number: 3,
                why: "the connection ended".to_owned(),
                stderr: stderr.to_owned(),
            };
            trouble.to_string()
        };
        assert!(
            failed("==7== valgrind: Unrecognised instruction at address 0x40.").contains("AVX-512")
        );
        assert!(failed("goroutine 1 [running]").contains("in Go do not run"));
        let other = failed("a\n\nb\x1b[2J\n");
        assert!(other.starts_with("under valgrind exchange 3 failed: the connection ended\nits"));
        assert!(
            other.contains("\n  a\n  b") && !other.contains('\x1b'),
            "{other}"
        );
        assert!(!failed("").contains("stderr"));
        let boilerplate = "at 0x40: main\n".repeat(9) + "If you believe this";
        let ended = format!("==7== Process terminating with default action\n{boilerplate}");
        let shown = failed(&ended);
        assert!(
            shown.contains("\n  ==7== Process terminating") && !shown.contains("believe"),
            "{shown}"
        );
        let shown = failed(&format!("ValueError: 3\n{ended}"));
        assert!(shown.contains("\n  ValueError: 3\n  ==7== P"), "{shown}");
    }
}
