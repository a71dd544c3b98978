//! What to look at next after a failure, and what to write into the file if the behaviour is intended.

use super::cause::BEYOND_CLIENTS;
use super::{FailureKind, Outcome, Verdict};

/// The next step after this outcome. `None` if it needs none.
pub(crate) fn next(outcome: &Outcome) -> Option<String> {
    match outcome.outcome {
        Verdict::Fail | Verdict::Warn => {}
        Verdict::Inconclusive => {
            if outcome.reason.as_deref() == Some(INTERRUPTED) {
                return Some("run it again: it was interrupted before it had a verdict".to_owned());
            }
            return Some(
                "run the command under `reproduce` on an idle machine; the reason says what stood in the way"
                    .to_owned(),
            );
        }
        Verdict::Pass | Verdict::Skip => return None,
    }
    use FailureKind::{Died, Leak, Spin, WorkerDied};
    // These may follow any check; in some, though, the stimulus is an error, and dying of it is what they are about.
    let is_general = outcome
        .kind
        .is_some_and(|kind| [Died, Leak, Spin, WorkerDied].contains(&kind));
    let look = end_of(outcome)
        .or(outcome.says(BEYOND_CLIENTS).then_some(PLACES))
        .or(special(outcome.id).filter(|_| !is_general || is_of_an_error(outcome.id)))
        .or(outcome.kind.map(look_at));
    let look = look.unwrap_or("at the evidence");
    let promise = promise(outcome.id).map_or(String::new(), |promise| format!("; {promise}"));
    let intended = if outcome.outcome == Verdict::Warn {
        "a warning fails nothing".to_owned()
    } else {
        format!(
            "if it is intended, write [[waive]] check = \"{}\" with a reason",
            outcome.id
        )
    };
    let reason = outcome.reason.as_deref().unwrap_or_default();
    let unasked = match reason.starts_with("intermittent") && outcome.says(OTHER_FROM_THE_START) {
        true => UNASKED,
        false => "",
    };
    Some(format!("look {look}{promise}{unasked}; {intended}"))
}

/// How the description of a reply ends that has nothing in common with the expected one.
const OTHER_FROM_THE_START: &str = "(they differ at byte 0)";
/// What such a reply may be that does not come each time: nats sends PING two seconds after a client has come.
const UNASKED: &str = "; if the server sends this by itself, say so in a [[talk.push]]";

/// The reason of a check that the user interrupted.
const INTERRUPTED: &str = "interrupted";

/// The next step after a refusal of a client for whom there should have been a place.
const PLACES: &str = "at what counts the clients: a connection that ends with an error or in mid-request is counted down too";

/// The next step after an access to memory that is not there.
const MEMORY: &str =
    "at memory: build it with -g -fsanitize=address, and repeat this to see the line";

/// Where the cause is found of the end of a process that says how it came about.
fn end_of(outcome: &Outcome) -> Option<&'static str> {
    let is_end = matches!(
        outcome.kind,
        Some(FailureKind::Died | FailureKind::WorkerDied)
    );
    let actual = outcome.actual.as_deref().filter(|_| is_end)?;
    let ways = [
        (
            "SIGPIPE",
            "at writes to a connection whose client has left: they raise SIGPIPE unless it is ignored, as by signal(SIGPIPE, SIG_IGN), or send() gets MSG_NOSIGNAL",
        ),
        ("SIGSEGV", MEMORY),
        ("SIGBUS", MEMORY),
        (
            "SIGABRT",
            "for an assertion, or memory that was freed twice: build it with -g -fsanitize=address, and repeat this to see the line",
        ),
        (
            "exited with code 0",
            "at the loop that accepts: the program came to its regular end",
        ),
    ];
    if let Some((_, look)) = ways.iter().find(|(way, _)| actual.contains(way)) {
        return Some(look);
    }
    let is_silent = !outcome.evidence.contains_key("stderr") && !is_of_an_error(outcome.id);
    is_silent.then_some(
        "at how the process ends: it printed nothing on stderr, so an exit() or a signal is likelier than an error that was not caught",
    )
}

/// Whether the stimulus is an error of a system call or a shortage, of which the server must not die.
fn is_of_an_error(id: &str) -> bool {
    matches!(
        id,
        "emfile-live"
            | "accept-aborted"
            | "accept-short"
            | "accept-refused"
            | "interrupted"
            | "no-thread"
            | "nproc-live"
            | "send-error"
            | "recv-error"
            | "options-refused"
            | "disk-full"
    )
}

/// Where the cause of a failure of this check is found, if that is always the same, and the promise that pins what it judges.
pub(super) fn advice(id: &str) -> Option<String> {
    match (special(id), promise(id)) {
        (None, None) => None,
        (Some(look), None) => Some(look.to_owned()),
        (None, Some(promise)) => Some(format!("at the promises: {promise}")),
        (Some(look), Some(promise)) => Some(format!("{look}; {promise}")),
    }
}

/// Where the cause is found of a check that says more than its kind of failure.
fn special(id: &str) -> Option<&'static str> {
    Some(match id {
        "term-inflight" => "at the stop signal: whether requests that were begun are finished",
        "reload-under-load" => "at the reload: whether the listening socket is closed and opened",
        "fin-after-request" => {
            "at the end of a read: a FIN ends the client's requests, not the replies to them"
        }
        "over-buffer" => "at what happens to a request that is longer than the receive buffer",
        "big-reply" => "at send(): it may take fewer bytes than it is given",
        "crosstalk" | "shared-decoder" => "for buffers or decoders that connections share",
        "stdout-blocked" => "at writes to stdout, which wait when nobody reads them",
        "emfile-live" | "emfile-start" => "at the handling of an error of accept()",
        "accept-aborted" | "accept-short" | "accept-refused" => {
            "at what follows an error of accept(): the loop goes on, after a pause if a resource is missing"
        }
        "no-thread" | "nproc-live" => {
            "at the start of a thread or process for a client: if it fails, that client is closed, and no other"
        }
        "send-error" => "at what follows an error of send() or write(): the connection is ended",
        "recv-error" => "at what follows an error of recv() or read(): the connection is ended",
        "options-refused" => {
            "at what follows an error of setsockopt() and the like: the connection goes on or is ended"
        }
        "disk-full" => "at writes to files and to stdout, which may fail with ENOSPC",
        "interrupted" => {
            "at calls that fail with EINTR: nothing has happened, so they are made again"
        }
        "short-write" => {
            "at what send() or write() returns: the rest has to be sent with another call"
        }
        "short-read" => "at what recv() or read() returns: the rest comes with another call",
        "backlog-burst" => "at the argument of listen()",
        "proxy-split" | "proxy-missing" | "proxy-late" => "at the reading of the PROXY header",
        _ => return None,
    })
}

/// Where the cause of such a failure is found.
fn look_at(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Died => {
            "at the end of stderr, for the error that nothing caught on this connection"
        }
        FailureKind::WorkerDied => {
            "at stderr and for a core file of that process: another one has taken its place, but its clients were lost"
        }
        FailureKind::NotReady => "at stderr, and at what the server waits for before it listens",
        FailureKind::DoubleStart => "for SO_REUSEPORT on the listening socket",
        FailureKind::NoRestart => {
            "at who holds the port: a process left behind, or no SO_REUSEADDR before bind()"
        }
        FailureKind::IgnoredStop => "at the signal handler, and at what it waits for",
        FailureKind::LostReply | FailureKind::WrongReply => {
            "at the code that cuts requests out of what recv() returns"
        }
        FailureKind::Orphans => "at the processes that the server starts and does not end",
        FailureKind::Reset => {
            "for a close() with bytes in the receive queue, which resets the connection"
        }
        FailureKind::Growth => "for a buffer or queue without a maximum",
        FailureKind::Blocked => "at what the server's threads wait for at that moment",
        FailureKind::Spin => {
            "at the event loop of the busy process with `strace -c -f -p PID`: which descriptor is ready again and again"
        }
        FailureKind::Complexity => {
            "for a search or a copy that begins again with each read, or with each part of the request"
        }
        FailureKind::Leak => {
            "at the path of the code on which the connection or thread is not ended"
        }
        FailureKind::Silent => "at the start: an error should be printed before the exit",
        FailureKind::Slow => "for writes in several pieces without TCP_NODELAY, or a wait",
        FailureKind::Refused => {
            "at the listening socket: its backlog, and whether accept() is called"
        }
        FailureKind::Accepted => "at the check that should refuse this request",
        FailureKind::LogFlood => "at the loop that logs, for a pause or a limit",
        FailureKind::NotClosed => "at the timer of idle connections",
        FailureKind::Unannounced => "at the line that prints the port",
    }
}

/// The promise that pins what this check judges.
fn promise(id: &str) -> Option<&'static str> {
    Some(match id {
        "at-limit" | "over-buffer" | "size-boundaries" | "endless-message" | "huge-length" => {
            "[promise] max_message states the longest request"
        }
        "conn-limit" | "hol-partial" | "backlog-burst" | "crosstalk" | "places-given-back" => {
            "[promise] max_connections states how many clients are served at once"
        }
        "idle-timeout" | "keepalive-race" | "slow-write" => {
            "[promise] idle_timeout states when silent clients are dropped"
        }
        "term-inflight" => "[promise] drains_on_stop = true makes it a failure",
        "coalesce-100" | "split-across-two" | "nagle-40ms" | "big-reply" | "opening-coalesced" => {
            "without [promise] pipelining clients wait for each reply"
        }
        "utf8-invalid" | "utf8-split-char" | "utf8-split-buffer" => {
            "[promise] encoding states what is accepted"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn look(id: &'static str, kind: FailureKind, actual: &str, stderr: bool) -> String {
        let mut outcome = sample::outcome(id, Verdict::Fail);
        outcome.kind = Some(kind);
        outcome.actual = Some(actual.to_owned());
        outcome.evidence.remove("stderr");
        if stderr {
            let lines = serde_json::json!(["ValueError"]);
            outcome.evidence.insert("stderr".to_owned(), lines);
        }
        next(&outcome).unwrap_or_default()
    }

    #[test]
    fn what_comes_now_and_then_may_be_a_push() {
        let mut outcome = sample::outcome("no-thread", Verdict::Fail);
        outcome.actual = Some(r#""PING\r\n" (they differ at byte 0)"#.to_owned());
        let said = |outcome: &Outcome| next(outcome).unwrap().contains("[[talk.push]]");
        assert!(!said(&outcome));
        outcome.reason = Some("intermittent: it failed in 2 of 3 attempts".to_owned());
        assert!(said(&outcome));
        outcome.actual = Some(r#""hxllo\n" (they differ at byte 1)"#.to_owned());
        assert!(!said(&outcome));
    }

    /// How a process ended says more than that it ended, and an error that was the stimulus more than both.
    #[test]
    fn the_end_of_a_process_leads_to_its_cause() {
        let died = FailureKind::Died;
        let said = |id, actual, stderr| look(id, died, actual, stderr);
        let pipe = "the server was killed by SIGPIPE (13)";
        assert!(said("never-read", pipe, false).contains("MSG_NOSIGNAL"));
        let memory = "the server was killed by SIGSEGV (11)";
        assert!(said("zero-length", memory, false).contains("-fsanitize=address"));
        let code = "the server exited with code 1";
        assert!(said("zero-length", code, true).contains("the end of stderr"));
        assert!(said("zero-length", code, false).contains("printed nothing"));
        assert!(said("accept-short", code, true).contains("accept()"));
        let busy = format!("\"busy\", {BEYOND_CLIENTS}100 clients");
        let wrong = look("fd-leak", FailureKind::WrongReply, &busy, true);
        assert!(wrong.contains("counts the clients"), "{wrong}");
        assert!(said("serves-again", "the server exited with code 0", false).contains("accepts"));
    }
}
