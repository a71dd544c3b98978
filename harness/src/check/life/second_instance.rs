//! The same server twice on one port.

use std::time::Duration;

use crate::check::{Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed, inconclusive};
use crate::process::{Exit, StartFailure, StartOptions};

/// Starts the server again on the port on which it listens.
pub(super) const ENTRY: Check = Check {
    id: "second-instance",
    group: super::GROUP,
    battery: 1,
    requirement: "POSIX bind(): EADDRINUSE, the specified address is already in use; a second instance must fail with an error message (haproxy#629: two instances silently shared a port)",
    stimulus: "the server is started again on the port on which it listens, with its own {tmp}",
    needs: &[
        Need::Spawned,
        Need::OwnSocket,
        Need::SecondInstance,
        Need::SingleClient,
    ],
    runs: Runs::OwnServer,
    weight: Weight::Warns,
    control: false,
    limit: Duration::from_secs(60),
    by_hand: "{cmd} & p=$!; sleep 1; {cmd}; echo \"the second one ended with code $?\"; kill $p",
    run: |cx| Box::pin(run(cx)),
};

/// Time limit for the second instance to give up, longer if this server is slow to start. (nginx
/// retries bind for 2.5 s.)
const GIVES_UP: Duration = Duration::from_secs(10);
const EXPECTED: &str =
    "the second instance exits with a nonzero code and a message that names the address";

/// How a second instance exited.
struct SecondExit {
    exit: Exit,
    text: String,
}

async fn run(cx: &Cx) -> Checked {
    let options = cx.again()?;
    let number = cx.server().port();
    let Some(first) = cx.server().listener() else {
        return inconclusive("the first instance's socket is not in this machine's socket table");
    };
    cx.proved(format!(
        "LISTEN on {}, inode {}, was held by the first instance when the second was started",
        first.addr, first.inode
    ));
    match second(cx, options).await? {
        Some(ended) => judge(cx, &ended, number)?,
        None => {
            return failed(
                FailureKind::Silent,
                EXPECTED,
                format!("after {:?} it still runs and does not listen", patience(cx)),
            );
        }
    }
    // The first instance must still work.
    cx.is_alive().await
}

/// Waits for a second instance to exit; fails if it listens as well. `None` if it does neither.
async fn second(cx: &Cx, again: StartOptions) -> Checked<Option<SecondExit>> {
    let number = cx.server().port();
    let options = StartOptions {
        await_ready: false,
        give_up: Some(patience(cx)),
        ..again
    };
    cx.step(format!("start the server again on port {number}"));
    let second = match cx.try_start(options).await? {
        Ok(second) => second,
        Err(StartFailure::Exited {
            exit,
            stderr_tail,
            stdout_tail,
            ..
        }) => {
            return Ok(Some(SecondExit {
                exit,
                text: format!("{stderr_tail}\n{stdout_tail}"),
            }));
        }
        Err(failure) => return Err(failure.into()),
    };
    let begun = tokio::time::Instant::now();
    while begun.elapsed() < patience(cx) {
        let exit = second.wait_exit(super::LOOK * 4).await;
        let sockets = second.listeners();
        if !sockets.is_empty() {
            let addresses: Vec<String> = sockets
                .iter()
                .map(|socket| socket.addr.to_string())
                .collect();
            cx.note("second_listens_on", addresses.clone());
            let actual = format!(
                "it started: two instances listen on port {number} ({} more sockets: {})",
                sockets.len(),
                addresses.join(", ")
            );
            return failed(FailureKind::DoubleStart, EXPECTED, actual);
        }
        // A server that daemonizes ends its first process with code 0 and keeps running.
        if let Some(exit) = exit.filter(|exit| !exit.is_success() || second.tree().is_empty()) {
            let output = second.output();
            return Ok(Some(SecondExit {
                exit,
                text: format!("{}\n{}", output.stderr_tail, output.stdout_tail),
            }));
        }
    }
    Ok(None)
}

/// Time limit for the second instance to give up.
fn patience(cx: &Cx) -> Duration {
    GIVES_UP.max(cx.pace().start * 4)
}

fn judge(cx: &Cx, ended: &SecondExit, port: u16) -> Checked {
    let text = ended.text.trim();
    cx.note("second_exit", ended.exit.to_string());
    cx.note(
        "second_said",
        crate::text::escape(last_line(text).as_bytes(), 300),
    );
    if ended.exit.is_success() {
        return failed(
            FailureKind::Silent,
            EXPECTED,
            "it exited with code 0, as if it had succeeded",
        );
    }
    if text.is_empty() {
        return failed(
            FailureKind::Silent,
            EXPECTED,
            format!("it {} without a message", ended.exit),
        );
    }
    if !names_the_address(text, port) {
        let actual = format!(
            "it {}, and its output does not say that port {port} is in use",
            ended.exit
        );
        return failed(FailureKind::Silent, EXPECTED, actual);
    }
    Ok(())
}

/// The line with the error message. Servers may print a banner before it.
fn last_line(text: &str) -> &str {
    let tells = |line: &&str| line.to_lowercase().contains("in use");
    text.lines()
        .rev()
        .find(tells)
        .or(text.lines().next_back())
        .unwrap_or_default()
}

/// Whether the output explains the error. Messages are translated and abbreviated, so any of these
/// words is enough.
fn names_the_address(text: &str, port: u16) -> bool {
    let text = text.to_lowercase();
    let words = [
        "in use",
        "eaddrinuse",
        "address",
        "bind",
        "error 98",
        "errno 98",
    ];
    text.contains(&port.to_string()) || words.iter().any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_messages_of_real_servers() {
        let names = |text| names_the_address(text, 4711);
        assert!(names("OSError: [Errno 98] Address already in use"));
        assert!(names(
            "nginx: [emerg] bind() to 127.0.0.1:4711 failed (98: Address already in use)"
        ));
        assert!(names(
            "failed to listen on TCP port 4711: Address already in use"
        ));
        assert!(names(
            "Error: listen EADDRINUSE: address already in use 127.0.0.1:4711"
        ));
        assert!(!names("fatal error"));
    }

    #[test]
    fn shows_the_line_that_tells() {
        assert_eq!(
            last_line("banner\nbind: Address already in use\nbye"),
            "bind: Address already in use"
        );
        assert_eq!(last_line("banner\nbye"), "bye");
    }
}
