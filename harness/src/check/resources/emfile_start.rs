//! Starts with too few descriptors.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::check::{Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed};
use crate::process::{Exit, Ready, Server, StartFailure, StartOptions};

/// Starts the server with a low limit of open descriptors.
pub(super) const ENTRY: Check = Check {
    id: "emfile-start",
    group: super::GROUP,
    battery: 1,
    requirement: "POSIX EMFILE: a server that cannot open the descriptors it needs exits with a message (to its standard streams, or in a file in {tmp}) and a nonzero code, or serves with those it has",
    stimulus: "starts with a hard limit (RLIMIT_NOFILE) of 64, 24 and 10 descriptors",
    needs: &[Need::Spawned, Need::Accepts, Need::SingleClient],
    runs: Runs::AloneOnMachine,
    weight: Weight::Fails,
    control: true,
    limit: Duration::from_secs(60),
    by_hand: "(ulimit -n 24; {cmd}; echo \"it ended with code $?\")",
    run: |cx| Box::pin(run(cx)),
};

/// Descriptor limits: enough for most servers, a few dozen, and barely more than the standard
/// streams and a loader need.
const LIMITS: [u64; 3] = [64, 24, 10];
/// Time for the server to serve or exit, in addition to its usual start time.
const PATIENCE: Duration = Duration::from_millis(1500);
/// Length of the measurement of CPU time.
const WINDOW: Duration = Duration::from_millis(600);
/// Maximum CPU usage, in cores, of a server that cannot serve.
const CORES_MAX: f64 = 0.15;
/// How much of a server's folder is searched for a message: the number of folders that wait to be looked at, the number of files,
/// and the bytes at the end of each.
const FOLDERS_MAX: usize = 50;
const FILES_MAX: usize = 200;
const FILE_BYTES_MAX: u64 = 16 * 1024;

/// The result of a start.
enum Became {
    /// The server served a client.
    Served,
    /// The server exited, having printed this text.
    Ended(Exit, String),
    /// The server still runs and does not serve.
    Neither(Rc<Server>),
}

async fn run(cx: &Cx) -> Checked {
    // The port must be known in advance: the server may not print it.
    cx.again()?;
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

/// Starts the server under the limit, and waits until it serves or exits.
async fn start(cx: &Cx, limit: u64) -> Checked<Became> {
    let options = StartOptions {
        nofile: Some((limit, limit)),
        await_ready: false,
        ..StartOptions::default()
    };
    cx.step(format!("start with a limit of {limit} descriptors"));
    let server = match cx.try_start(options).await? {
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
    let listens_early = matches!(cx.launch()?.ready, Ready::Exchange);
    let patience = PATIENCE + cx.pace().start * 3;
    let begun = Instant::now();
    while begun.elapsed() < patience {
        let exit = server.wait_exit(Duration::from_millis(5)).await;
        // A server that daemonizes ends its first process with code 0 and keeps running.
        if let Some(exit) = exit.filter(|exit| !exit.is_success() || server.tree().is_empty()) {
            return Ok(Became::Ended(exit, printed(&server)));
        }
        if server.is_listening() {
            let there = cx.on(server.clone());
            let left = patience
                .saturating_sub(begun.elapsed())
                .max(cx.pace().exchange * 20);
            return match tokio::time::timeout(left, there.exchange()).await {
                Ok(Ok(_)) => Ok(Became::Served),
                // It listens before it is ready.
                Ok(Err(_)) if listens_early && server.exit().is_none() => continue,
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

/// Proof for a server that exited before its limits could be read back.
fn set_before_exec(limit: u64) -> String {
    format!("the kernel accepted RLIMIT_NOFILE {limit} before the program was executed")
}

fn ended(exit: Exit, text: &str, usual: &str, limit: u64) -> Checked<String> {
    let expected = "with too few descriptors the server exits with a message and a nonzero code";
    if exit.is_success() {
        let actual = format!(
            "with at most {limit} descriptors it exited with code 0, as if it had succeeded"
        );
        return failed(FailureKind::Silent, expected, actual);
    }
    let Some(line) = news(text, usual) else {
        return failed(
            FailureKind::Silent,
            expected,
            format!("with at most {limit} descriptors it {exit} without a message"),
        );
    };
    Ok(format!("it {exit}: {line}"))
}

/// The server runs and does not serve: it must have printed a message, and must not be in a busy
/// loop.
async fn neither(cx: &Cx, server: &Server, usual: &str, limit: u64) -> Checked<String> {
    let expected =
        "with too few descriptors the server serves, or prints a message and uses no CPU";
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
            "with at most {limit} descriptors it neither serves nor exits, and uses {cores:.2} cores"
        );
        return failed(FailureKind::Spin, expected, actual);
    }
    match news(&printed(server), usual) {
        Some(line) => Ok(format!("it runs, does not serve, and prints: {line}")),
        None => {
            let actual = format!(
                "with at most {limit} descriptors it runs, does not serve, and prints no message"
            );
            failed(FailureKind::Silent, expected, actual)
        }
    }
}

/// What the server has printed, and the text in the files of its folder: those that it was given are known from its usual start,
/// and the others are its log.
fn printed(server: &Server) -> String {
    let output = server.output();
    let written = server.tmp().map(texts).unwrap_or_default();
    format!("{}\n{}\n{written}", output.stdout_tail, output.stderr_tail)
}

/// The ends of the text files in this folder and in those below.
fn texts(folder: &Path) -> String {
    let mut folders = vec![folder.to_owned()];
    let mut texts = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && folders.len() < FOLDERS_MAX => {
                    folders.push(entry.path());
                }
                Ok(kind) if kind.is_file() && texts.len() < FILES_MAX => {
                    texts.extend(end_of(&entry.path()));
                }
                _ => {}
            }
        }
    }
    texts.join("\n")
}

/// The end of a file, if it is text.
fn end_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(FILE_BYTES_MAX)))?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    match bytes.contains(&0) {
        true => Err(io::ErrorKind::InvalidData.into()),
        false => Ok(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// The last line that the server does not print at every start (a banner is not an error message).
fn news(text: &str, usual: &str) -> Option<String> {
    let known: Vec<String> = usual.lines().map(plain).collect();
    let is_news = |line: &&str| !plain(line).is_empty() && !known.contains(&plain(line));
    text.lines()
        .rev()
        .find(is_news)
        .map(|line| crate::text::escape(line.trim().as_bytes(), 160))
}

/// A line without the parts that differ from start to start: times, numbers, paths.
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
        let line = news(
            "12:00:02 [32] server starts\n12:00:02 [32] cannot open files\n\n",
            usual,
        );
        assert!(line.is_some_and(|line| line.contains("cannot open files")));
    }
}
