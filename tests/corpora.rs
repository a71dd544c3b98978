//! Replays the committed corpora of the fuzz targets without a fuzzer.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tcprove::fuzz::invariant;

/// Maximum number of committed inputs per target. The corpus of a campaign is not committed.
const INPUTS_MAX: usize = 20;
/// Maximum size of a committed input, in bytes.
const INPUT_BYTES_MAX: usize = 4 << 10;

/// The name of a target of `fuzz/`, and the function it calls.
type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 5] = [
    ("cases", invariant::cases),
    ("frames", invariant::frames),
    (
        "services",
        tcprove_server::service::invariant::cuts_change_nothing,
    ),
    ("sessions", invariant::sessions),
    ("talk_file", tcprove::file::never_panics),
];

fn fuzz(folder: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    root.join(folder)
}

/// Runs a target on every file of its corpus, which must not be empty.
fn replay(target: &str) {
    crate::support::share();
    let (_, run) = TARGETS.iter().find(|(name, _)| *name == target).unwrap();
    let folder = fuzz("corpus").join(target);
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let input = std::fs::read(&path).unwrap();
        println!("{}", path.display());
        assert!(input.len() <= INPUT_BYTES_MAX, "{} bytes", input.len());
        run(&input);
        count += 1;
    }
    assert!(
        (3..=INPUTS_MAX).contains(&count),
        "{} holds {count} inputs",
        folder.display()
    );
}

#[test]
fn cuts_change_no_reply() {
    replay("services");
}

#[test]
fn sessions_answer_as_their_protocols() {
    replay("sessions");
}

#[test]
fn cuts_change_no_message_end() {
    replay("frames");
}

#[test]
fn cases_survive_their_text() {
    replay("cases");
}

#[test]
fn no_conversation_file_panics() {
    replay("talk_file");
}

/// The names of all files in a folder, without extensions.
fn names(folder: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(fuzz(folder)).unwrap();
    entries
        .map(|entry| {
            let path = entry.unwrap().path();
            path.file_stem().unwrap().to_str().unwrap().to_owned()
        })
        .collect()
}

#[test]
fn every_target_has_a_corpus_a_dictionary_and_a_replay() {
    let replayed: BTreeSet<String> = TARGETS.map(|(name, _)| name.to_owned()).into();
    for folder in ["fuzz_targets", "corpus", "dictionaries"] {
        assert_eq!(names(folder), replayed, "fuzz/{folder}");
    }
    let manifest = std::fs::read_to_string(fuzz("Cargo.toml")).unwrap();
    for name in replayed {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
    }
}

/// libFuzzer refuses to start with an invalid dictionary.
#[test]
fn dictionaries_can_be_read() {
    for (name, _) in TARGETS {
        let path = fuzz("dictionaries").join(name).with_extension("dict");
        let text = std::fs::read_to_string(path).unwrap();
        let entries = text.lines().filter(|line| !line.starts_with('#'));
        for entry in entries {
            let token = entry
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'));
            assert!(token.is_some_and(is_token), "{name}: {entry}");
        }
    }
}

/// Whether a dictionary entry is valid: not empty, ASCII, with only the escapes `\\`, `\"` and `\xAB`.
fn is_token(token: &str) -> bool {
    let mut chars = token.chars();
    while let Some(char) = chars.next() {
        let is_fine = match char {
            '\\' => match chars.next() {
                Some('\\' | '"') => true,
                Some('x') => {
                    chars
                        .by_ref()
                        .take(2)
                        .filter(char::is_ascii_hexdigit)
                        .count()
                        == 2
                }
                _ => false,
            },
            char => char != '"' && (' '..='~').contains(&char),
        };
        if !is_fine {
            return false;
        }
    }
    !token.is_empty()
}
