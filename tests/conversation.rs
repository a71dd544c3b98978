//! Conversations of more than requests and replies with a live server: a greeting with a value to send back, a message
//! that the server pushes, and replies that end with the stream.

mod served;

use crate::support::battery::{Checked, check, data, have};
use crate::support::skip::is_thorough;

/// Checks that use the conversation in different ways: many connections, split messages, several clients.
const CHECKS: [&str; 5] = [
    "serves-again",
    "split-bytewise",
    "split-each-offset",
    "crosstalk",
    "zero-length",
];

/// Runs the checks on the server in `mode` with this `[talk]`.
fn judged(mode: &str, talk: &str) -> Option<Checked> {
    battery("conversation.py", mode, talk, &CHECKS)
}

/// Runs these checks on the script's server in `mode` with this `[talk]`.
fn battery(script: &str, mode: &str, talk: &str, checks: &[&str]) -> Option<Checked> {
    let script = data(script);
    let server = format!(
        "[server]\nname = {mode:?}\ncmd = [\"python3\", {script:?}, \"{{port}}\", {mode:?}]\n\n{talk}"
    );
    described(&server, checks)
}

/// Runs these checks on the server, a Python program, that this file describes.
fn described(text: &str, checks: &[&str]) -> Option<Checked> {
    if !have("python3") {
        return None;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("tcprove.toml");
    std::fs::write(&file, text).expect("the file is written");
    let only = checks.iter().flat_map(|id| ["--only", id]);
    let file = file.to_str().expect("a path in UTF-8");
    Some(check(["-f", file].into_iter().chain(only)))
}

/// Asserts that no check fails and at least `least` pass.
fn passes(mode: &str, talk: &str, least: usize) {
    let Some(checked) = judged(mode, talk) else {
        return;
    };
    assert_eq!(checked.code(), 0, "{}", checked.shown());
    assert!(checked.ids("pass").len() >= least, "{}", checked.shown());
}

/// The checks of which none may fail where the server is sound.
const SOUND: &[&str] = &[
    "split-*",
    "coalesce-100",
    "size-boundaries",
    "utf8-*",
    "nul-bytes",
    "zero-length",
    "over-buffer",
    "crosstalk",
    "hol-*",
    "fin-*",
    "rst-*",
    "serves-again",
    "stdout-blocked",
    "big-reply",
];

/// Asserts that no check of a sound server fails, and that these pass.
fn is_sound(script: &str, mode: &str, talk: &str, passed: &[&str]) {
    let Some(checked) = battery(script, mode, talk, SOUND) else {
        return;
    };
    assert_eq!(checked.ids("fail"), [""; 0], "{}", checked.shown());
    let passes = checked.ids("pass");
    for id in passed {
        assert!(
            passes.iter().any(|pass| pass == id),
            "{id}: {}",
            checked.shown()
        );
    }
}

#[test]
fn a_word_of_the_greeting_is_said_back() {
    let talk = r#"
[talk]
frame = { until = "\n" }
[[talk.open]]
expect = { regex = '^220 (?P<word>\w+) ready\n$' }
[[talk.open]]
send = "LOGIN {word}\n"
expect = "230 welcome\n"
[[talk.turn]]
send = "{tok}\n"
expect = "{tok}\n"
"#;
    passes("greeting", talk, 5);
}

#[test]
fn what_the_server_asks_unasked_is_answered() {
    let talk = r#"
[talk]
frame = { until = "\n" }
[[talk.push]]
match = "PING\n"
reply = "PONG\n"
[[talk.turn]]
send = "{tok}\n"
expect = "{tok}\n"
"#;
    passes("push", talk, 5);
}

#[test]
fn a_reply_may_end_with_the_stream() {
    let talk = r#"
[talk]
frame.request = { until = "\n" }
frame.reply = "eof"
close = "server-after-reply"
[[talk.turn]]
send = "{tok}\n"
expect = "{tok}\n{tok}\n"
"#;
    passes("eof", talk, 3);
}

#[test]
fn an_http_body_may_end_with_the_stream() {
    let talk = r#"
[talk]
frame = "http1"
close = "server-after-reply"
[[talk.turn]]
send = "GET /{tok} HTTP/1.0\r\n\r\n"
expect = { regex = '^HTTP/1\.0 200 OK\r\n(?s:.*)/{tok}$' }
"#;
    passes("http", talk, 4);
}

#[test]
fn an_end_without_a_word_may_be_what_is_expected() {
    let talk = r#"
[talk]
frame = { until = "\n" }
close = "server-after-reply"
[[talk.turn]]
send = "{tok}\n"
expect = "eof"
"#;
    passes("refuse", talk, 4);
}

#[test]
fn an_end_without_a_word_is_told_as_such() {
    if !is_thorough() {
        return;
    }
    let talk = "[talk]\nframe = \"none\"\n[[talk.turn]]\nsend = \"{tok}\"\nexpect = \"{tok}\"\n";
    let Some(checked) = judged("refuse", talk) else {
        return;
    };
    assert_eq!(checked.code(), 3, "{}", checked.shown());
    let message = checked.report["error"]["message"]
        .as_str()
        .expect("a message");
    assert!(
        message.contains("no complete reply") || message.contains("closed the connection"),
        "{message}"
    );
}

#[test]
fn pushes_with_frames_of_their_own_are_skipped() {
    if !is_thorough() {
        return;
    }
    let talk = r#"
[talk]
frame = { until = "\r\n" }
[[talk.open]]
expect = { regex = '^INFO ' }
[[talk.open]]
send = "CONNECT\r\n"
expect = "+OK\r\n"
[[talk.turn]]
send = "{tok}{payload}\r\n"
expect = "{tok}{payload}\r\n"
[[talk.push]]
match = "PING\r\n"
reply = "PONG\r\n"
[[talk.push]]
match = { regex = '^MSG ' }
frame = { lines = 2 }
[promise]
pipelining = true
"#;
    let passed = [
        "split-bytewise",
        "coalesce-100",
        "size-boundaries",
        "crosstalk",
    ];
    is_sound("pushing.py", "login", talk, &passed);
}

/// A sound server that reads a request to the end of the stream, and whose reply ends with its own.
#[test]
fn every_check_that_needs_a_frame_runs_where_the_stream_is_the_frame() {
    let talk = r#"
[talk]
frame = "eof"
[[talk.turn]]
send = "{tok} {payload}"
expect = "all of {tok} {payload}"
"#;
    let passed = [
        "split-bytewise",
        "split-each-offset",
        "size-boundaries",
        "utf8-split-char",
        "nul-bytes",
        "crosstalk",
    ];
    is_sound("phrases.py", "whole", talk, &passed);
}

/// The delimiter of a request can be cut although the reply ends the connection.
#[test]
fn a_delimiter_is_cut_on_one_connection_for_each_exchange() {
    let talk = r#"
[talk]
frame = { request = { until = "\r\n" }, reply = "eof" }
[[talk.turn]]
send = "{tok}\r\n"
expect = "{tok}\r\n{tok}\r\n"
"#;
    let Some(checked) = battery("conversation.py", "eof", talk, &["split-delimiter"]) else {
        return;
    };
    assert_eq!(
        checked.ids("pass"),
        ["split-delimiter"],
        "{}",
        checked.shown()
    );
}

/// Without replies the server alone is judged: it reads what is sent, keeps running and serves others.
#[test]
fn a_one_way_server_is_judged_alone() {
    let talk = r#"
[talk]
frame = { until = "\n" }
[[talk.turn]]
send = "count:{tok}|{payload}\n"
expect = { none = true }
"#;
    let passed = [
        "split-bytewise",
        "size-boundaries",
        "utf8-invalid",
        "hol-idle",
        "rst-mid-request",
    ];
    is_sound("phrases.py", "oneway", talk, &passed);
}

#[test]
fn turns_are_said_in_their_order() {
    if !is_thorough() {
        return;
    }
    let talk = r#"
[talk]
frame = { until = "\n" }
[[talk.turn]]
send = "GET {tok}\n"
expect = "ok {tok}\n"
after = "login"
[[talk.turn]]
name = "login"
send = "LOGIN {tok}\n"
expect = "ok {tok}\n"
once = true
[[talk.turn]]
send = "QUIT {payload}\n"
expect = { regex = '^bye ' }
last = true
[promise]
pipelining = true
"#;
    let passed = [
        "split-each-offset",
        "coalesce-100",
        "crosstalk",
        "size-boundaries",
    ];
    is_sound("phrases.py", "ordered", talk, &passed);
}

/// Only a reply to a turn ends the connection, not the greeting.
#[test]
fn a_server_that_closes_after_its_reply_may_greet() {
    let talk = r#"
[talk]
frame = { until = "\n" }
close = "server-after-reply"
[[talk.open]]
expect = { regex = '^220 (?P<word>\w+) ready\n$' }
[[talk.open]]
send = "LOGIN {word}\n"
expect = "230 welcome\n"
[[talk.turn]]
send = "{tok}\n"
expect = "{tok}\n"
"#;
    passes("farewell", talk, 5);
}

/// The check starts a server with a low limit beside the one that all checks share: the traceback is that one's.
#[test]
fn a_server_that_a_check_starts_for_itself_shows_what_it_printed() {
    let talk = r#"
[talk]
frame = { until = "\n" }
[[talk.turn]]
send = "{{\"text\": \"{tok}\"}\n"
expect = "{{\"result\": \"{tok}\"}\n"
"#;
    let Some(checked) = battery("json_lines.py", "plain", talk, &["emfile-live"]) else {
        return;
    };
    checked.assert("emfile-live", "fail", "died");
    let stderr = checked.outcome("emfile-live")["evidence"]["stderr"].to_string();
    assert!(
        stderr.contains("Too many open files"),
        "{}",
        checked.shown()
    );
}

/// JSON has several ways to write a character (RFC 8259 section 7). A server that writes another one than the literal text of the
/// file expects destroys nothing, also if a request arrives in pieces.
#[test]
fn a_server_that_escapes_characters_is_not_blamed_for_cut_ones() {
    if !is_thorough() {
        return;
    }
    let talk = r#"
[talk]
frame = { until = "\n" }
[[talk.turn]]
send = "{{\"text\": \"{tok}{payload}\"}\n"
expect = "{{\"result\": \"{tok}{payload}\"}\n"
"#;
    let checks = ["utf8-split-char", "utf8-split-buffer", "split-bytewise"];
    let Some(escapes) = battery("json_lines.py", "escapes", talk, &checks) else {
        return;
    };
    assert_eq!(escapes.code(), 0, "{}", escapes.shown());
    assert_eq!(escapes.ids("skip"), checks[..2], "{}", escapes.shown());
    let reason = escapes.outcome("utf8-split-char")["reason"].to_string();
    assert!(reason.contains("whole"), "{reason}");
    // One that writes them as they come is judged, and one that decodes what it happens to read is blamed.
    is_sound("json_lines.py", "plain", talk, &checks);
    let Some(decodes) = battery("json_lines.py", "decodes", talk, &checks[..1]) else {
        return;
    };
    assert_eq!(
        decodes.ids("fail"),
        ["utf8-split-char"],
        "{}",
        decodes.shown()
    );
}

/// What JSON cannot contain is not sent, and the reason says that in words of the file.
#[test]
fn what_json_cannot_contain_is_skipped_with_a_plain_reason() {
    let with = |payload: &str| {
        let message =
            |key: &str| format!("{{{{\\\"{key}\\\":{}}}\\n", payload.replace('"', "\\\""));
        format!(
            "[talk]\nframe = {{ until = \"\\n\" }}\n[[talk.turn]]\nsend = \"{}\"\nexpect = {{ json = '{{\"result\":{payload}}}' }}\n",
            message("text"),
        )
    };
    let reasons = |payload: &str| {
        let checks = ["utf8-invalid", "nul-bytes", "split-bytewise"];
        let ended = battery("json_lines.py", "escapes", &with(payload), &checks)?;
        assert_eq!(ended.code(), 0, "{}", ended.shown());
        let reason = |id| ended.outcome(id)["reason"].to_string();
        Some([reason("utf8-invalid"), reason("nul-bytes")])
    };
    let Some([invalid, nul]) = reasons("{json:payload}") else {
        return;
    };
    assert!(
        invalid.contains("is UTF-8 text and cannot contain these bytes"),
        "{invalid}"
    );
    assert_eq!(nul, "null", "escaped, a NUL can be sent");
    let [invalid, nul] = reasons("\"{payload}\"").unwrap();
    for reason in [invalid, nul] {
        assert!(
            reason.contains("{json:payload} in `send` and `expect`"),
            "{reason}"
        );
    }
}
