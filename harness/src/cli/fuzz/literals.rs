//! Words from the server itself: the string literals of its script and of those beside it, or the names in its executable.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::process::Launch;

/// Maximum words.
const WORDS_MAX: usize = 200;
/// Length of a word, in bytes.
const WORD_BYTES: std::ops::RangeInclusive<usize> = 3..=32;
/// Maximum bytes to read from a script, and from an executable.
const SCRIPT_BYTES_MAX: u64 = 256 << 10;
const PROGRAM_BYTES_MAX: u64 = 64 << 20;
/// Maximum scripts to read.
const SCRIPTS_MAX: usize = 16;
/// How an executable begins.
const ELF: &[u8] = b"\x7fELF";
/// Endings of the names of scripts.
const SCRIPTS: &[&str] = &["py", "js", "mjs", "cjs", "ts", "rb", "pl", "php", "lua"];

/// The words of the server that this command starts, in a fixed order.
pub(super) fn of_server(launch: &Launch) -> Vec<Vec<u8>> {
    let words = launch.cmd.iter().map(|word| launch.cwd.join(word));
    let scripts: Vec<PathBuf> = words
        .filter(|path| is_script(path) && path.is_file())
        .collect();
    let found = match scripts.first() {
        Some(script) => of_scripts(script),
        None => launch
            .cmd
            .first()
            .and_then(|program| of_program(program))
            .unwrap_or_default(),
    };
    let step = found.len().div_ceil(WORDS_MAX).max(1);
    found.into_iter().step_by(step).collect()
}

fn is_script(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| SCRIPTS.contains(&ending))
}

/// The literals of a script and of those with the same ending in its folder.
fn of_scripts(script: &Path) -> BTreeSet<Vec<u8>> {
    let folder = script
        .parent()
        .and_then(|folder| std::fs::read_dir(folder).ok());
    let beside = folder
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let mut beside: Vec<PathBuf> = beside
        .filter(|path| path.extension() == script.extension())
        .collect();
    beside.sort();
    let mut words = BTreeSet::new();
    for path in [script.to_owned()]
        .iter()
        .chain(beside.iter().take(SCRIPTS_MAX))
    {
        if let Some(text) = read(path, SCRIPT_BYTES_MAX) {
            words.extend(literals(&text));
        }
    }
    words
}

fn read(path: &Path, most: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .ok()?
        .take(most)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(bytes)
}

/// What is in single or double quotes on one line.
fn literals(text: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    text.split(|byte| *byte == b'\n').flat_map(|line| {
        let mut found = Vec::new();
        let mut open: Option<(usize, u8)> = None;
        for (at, byte) in line.iter().enumerate() {
            match open {
                None if b"'\"`".contains(byte) => open = Some((at + 1, *byte)),
                Some((begin, quote)) if quote == *byte => {
                    found.push(&line[begin..at]);
                    open = None;
                }
                _ => {}
            }
        }
        let fits = |word: &&&[u8]| WORD_BYTES.contains(&word.len());
        found
            .iter()
            .filter(fits)
            .map(|word| word.to_vec())
            .collect::<Vec<_>>()
    })
}

/// Words in capitals and words with the characters of headers in an executable that is no interpreter.
fn of_program(program: &str) -> Option<BTreeSet<Vec<u8>>> {
    let path = std::env::var_os("PATH")?;
    let place = match program.contains('/') {
        true => PathBuf::from(program),
        false => std::env::split_paths(&path)
            .map(|folder| folder.join(program))
            .find(|path| path.is_file())?,
    };
    let bytes = read(&place, PROGRAM_BYTES_MAX).filter(|bytes| bytes.starts_with(ELF))?;
    let texts = bytes[ELF.len()..].split(|byte| !byte.is_ascii_graphic());
    let is_word = |word: &&[u8]| {
        let upper = word
            .iter()
            .all(|byte| byte.is_ascii_uppercase() || b"-_".contains(byte));
        let lower = word
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || b"-".contains(byte));
        WORD_BYTES.contains(&word.len()) && (upper || lower) && word[0].is_ascii_alphabetic()
    };
    Some(texts.filter(is_word).map(<[u8]>::to_vec).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_of_a_script() {
        let text = b"if command == 'SECRET':\n    reply(\"DONE\", 'x')\n";
        let words: Vec<Vec<u8>> = literals(text).collect();
        assert_eq!(words, [b"SECRET".to_vec(), b"DONE".to_vec()]);
    }

    #[test]
    fn words_of_a_program() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("server");
        std::fs::write(
            &program,
            b"\x7fELF\0\x01SUBSCRIBE\0\x02_ZN4core3fmt\0get\0%s: no\0",
        )
        .unwrap();
        let words: Vec<Vec<u8>> = of_program(program.to_str().unwrap())
            .unwrap()
            .into_iter()
            .collect();
        assert_eq!(words, [b"SUBSCRIBE".to_vec(), b"get".to_vec()]);
    }
}
