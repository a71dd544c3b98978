//! Where the port belongs in a command that has no `{port}`.

use std::time::{Duration, Instant};

use super::prober::Prober;
use super::{DetectError, PortFound};
use crate::process::{Launch, Ready, ReadyStream, Server};
use crate::subject::{Interrupt, Origin};

/// The variable from which many servers take their port.
const VARIABLE: &str = "PORT";

/// Finds out where the port belongs: starts the server, reads its port from the socket table, and looks for it in the
/// command. Otherwise it tries the variable `PORT`, and looks for the port in the output of a server that chooses one.
/// What it finds is tried.
///
/// # Errors
/// The server does not start, or nothing in its command says where its port belongs.
pub(super) fn find(
    launch: &Launch,
    seed: u64,
    interrupt: &Interrupt,
) -> Result<(Launch, PortFound), DetectError> {
    let (port, printed, took) = listening(launch, seed, interrupt)?;
    let patience = (took * SLOWER).max(PATIENCE_MIN);
    for candidate in in_words(launch, port)
        .chain([in_environment(launch)])
        .chain(printed.and_then(|line| in_output(launch, &line, port)))
    {
        if works(&candidate.0, port, patience, seed, interrupt)? {
            return Ok(candidate);
        }
    }
    Err(DetectError::NoPort { port })
}

/// The port on which the server listens, the line of its output that contains it, and the time that its start took.
fn listening(
    launch: &Launch,
    seed: u64,
    interrupt: &Interrupt,
) -> Result<(u16, Option<String>, Duration), DetectError> {
    let origin = Origin::Spawn(Box::new(launch.clone()));
    let mut prober = Prober::new(&origin, true, seed, interrupt);
    let server = prober.server()?;
    let port = server.port();
    let begun = Instant::now();
    let mut line = line_with(&server, port);
    // A server may print it only after it has begun to listen.
    let may_follow = in_words(launch, port).next().is_none();
    while line.is_none() && may_follow && begun.elapsed() < PRINTS_LATE {
        std::thread::sleep(POLL);
        line = line_with(&server, port);
    }
    Ok((port, line, server.started_in()))
}

/// The line of the server's output that contains this number.
fn line_with(server: &Server, port: u16) -> Option<String> {
    let output = server.output();
    let mut lines = output.stdout_tail.lines().chain(output.stderr_tail.lines());
    lines
        .find(|line| !number_at(line, port).is_empty())
        .map(str::to_owned)
}

/// Whether the server listens on the port that it is given, or on the one that it prints, which is another one than `before`: a
/// server with a port of its own prints it too.
fn works(
    launch: &Launch,
    before: u16,
    patience: Duration,
    seed: u64,
    interrupt: &Interrupt,
) -> Result<bool, DetectError> {
    let origin = Origin::Spawn(Box::new(launch.clone()));
    let mut prober = Prober::new(&origin, false, seed, interrupt);
    prober.set_patience(patience);
    match prober.server() {
        Ok(server) => Ok(is_where_expected(&server, launch, before)),
        Err(DetectError::Start(failure)) if !failure.is_harness() => Ok(false),
        Err(error) => Err(error),
    }
}

fn is_where_expected(server: &Server, launch: &Launch, before: u16) -> bool {
    let chooses = launch.ready.names_port();
    server.listener().is_some()
        && (chooses && server.port() != before
            || server
                .lease()
                .is_some_and(|lease| lease.number() == server.port()))
}

/// The launches in which one word, or all words, with the port have `{port}` instead.
fn in_words(launch: &Launch, port: u16) -> impl Iterator<Item = (Launch, PortFound)> {
    let words: Vec<usize> = (1..launch.cmd.len())
        .filter(|index| !number_at(&launch.cmd[*index], port).is_empty())
        .collect();
    let mut sets: Vec<Vec<usize>> = words.iter().map(|index| vec![*index]).collect();
    if words.len() > 1 {
        sets.push(words);
    }
    let launch = launch.clone();
    sets.into_iter().map(move |set| {
        let mut with = launch.clone();
        for index in &set {
            let word = &launch.cmd[*index];
            let mut filled = word.clone();
            for at in number_at(word, port).iter().rev() {
                filled.replace_range(*at..at + port.to_string().len(), "{port}");
            }
            with.cmd[*index] = filled;
        }
        let word = launch.cmd[set[0]].clone();
        (with, PortFound::InWord(word))
    })
}

fn in_environment(launch: &Launch) -> (Launch, PortFound) {
    let mut with = launch.clone();
    with.env.insert(VARIABLE.to_owned(), "{port}".to_owned());
    (with, PortFound::InEnvironment)
}

fn in_output(launch: &Launch, line: &str, port: u16) -> Option<(Launch, PortFound)> {
    let at = *number_at(line, port).last()?;
    let before = &line[..at];
    let start = before
        .char_indices()
        .rev()
        .nth(SHOWN_BEFORE)
        .map_or(0, |(start, _)| start);
    let pattern = format!("{}(?P<port>[0-9]+)", regex::escape(&before[start..]));
    let mut with = launch.clone();
    with.ready = Ready::Line(ReadyStream::Either, regex::Regex::new(&pattern).ok()?);
    Some((with, PortFound::Printed))
}

/// A start with another command may take this many times as long as the first one took...
const SLOWER: u32 = 5;
/// ... and at least this long.
const PATIENCE_MIN: Duration = Duration::from_secs(5);
/// Time after the start in which a server may print its port, and between two looks.
const PRINTS_LATE: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(10);
/// The most characters before the port that a pattern for it contains: time stamps stand further away.
const SHOWN_BEFORE: usize = 12;

/// The offsets of this number in the text, not as a part of a longer number.
fn number_at(text: &str, port: u16) -> Vec<usize> {
    let number = port.to_string();
    let is_digit = |at: Option<u8>| at.is_some_and(|byte| byte.is_ascii_digit());
    let bytes = text.as_bytes();
    text.match_indices(&number)
        .map(|(at, _)| at)
        .filter(|at| {
            let before = at.checked_sub(1).and_then(|before| bytes.get(before));
            !is_digit(before.copied()) && !is_digit(bytes.get(at + number.len()).copied())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_words() {
        assert_eq!(number_at("127.0.0.1:8080/x", 8080), [10]);
        assert!(number_at("18080", 8080).is_empty());
        assert!(number_at("80801", 8080).is_empty());
        let launch = Launch::new("", ["server", "--port", "8080", "--url=http://h:8080/"]);
        let found: Vec<Vec<String>> = in_words(&launch, 8080)
            .map(|(launch, _)| launch.cmd)
            .collect();
        assert_eq!(found[0][2], "{port}");
        assert_eq!(found[0][3], "--url=http://h:8080/");
        assert_eq!(found[1][3], "--url=http://h:{port}/");
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn ports_in_output() {
        let launch = Launch::new("", ["server"]);
        let (with, _) = in_output(
            &launch,
            "12:00:01 [info] listening on 127.0.0.1:4123 (tcp)",
            4123,
        )
        .unwrap();
        let Ready::Line(_, pattern) = with.ready else {
            panic!("no pattern")
        };
        let other = pattern
            .captures("13:59:00 [info] listening on 127.0.0.1:555 (tcp)")
            .unwrap();
        assert_eq!(&other["port"], "555");
    }
}
