//! No text whatever makes the parser panic, nor the report of what is wrong with it.

use std::path::Path;

use proptest::prelude::*;

use crate::file::{BUILTIN, parse_with};

fn try_it(source: &str) {
    let no_files = |_: &Path| Err(std::io::Error::other("no files here"));
    if let Err(error) = parse_with(source, "f.toml", Path::new("."), &no_files) {
        let report = error.to_string();
        assert!(
            !report.is_empty() && !report.contains(['\x1b', '\u{202e}']),
            "{report:?}"
        );
        assert!(!error.render(true).is_empty());
        let _ = error.location();
    }
}

/// Pieces that make a file go wrong in interesting places.
const PIECES: &[&str] = &[
    "{",
    "}",
    "{{",
    "[",
    "]",
    "[[talk.turn]]",
    "[talk]",
    "\"",
    "'",
    "'''",
    "=",
    "\n",
    "\\",
    "{tok}",
    "{len:x}",
    "(",
    "*",
    "\"\\u0000\"",
    "é",
    "\u{1b}[31m",
    "# \u{1b}",
    "\u{202e}",
    "-1",
    "1e400",
    "0x",
    "999999999999999999999",
    "true",
    "1979-05-27",
    "hex",
    "regex",
    "not",
    "repeat",
    "n = 3",
    "frame",
    "{ len = \"u8\" }",
    "use = \"line\"",
    "\r",
    "\t",
    ".",
    ",",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text(source in "\\PC{0,200}") {
        try_it(&source);
    }

    #[test]
    fn arbitrary_pieces(pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..40)) {
        try_it(&pieces.concat());
    }

    #[test]
    fn mutated_talks(
        which in 0..BUILTIN.len(),
        edits in proptest::collection::vec(
            (any::<proptest::sample::Index>(), 0..12_usize, proptest::sample::select(PIECES)), 1..6),
    ) {
        let mut source = BUILTIN[which].1.to_owned();
        for (at, remove, insert) in edits {
            let mut start = at.index(source.len() + 1);
            while !source.is_char_boundary(start) {
                start -= 1;
            }
            let mut end = (start + remove).min(source.len());
            while !source.is_char_boundary(end) {
                end += 1;
            }
            source.replace_range(start..end, insert);
        }
        try_it(&source);
    }
}
