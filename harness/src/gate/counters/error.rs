//! Why a server could not be counted, and what to do next.

use std::time::Duration;

use crate::load::engine::EngineError;
use crate::process::StartFailure;
use crate::text::excerpt;

/// Why a server could not be counted.
#[derive(Debug, thiserror::Error)]
pub enum CountError {
    /// A server that is already running cannot be put under valgrind.
    #[error(
        "the server is already running, but counting must start it under valgrind: give its command instead of its address"
    )]
    Attached,
    /// tcprove starts a process for each connection.
    #[error("with `stdio` a process is started for each connection, and those are not counted")]
    PerConnection,
    /// valgrind is not installed.
    #[error(
        "valgrind is not in PATH: install it (Debian, Ubuntu: apt-get install valgrind; Fedora: dnf install valgrind)"
    )]
    NoValgrind,
    /// Under valgrind the server was not ready in time or exited early, or valgrind could not start it.
    #[error("the server did not start under valgrind: {failure}\n{}", advice(&failure.to_string()))]
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
        /// The number of the exchange, from 1.
        number: u64,
        /// Why.
        why: String,
        /// The end of the stderr of server and valgrind.
        stderr: String,
    },
    /// The talk cannot be repeated.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A process left no counts.
    #[error(
        "process {pid} of the server wrote no counts, {why}: valgrind writes them when a process exits, as its user at that time, but not when it is killed by SIGKILL{}",
        tail(stderr)
    )]
    Unwritten {
        /// The process.
        pid: u32,
        /// How many processes wrote theirs.
        why: String,
        /// The end of the stderr of server and valgrind.
        stderr: String,
    },
    /// A file with counts is malformed.
    #[error("valgrind wrote {file}, but {why}: is this a valgrind version with another format?")]
    Malformed {
        /// The name of the file.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// tcprove itself failed.
    #[error("tcprove could not {doing}: {error}")]
    Harness {
        /// What tcprove was doing.
        doing: &'static str,
        /// The error of the system.
        error: std::io::Error,
    },
    /// The server is too slow for the minimum number of requests.
    #[error(
        "under valgrind a request takes {request:.0?}, and start and exit {around:.0?}: the minimum count takes {needed:.0?}, and the limit is {limit:.0?}; allow more time"
    )]
    TooSlow {
        /// The duration of a request.
        request: Duration,
        /// The duration of start and exit together.
        around: Duration,
        /// The duration of the minimum number of requests.
        needed: Duration,
        /// The time limit.
        limit: Duration,
    },
    /// Counting exceeded its time limit.
    #[error("{}", out_of_time(*requests, *first, *last))]
    OutOfTime {
        /// Requests of the aborted run.
        requests: usize,
        /// Mean duration of a request in the first tenth of the run.
        first: Duration,
        /// Mean duration of a request in the last tenth of the run.
        last: Duration,
    },
    /// Counting used all of the time that it may use.
    #[error(
        "counting under valgrind took longer than the {limit:.0?} that were left{}: allow more time", beside(*outside)
    )]
    NoTime {
        /// The time that was left for it.
        limit: Duration,
        /// Start and stop of both servers, outside valgrind; zero if it was not measured.
        outside: Duration,
    },
    /// The interpreter does not run a hook.
    #[error("{0}")]
    NoHook(&'static str),
    /// The hook runs, but does nothing when it is asked to.
    #[error("the profiler does not answer, since the main thread of the server handles no signals")]
    SilentHook,
    /// The user interrupted the run.
    #[error("interrupted")]
    Interrupted,
}

fn beside(outside: Duration) -> String {
    match outside {
        Duration::ZERO => String::new(),
        _ => format!("; outside valgrind both servers start and stop in {outside:.1?}"),
    }
}

/// Factor by which the last requests must be slower than the first to blame the requests themselves.
const GROWTH: u32 = 3;

fn out_of_time(requests: usize, first: Duration, last: Duration) -> String {
    let mut text = format!(
        "under valgrind the time limit was reached at request {requests} of a run; the last requests took {last:.0?} each"
    );
    text += &if last > first * GROWTH {
        format!(
            ", and the first {first:.0?}: every request adds state to the server that slows down the next, so that no count is the cost of one operation; choose a turn that adds no state (--turn N)"
        )
    } else {
        "; allow more time (a longer --max-time)".to_owned()
    };
    text
}

/// Maximum number of stderr lines in a message.
const LINES_MAX: usize = 8;
/// Lines with which valgrind explains why it ends a program; how to contact its authors follows.
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

/// Whether this line of valgrind is the reason why it terminates the program or itself.
fn is_why(line: &str) -> bool {
    const WHYS: [&str; 4] = [
        "Process terminating",
        "valgrind: the 'impossible' happened",
        "Unrecognised instruction",
        "unrecognised instruction",
    ];
    WHYS.iter().any(|why| line.contains(why))
}

/// What to do next, judging by the output.
fn advice(said: &str) -> &'static str {
    if said.contains("nrecognised instruction") || said.contains("unhandled instruction") {
        "valgrind does not support one of its instructions: build the server for a generic CPU (without -march=native or target-cpu=native; AVX-512 is not supported)"
    } else if said.contains("unhandled") && said.contains("syscall") {
        "valgrind does not support one of its system calls; a newer valgrind may"
    } else if said.contains("/runtime.") || said.contains("goroutine") {
        "Go programs do not run under valgrind; the sessions of both servers do not need it"
    } else {
        "check whether `valgrind --tool=callgrind COMMAND` runs it. Programs in Go, on the JVM or with another just-in-time compiler often do not run; the sessions of both servers do not need valgrind"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_grows_slower_is_told_from_one_that_is_slow() {
        let milliseconds = |first, last| CountError::OutOfTime {
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
            grown.contains("the first 1ms: every request adds state"),
            "{grown}"
        );
    }

    #[test]
    fn what_to_do_next_is_said() {
        let failed = |stderr: &str| {
            let trouble = CountError::Exchange {
                number: 3,
                why: "the connection ended".to_owned(),
                stderr: stderr.to_owned(),
            };
            trouble.to_string()
        };
        assert!(
            failed("==7== valgrind: Unrecognised instruction at address 0x40.").contains("AVX-512")
        );
        assert!(failed("goroutine 1 [running]").contains("Go programs do not run"));
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
