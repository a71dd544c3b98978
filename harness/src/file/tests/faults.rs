//! Files that are not understood: place, message, help.

use std::path::Path;

use crate::file::parse;

const SERVER: &str = "[server]\ncmd = [\"x\"]\n";
const TALK: &str = "[talk]\nframe = \"none\"\n[[talk.turn]]\nsend = \"a\"\nexpect = \"b\"\n";

/// The text, `line:column` of the fault, and what the report has to contain.
const FAULTS: &[(&str, &str, &[&str])] = &[
    ("[talk\n", "1:6", &["unclosed table"]),
    ("a = 1\na = 2\n", "2:1", &["duplicate key"]),
    (
        "[sevrer]\ncmd = []\n",
        "1:2",
        &["unknown key `sevrer` in the file", "did you mean `server`?"],
    ),
    ("", "1:1", &["no `talk`", "tcprove init"]),
    (
        "[server]\nname = \"x\"\n",
        "1:1",
        &["[server] has no `cmd`", "program and its arguments"],
    ),
    (
        "[server]\nname = 1\n",
        "2:8",
        &["`name` must be a string, not an integer"],
    ),
    ("[server]\ncmd = []\n", "2:7", &["`cmd` is empty"]),
    (
        "[server]\ncmd = \"nginx -g x\"\n",
        "2:7",
        &["must be a list of words, not a string", "sh"],
    ),
    (
        "[server]\ncmd = [\"x\", \"{prot}\"]\n",
        "2:14",
        &["{prot}", "did you mean `port`?", "[server.params]"],
    ),
    (
        "[server]\ncmd = [\"x\", \"a{port\"]\n",
        "2:15",
        &["unbalanced brace"],
    ),
    (
        "[server]\ncmd = [\"x\"]\nstop = \"TREM\"\n",
        "3:8",
        &["unknown signal", "did you mean `TERM`?"],
    ),
    (
        "[server]\ncmd = [\"x\"]\nready_timeout = \"10\"\n",
        "3:17",
        &["no unit", "10ms"],
    ),
    (
        "[server]\ncmd = [\"x\"]\nready_timeout = 10\n",
        "3:17",
        &["no unit", "10ms"],
    ),
    (
        "[server]\ncmd = [\"x\"]\nready = { stdout = \"(\" }\n",
        "3:20",
        &["bad regex", "unclosed group"],
    ),
    (
        "[server]\ncmd = [\"x\"]\n[server.params]\nport = 1\n",
        "4:1",
        &["meaning of its own"],
    ),
    (
        "[server]\ncmd = [\"x\"]\ntls = true\n",
        "3:1",
        &["unknown key `tls` in", "`tls` belongs in [transport]"],
    ),
    (
        "[server]\ncmd = [\"x\"]\nreload = \"HPU\"\n",
        "3:10",
        &["unknown signal `HPU` for `reload`", "did you mean `HUP`?"],
    ),
];

/// The same, behind a good [talk].
const AFTER_TALK: &[(&str, &str, &[&str])] = &[
    (
        "[promise]\nmax_message = \"64\"\n",
        "7:15",
        &["`max_message` must be an integer, not a string"],
    ),
    ("[promise]\nmax_message = 0\n", "7:15", &["must be 1 to"]),
    (
        "[promise]\nencoding = \"latin-1\"\n",
        "7:12",
        &["unknown `encoding`", "utf-8", "no other is supported yet"],
    ),
    (
        "[promise]\nidle_timeout = 30\n",
        "7:16",
        &["`idle_timeout`: \"30\" has no unit", "30s"],
    ),
    (
        "[promise]\nfamilies = [\"ipv4\", \"ipv5\"]\n",
        "7:21",
        &["ipv5", "ipv4"],
    ),
    (
        "[promise]\nfamilies = []\n",
        "7:12",
        &["`families` is empty", "or both"],
    ),
    ("[promise]\nport0 = 0\n", "7:9", &["`port0` must be"]),
    (
        "[promise]\nreload = true\n",
        "7:1",
        &["unknown key `reload` in [promise]", "belongs in [server]"],
    ),
    (
        "[check]\nrequire = \"split-*\"\n",
        "7:11",
        &[
            "`require` must be a list, not a string",
            "write [\"split-*\"]",
        ],
    ),
    (
        "[[waive]]\ncheck = \"a\"\n",
        "6:1",
        &["[[waive]] has no `reason`"],
    ),
    (
        "[[waive]]\ncheck = \"a\"\nreason = \" \"\n",
        "8:10",
        &["`reason` is empty"],
    ),
    (
        "[[waive]]\ncheck = \"a\"\nreason = \"b\"\nuntil = \"2027-02-30\"\n",
        "9:9",
        &["not in the calendar"],
    ),
    (
        "[waive]\ncheck = \"a\"\n",
        "6:1",
        &["must be a list of tables", "[[waive]]"],
    ),
];

/// The same, in the place of a turn.
const TURNS: &[(&str, &str, &[&str])] = &[
    (
        "send = \"a\"\n",
        "3:1",
        &["[[talk.turn]] has no `expect`", "every reply is compared"],
    ),
    (
        "expect = \"a\"\n",
        "3:1",
        &["has no `send`", "[[talk.open]]"],
    ),
    (
        "send = \"a\"\nexpct = \"b\"\n",
        "5:1",
        &[
            "unknown key `expct` in [[talk.turn]]",
            "did you mean `expect`?",
        ],
    ),
    (
        "send = \"é {tko}\"\nexpect = \"b\"\n",
        "4:11",
        &["{tko}", "did you mean `tok`?"],
    ),
    (
        "send = \"\\u00e9 {len:tko}\"\nexpect = \"b\"\n",
        "4:16",
        &["{len:tko}"],
    ),
    (
        "send = { hex = \"ff f\" }\nexpect = \"b\"\n",
        "4:16",
        &["odd number"],
    ),
    (
        "send = { hex = \"fg\" }\nexpect = \"b\"\n",
        "4:17",
        &["bad hex: \"fg\""],
    ),
    (
        "send = { repeat = \"a\" }\nexpect = \"b\"\n",
        "4:8",
        &["`repeat` goes with `n`", "number of repetitions"],
    ),
    (
        "send = { file = \"no/such\" }\nexpect = \"b\"\n",
        "4:17",
        &["cannot be read"],
    ),
    (
        "send = 1\nexpect = \"b\"\n",
        "4:8",
        &["`send` must be a string"],
    ),
    (
        "send = \"a\"\nexpect = { regex = \"a(\" }\n",
        "5:21",
        &["bad regex: unclosed group"],
    ),
    (
        "send = \"a\"\nexpect = { regex = \".*\" }\n",
        "5:10",
        &["is met by a server that sends nothing", "{ none = true }"],
    ),
    (
        "send = \"a\"\nexpect = \"\"\n",
        "5:10",
        &["is met by a server that sends nothing", "{ none = true }"],
    ),
    (
        "send = \"a\"\nexpect = { not = \"^ok\" }\n",
        "5:18",
        &["looks like a regex"],
    ),
    (
        "send = \"a\"\nexpect = { hex = \"00\", regex = \"a\" }\n",
        "5:10",
        &["exactly one of"],
    ),
    (
        "send = \"a\"\nexpect = \"b\"\nframe = \"quic\"\n",
        "6:9",
        &[
            "unknown `frame`: \"quic\"",
            "`http1`",
            "no other is supported yet; or write",
            "`{ until = ... }`",
        ],
    ),
    (
        "send = \"a\"\nexpect = \"b\"\nframe = \"until\"\n",
        "6:9",
        &["{ until = ... }"],
    ),
    (
        "send = \"a\"\nexpect = \"b\"\nframe = { len = \"u16\" }\n",
        "6:17",
        &["unknown type of length `u16`", "u16be"],
    ),
    (
        "send = \"a\"\nexpect = \"b\"\nframe = { until = \"a\", at = 1 }\n",
        "6:24",
        &["`at` goes with `len`, not with `until`"],
    ),
    (
        "send = \"a\"\nexpect = \"b\"\nframe = { at = 1 }\n",
        "6:11",
        &["`at` goes with `len`"],
    ),
    (
        "send = \"a\"\nexpect = \"b\"\nframe = { unitl = \"a\" }\n",
        "6:11",
        &["unknown key `unitl` in `frame`", "did you mean `until`?"],
    ),
    (
        "send = \"a\"\nexpect = \"b\"\nframe = { until = \"b\", fixed = 1 }\n",
        "6:9",
        &["says it twice: `until` and `fixed`", "exactly one of"],
    ),
    (
        "send = \"a\"\nexpect = \"b\"\nframe = {}\n",
        "6:9",
        &["empty table", "exactly one of `until`"],
    ),
    (
        "send = \"a\"\nexpect = \"b\"\nframe = { resp = true }\n",
        "6:9",
        &["`resp` has no value", "frame = \"resp\""],
    ),
    (
        "send = { hex = \"00\", raw = \"a\" }\nexpect = \"b\"\n",
        "4:8",
        &["says it twice: `hex` and `raw`"],
    ),
    (
        "send = [\"a\", 1]\nexpect = \"b\"\n",
        "4:14",
        &["`send` must be a string, { hex = }", "not an integer"],
    ),
    (
        "send = \"a\"\nexpect = \"b\"\nframe = { fixed = 0 }\n",
        "6:19",
        &["must be 1 to"],
    ),
    (
        "send = \"a\"\nexpect = \"b\"\n[[talk.open]]\nexec = \"login now\"\n",
        "7:8",
        &["`exec` must be a list of words", "a shell line"],
    ),
    (
        "send = \"a\"\nexpect = \"b\"\n[[talk.open]]\nexec = []\n",
        "7:8",
        &["`exec` is empty"],
    ),
    (
        "send = \"a\"\nexpect = \"b\"\n[[talk.open]]\nexec = [\"login\", \"{prot}\"]\n",
        "7:19",
        &["`{prot}` has no value", "did you mean `port`?"],
    ),
    (
        "send = \"a\"\nexpect = \"b\"\n[[talk.open]]\nexec = [\"login\"]\nexpect = \"ok\"\n",
        "8:1",
        &["unknown key `expect`"],
    ),
    (
        "send = \"a\"\nexpect = \"b\"\n[[talk.open]]\nsend = \"login\"\n",
        "6:1",
        &["[[talk.open]] has no `expect`"],
    ),
    (
        "send = \"a\"\nexpect = \"b\"\n[[talk.open]]\nexpct = \"ok\"\n",
        "7:1",
        &[
            "unknown key `expct` in [[talk.open]]",
            "did you mean `expect`?",
        ],
    ),
    (
        "send = \"a\"\nexec = [\"login\"]\nexpect = \"b\"\n",
        "5:1",
        &["unknown key `exec` in [[talk.turn]]"],
    ),
    (
        "send = \"a\"\nexpect = \"b\"\n[talk.tls]\n",
        "6:7",
        &["unknown key `tls` in", "`tls` belongs in [transport]"],
    ),
];

pub(super) fn check(source: &str, place: &str, contains: &[&str]) {
    let error = parse(source, "f.toml", Path::new("/nonexistent")).expect_err(source);
    let report = error.to_string();
    let (line, column) = error.location().unwrap();
    assert_eq!(format!("{line}:{column}"), place, "{source}\n{report}");
    for part in contains
        .iter()
        .copied()
        .chain([format!("f.toml:{place}").as_str()])
    {
        assert!(report.contains(part), "no {part:?} in\n{source}\n{report}");
    }
    assert!(
        !report.contains('\x1b') && !error.message().contains('\n'),
        "{report}"
    );
}

#[test]
fn faults_have_a_place_and_a_help() {
    for (source, place, contains) in FAULTS {
        check(source, place, contains);
    }
    for (source, place, contains) in AFTER_TALK {
        check(&format!("{TALK}{source}"), place, contains);
    }
    for (source, place, contains) in TURNS {
        let source = format!("[talk]\nframe = \"none\"\n[[talk.turn]]\n{source}");
        check(&source, place, contains);
    }
}

#[test]
fn faults_of_the_talk_itself() {
    check("[talk]\nframe = \"none\"\n", "1:1", &["has no `turn`"]);
    check(
        "[talk]\nclose = \"client\"\n",
        "1:1",
        &["has no `frame`", "frame = \"none\""],
    );
    check(
        "[talk]\nuse = \"reddis\"\n",
        "2:7",
        &["no built-in talk", "did you mean `redis`?"],
    );
    check(
        "[talk]\nuse = \"redis\"\nframe = \"none\"\n",
        "3:9",
        &["cannot be changed"],
    );
    check(
        "[talk]\nframe = \"none\"\nclose = \"server\"\n",
        "3:9",
        &["unknown `close`"],
    );
    check(
        &format!("{SERVER}talk = 1\n"),
        "3:1",
        &["unknown key `talk` in [server]"],
    );
}

#[test]
fn a_report_reads_well() {
    let source = "[talk]\nframe = \"none\"\n[[talk.turn]]\nsend = \"a\"\nexpct = \"b\"\n";
    let error = parse(source, "tcprove.toml", Path::new(".")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "\
error: unknown key `expct` in [[talk.turn]]
 --> tcprove.toml:5:1
  |
5 | expct = \"b\"
  | ^^^^^
  |
  = help: did you mean `expect`?"
    );
    assert!(error.render(true).contains('\x1b'));
    assert_eq!(error.help(), Some("did you mean `expect`?"));
    assert_eq!(error.origin(), "tcprove.toml");
}

/// A help quotes the file as the message does, and is as harmless.
#[test]
fn a_help_turns_no_direction_of_reading() {
    let text = format!(
        "{SERVER}[talk]\nframe = \"none\"\n[[talk.turn]]\nsend = \"{{\u{202e} {{len:payload}}\"\nexpect = \"x\"\n"
    );
    let report = parse(&text, "f.toml", Path::new("."))
        .unwrap_err()
        .to_string();
    assert!(report.contains("help: write"), "{report}");
    assert!(!report.contains('\u{202e}'), "{report:?}");
}
