//! `tcprove init -- COMMAND`, and commands without a talk: which talk is found out, and what is never assumed.

mod known;
mod learned;
mod patience;
mod ports;
mod recorded;
mod servers;

use crate::support::{Bench, Ended, data, python};

/// The command of one of the small servers in `tests/data/detect.py`.
fn command(kind: &str) -> Option<Vec<String>> {
    let words = [python()?, "-ES", &data("detect.py"), kind, "{port}"];
    Some(words.map(str::to_owned).to_vec())
}

/// Runs `tcprove init` on one of the small servers. The file is in the bench's folder.
fn init(bench: &Bench, kind: &str) -> Option<Ended> {
    Some(init_with(bench, command(kind)?))
}

/// Runs `tcprove init` on a server that is started with this command.
fn init_with(bench: &Bench, command: Vec<String>) -> Ended {
    let mut arguments = vec!["init".to_owned(), "--".to_owned()];
    arguments.extend(command);
    bench.run(arguments)
}

/// The line of the output that begins with this word.
fn said<'a>(ended: &'a Ended, word: &str) -> &'a str {
    let mut lines = ended.stdout.lines();
    let line = lines.find(|line| line.split_whitespace().next() == Some(word));
    line.unwrap_or_else(|| panic!("no line {word}: {}", ended.all()))
}

/// Asserts that `init` found this talk on a small server, and that a check with the file that it wrote passes.
fn finds(kind: &str, talk: &str) -> Option<(Bench, Ended)> {
    let bench = Bench::new();
    let ended = init(&bench, kind)?;
    assert_eq!(ended.code, Some(0), "{kind}: {}", ended.all());
    let found = said(&ended, "talk");
    assert!(found.contains(talk), "{kind}: {found}");
    let checked = bench.run(["check", "--only", "zero-length", "--only", "start-ready"]);
    assert_eq!(checked.code, Some(0), "{kind}: {}", checked.all());
    Some((bench, ended))
}
