//! A start with too few descriptors.

use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::check::{Check, Checked, Cx, Kind, Need, Runs, Weight, failed};
use crate::process::{Exit, Server, StartFailure, StartOptions};

/// Starts the server with a low limit of open descriptors.
pub const ENTRY: Check = Check {
    id: "emfile-start",
    group: super::GROUP,
    battery: 1,
    requirement: "POSIX EMFILE: a server that cannot have the descriptors that it needs says so and ends with a code that is not 0, or serves with those that it has",
    stimulus: "starts with a hard limit (RLIMIT_NOFILE) of 64, 24 and 10 descriptors",
    needs: &[Need::Spawned, Need::SingleClient],
    runs: Runs::AloneOnMachine,
    weight: Weight::Fails,
    control: true,
    limit: Duration::from_secs(60),
    by_hand: "(ulimit -n 24; {cmd}; echo \"it ended with code $?\")",
    run: |cx| Box::pin(run(cx)),
};

/// Descriptors: enough for most, a few dozen, and hardly more than the standard streams and a loader need.
const LIMITS: [u64; 3] = [64, 24, 10];
/// What a server that neither serves nor ends is given, beyond what it usually takes.
const PATIENCE: Duration = Duration::from_millis(1500);
/// CPU is measured over this.
const WINDOW: Duration = Duration::from_millis(600);
/// Cores that a server which can do nothing may use.
const CORES_MAX: f64 = 0.15;

/// What became of a start.
enum Became {
    /// It served a client.
    Served,
    /// It ended, and this is what it printed.
    Ended(Exit, String),
    /// Neither.
    Neither(Rc<Server>),
}

async fn run(cx: &Cx) -> Checked {
    // Where it would listen must be known before it says anything: it may say nothing.
    cx.port_again()?;
    let usual = printed(cx.server());
    for limit in LIMITS {
        let said = match start(cx, limit).await? {
            Became::Served => "it serves".to_owned(),
            Became::Ended(exit, text) => ended(exit, &text, &usual, limit)?,
            Became::Neither(server) => neither(cx, &server, &usual, limit).await?,
        };
        cx.note(&format!("limit_{limit}"), said);
    }
    Ok(())
}

/// Starts under the limit, and waits until it serves, ends, or neither.
async fn start(cx: &Cx, limit: u64) -> Checked<Became> {
    let options = StartOptions {
        nofile: Some((limit, limit)),
        await_ready: false,
        ..StartOptions::default()
    };
    cx.step(format!("start with a limit of {limit} descriptors"));
    let server = match Server::start(cx.launch()?, options).await {
        Ok(server) => Rc::new(server),
        Err(StartFailure::Exited {
            exit,
            stderr_tail,
            stdout_tail,
            ..
        }) => {
            cx.proved(set_before_exec(limit));
            return Ok(Became::Ended(exit, format!("{stdout_tail}\n{stderr_tail}")));
        }
        Err(failure) => return Err(failure.into()),
    };
    let held = server.nofile().first().copied();
    cx.proved(held.map_or_else(
        || set_before_exec(limit),
        |held| {
            format!(
                "the kernel's limits of process {}: at most {} descriptors",
                held.pid, held.hard
            )
        },
    ));
    let patience = PATIENCE + cx.pace().start * 3;
    let begun = Instant::now();
    while begun.elapsed() < patience {
        let exit = server.wait_exit(Duration::from_millis(5)).await;
        // A server that makes itself a daemon ends its first process with code 0, and goes on.
        if let Some(exit) = exit.filter(|exit| !exit.is_success() || server.tree().is_empty()) {
            return Ok(Became::Ended(exit, printed(&server)));
        }
        if !server.listeners().is_empty() {
            let there = cx.on(server.clone());
            let left = patience
                .saturating_sub(begun.elapsed())
                .max(cx.pace().exchange * 20);
            return match tokio::time::timeout(left, there.exchange()).await {
                Ok(Ok(_)) => Ok(Became::Served),
                _ => Ok(server
                    .exit()
                    .map_or(Became::Neither(server.clone()), |exit| {
                        Became::Ended(exit, printed(&server))
                    })),
            };
        }
    }
    Ok(Became::Neither(server))
}

/// One that has ended before its limits could be read back: it could not have run without them.
fn set_before_exec(limit: u64) -> String {
    format!(
        "the kernel took RLIMIT_NOFILE {limit} before the program was executed; else it would not have been"
    )
}

fn ended(exit: Exit, text: &str, usual: &str, limit: u64) -> Checked<String> {
    let expected = "too few descriptors: it says so, and ends with a code that is not 0";
    if exit.is_success() {
        let actual =
            format!("with at most {limit} descriptors it ended with code 0, as if all were well");
        return failed(Kind::Silent, expected, actual);
    }
    let Some(line) = news(text, usual) else {
        return failed(
            Kind::Silent,
            expected,
            format!("with at most {limit} descriptors it {exit} without a word"),
        );
    };
    Ok(format!("it {exit}: {line}"))
}

/// It runs, and does not serve: it must have said so, and must not spin.
async fn neither(cx: &Cx, server: &Server, usual: &str, limit: u64) -> Checked<String> {
    let expected = "too few descriptors: it serves, or ends and says so; meanwhile it waits";
    let before = server.cpu().unwrap_or_default();
    tokio::time::sleep(WINDOW).await;
    let cores = server
        .cpu()
        .unwrap_or_default()
        .saturating_sub(before)
        .as_secs_f64()
        / WINDOW.as_secs_f64();
    cx.note(
        &format!("limit_{limit}_cores"),
        (cores * 100.0).round() / 100.0,
    );
    if cores > CORES_MAX {
        let actual = format!(
            "with at most {limit} descriptors it neither serves nor ends, and uses {cores:.2} cores"
        );
        return failed(Kind::Spin, expected, actual);
    }
    match news(&printed(server), usual) {
        Some(line) => Ok(format!("it runs, does not serve, and says: {line}")),
        None => {
            let actual = format!(
                "with at most {limit} descriptors it runs, does not serve, and says nothing"
            );
            failed(Kind::Silent, expected, actual)
        }
    }
}

fn printed(server: &Server) -> String {
    let output = server.output();
    format!("{}\n{}", output.stdout_tail, output.stderr_tail)
}

/// The last line that the server does not print at every start: a banner is no message.
fn news(text: &str, usual: &str) -> Option<String> {
    let known: Vec<String> = usual.lines().map(plain).collect();
    let is_news = |line: &&str| !plain(line).is_empty() && !known.contains(&plain(line));
    text.lines()
        .rev()
        .find(is_news)
        .map(|line| crate::text::escape(line.trim().as_bytes(), 160))
}

/// A line without what differs from start to start: times, numbers, paths of its own.
fn plain(line: &str) -> String {
    let kept = line
        .split_whitespace()
        .filter(|word| !word.contains('/') && !word.contains(char::is_numeric));
    kept.flat_map(str::chars)
        .filter(|letter| letter.is_alphabetic())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_banner_is_no_message() {
        let usual = "12:00:01 [31] server starts\n12:00:01 [31] ready\n";
        assert_eq!(news("12:00:02 [32] server starts\n", usual), None);
        assert_eq!(news("", usual), None);
        let told = news(
            "12:00:02 [32] server starts\n12:00:02 [32] cannot open files\n\n",
            usual,
        );
        assert!(told.is_some_and(|line| line.contains("cannot open files")));
    }
}
