//! The picture of a terminal in the README, `docs/terminal.svg`: made from a run, and held against one.
//!
//! `TCPROVE_PICTURE=write cargo test -p tcprove --test main picture::` makes it again.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{program, python};

/// The command that is shown.
const SHOWN: &str =
    "tcprove check --only utf8-split-char --talk tutorial -- python3 1_one_client.py {port}";
/// Maximum columns; longer lines are cut.
const COLUMNS: usize = 116;

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}

/// What the command prints, with colours. `None` if there is no python3.
fn printed() -> Option<String> {
    python()?;
    let words = SHOWN.split(' ').skip(2);
    let output = Command::new(program())
        .args(["check", "--color", "always", "--no-progress", "--seed", "7"])
        .args(words)
        .current_dir(docs().join("tutorial"))
        .env("TCPROVE_RECENT", "0")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// The run as a reader would see it, without what belongs to one machine.
fn shown(printed: &str) -> String {
    let printed = printed.replace(program(), "tcprove").replace(
        &format!(
            "{}/",
            docs().join("tutorial").canonicalize().unwrap().display()
        ),
        "",
    );
    let lines = printed.lines().skip_while(|line| {
        line.contains("learned") || line.starts_with("  sleeps") || line.starts_with("  latency")
    });
    let mut text = format!("\x1b[1m$ {SHOWN}\x1b[0m\n");
    for line in lines {
        text.push_str(&cut(line));
        text.push('\n');
    }
    text
}

/// A line of at most [`COLUMNS`] characters besides its colours.
fn cut(line: &str) -> String {
    let (mut text, mut count, mut is_colour) = (String::new(), 0, false);
    for character in line.chars() {
        is_colour |= character == '\x1b';
        if !is_colour {
            count += 1;
        }
        is_colour &= character != 'm';
        if count > COLUMNS {
            return text + "…\x1b[0m";
        }
        text.push(character);
    }
    text
}

/// The picture in colours with more contrast than those of a terminal of old.
fn readable(picture: &str) -> String {
    picture
        .replace("#000000", "#16181D")
        .replace("#AAAAAA", "#E4E6EA")
        .replace("#AA0000", "#FF7B72")
        .replace("opacity: 0.4", "opacity: 0.75")
}

/// What stays the same in each run: the verdict and the names of the rows, but `proof`. Whether the server dies before it is seen
/// to have read is chance.
fn shape(text: &str) -> Vec<&str> {
    const WORDS: [&str; 10] = [
        "encoding",
        "fail",
        "requirement",
        "expected",
        "actual",
        "stderr",
        "steps",
        "reproduce",
        "by hand",
        "next:",
    ];
    let known = |line: &&str| {
        WORDS
            .iter()
            .find(|word| line.trim_start().starts_with(**word))
            .copied()
    };
    text.lines().filter_map(|line| known(&line)).collect()
}

/// A picture of an output that has changed has to be made again.
#[test]
fn the_picture_shows_what_is_printed() {
    let Some(printed) = printed() else { return };
    let shown = shown(&printed);
    let path = docs().join("terminal.svg");
    if std::env::var("TCPROVE_PICTURE").is_ok_and(|value| value == "write") {
        let picture = anstyle_svg::Term::new().render_svg(&shown);
        std::fs::write(&path, readable(&picture)).unwrap();
    }
    let picture = std::fs::read_to_string(&path).unwrap();
    let tags = regex::Regex::new("<[^>]*>").unwrap();
    let text = tags.replace_all(&picture, "");
    let plain = regex::Regex::new("\x1b\\[[0-9;]*m").unwrap();
    let shown = plain.replace_all(&shown, "");
    let wanted = shape(&shown);
    assert!(wanted.len() > 8, "{shown}");
    assert_eq!(
        shape(&text),
        wanted,
        "TCPROVE_PICTURE=write makes it again: {shown}"
    );
    assert!(text.contains("UnicodeDecodeError"), "{text}");
}
