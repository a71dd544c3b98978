//! Loads of conversations that are more than one request and one reply: pushes, openings without replies, replies of
//! several frames, numbers per connection, one-way protocols.

use super::{Loaded, SHORT, load_in};
use crate::support::Bench;
use crate::support::battery::{data, have};

/// A load of a Python server in `mode`, which speaks this talk.
fn spoken(script: &str, mode: &str, talk: &str, arguments: &[&str]) -> Option<Loaded> {
    if !have("python3") {
        return None;
    }
    let bench = Bench::new();
    let script = data(script);
    let text = format!(
        "[server]\nname = {mode:?}\ncmd = [\"python3\", {script:?}, \"{{port}}\", {mode:?}]\n\n{talk}"
    );
    let file = bench.path("tcprove.toml");
    std::fs::write(&file, text).expect("the file is written");
    let file = file.to_str().expect("a path in UTF-8");
    Some(load_in(&bench, &[&["-f", file][..], arguments].concat()))
}

/// The pushes of `pushing.py`.
const PUSHES: &str = r#"
[[talk.push]]
match = "PING\r\n"
reply = "PONG\r\n"
[[talk.push]]
match = { regex = '^MSG ' }
frame = { lines = 2 }
"#;

#[test]
fn a_declared_push_is_no_wrong_reply() {
    let lines = format!(
        "[talk]\nframe = {{ until = \"\\r\\n\" }}\n\
         [[talk.turn]]\nsend = \"{{tok}} {{payload}}\\r\\n\"\nexpect = \"{{tok}} {{payload}}\\r\\n\"\n{PUSHES}"
    );
    for arguments in [&["-c", "3"][..], &["-c", "3", "--pipeline", "4"]] {
        for verify in ["all", "none"] {
            let arguments = [arguments, &["--verify", verify], &SHORT].concat();
            if let Some(loaded) = spoken("pushing.py", "lines", &lines, &arguments) {
                loaded.assert_sound();
            }
        }
    }
}

#[test]
fn a_push_may_have_a_header() {
    let frames = "[talk]\nframe = { len = \"u32be\" }\n\
                  [[talk.turn]]\nsend = \"{tok}\"\nexpect = \"{tok}\"\n\
                  [[talk.push]]\nmatch = \"tick\"\n";
    if let Some(loaded) = spoken(
        "pushing.py",
        "frames",
        frames,
        &[&["-c", "3"][..], &SHORT].concat(),
    ) {
        loaded.assert_sound();
    }
}

/// NATS pings before it answers the login, and behind the answer.
#[test]
fn a_push_may_come_during_the_opening() {
    let login = format!(
        "[talk]\nframe = {{ until = \"\\r\\n\" }}\n\
         [[talk.open]]\nexpect = {{ regex = '^INFO ' }}\n\
         [[talk.open]]\nsend = \"CONNECT\\r\\n\"\nexpect = \"+OK\\r\\n\"\n\
         [[talk.turn]]\nsend = \"{{tok}}\\r\\n\"\nexpect = \"{{tok}}\\r\\n\"\n{PUSHES}"
    );
    for arguments in [&["-c", "3"][..], &["-c", "3", "--churn", "5"]] {
        let arguments = [arguments, &SHORT].concat();
        if let Some(loaded) = spoken("pushing.py", "login", &login, &arguments) {
            loaded.assert_sound();
        }
    }
}

/// `{seq}` counts up on each connection, `{n}` tells connections apart, and the encoded token is a new one each time. The
/// first step has no reply.
#[test]
fn requests_are_numbered_on_each_connection() {
    let talk = r#"
[talk]
frame = { until = "\n" }
[[talk.open]]
send = "LOGIN {seq} {n}\n"
expect = { none = true }
[[talk.turn]]
send = "{seq} {n} {base64:tok}\n"
expect = { json = '{"text": "问 {base64:tok}", "seq": {seq}, "n": {n}}' }
"#;
    for arguments in [
        &["-c", "3"][..],
        &["-c", "4", "--threads", "2", "--pipeline", "4"],
        &["-c", "3", "--churn", "7"],
    ] {
        let arguments = [arguments, &["--verify", "all"], &SHORT].concat();
        if let Some(loaded) = spoken("phrases.py", "numbered", talk, &arguments) {
            loaded.assert_sound();
        }
    }
}

#[test]
fn a_reply_may_have_several_frames() {
    let talk = r#"
[talk]
frame = { until = "\n" }
[[talk.turn]]
send = "{tok} {payload}\n"
expect = ["row 1 {tok} {payload}\n", { regex = 'row 2 \w\n' }, "end {tok} {payload}\n"]
frames = { until = "end " }
"#;
    for arguments in [&["-c", "3"][..], &["-c", "3", "--pipeline", "4"]] {
        let arguments = [arguments, &SHORT].concat();
        if let Some(loaded) = spoken("phrases.py", "rows", talk, &arguments) {
            loaded.assert_sound();
        }
    }
}

/// Without replies a request is complete once it is sent.
#[test]
fn a_one_way_protocol() {
    let talk = "[talk]\nframe = { until = \"\\n\" }\n\
                [[talk.turn]]\nsend = \"count:{tok}\\n\"\nexpect = { none = true }\n";
    for arguments in [
        &["-c", "3"][..],
        &["-c", "3", "--pipeline", "4"],
        &["-c", "3", "--rate", "300"],
        &["-c", "3", "--churn", "20"],
    ] {
        let arguments = [arguments, &SHORT].concat();
        if let Some(loaded) = spoken("phrases.py", "oneway", talk, &arguments) {
            loaded.assert_sound();
        }
    }
}

/// The client closes its side after its request, and the server after its reply.
#[test]
fn requests_and_replies_may_end_with_the_stream() {
    let talk = "[talk]\nframe = \"eof\"\n\
                [[talk.turn]]\nsend = \"{tok} {payload}\"\nexpect = \"all of {tok} {payload}\"\n";
    for arguments in [&["-c", "3"][..], &["-c", "3", "--payload", "20KiB"]] {
        let arguments = [arguments, &SHORT].concat();
        if let Some(loaded) = spoken("phrases.py", "whole", talk, &arguments) {
            loaded.assert_sound();
        }
    }
}
