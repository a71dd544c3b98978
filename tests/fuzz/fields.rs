//! Faults that only a client can show who knows the fields of a protocol, found from a talk without any of it. A sound
//! server passes.

use super::{Fuzzed, fuzz};
use crate::support::Bench;
use crate::support::battery::{data, have};
use crate::support::skip::is_slow;

const TALK: &str = r#"
[server]
cmd = ["python3", "{server}", "{port}", "{fault}"]
params = { fault = "none", server = "" }
[talk]
frame = "http1"
[[talk.turn]]
send = "GET /slow/{tok} HTTP/1.1\r\nHost: localhost\r\n\r\n"
expect = { regex = "^HTTP/1.1 200 (?s:.*){tok}" }
[[talk.turn]]
send = "GET /{tok} HTTP/1.1\r\nHost: localhost\r\n\r\n"
expect = { regex = "^HTTP/1.1 200 (?s:.*){tok}" }
[[talk.turn]]
send = "POST /{tok} HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=xy\r\nContent-Length: 68\r\n\r\n--xy\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nhello\r\n--xy--\r\n"
expect = { regex = "^HTTP/1.1 200 " }
[[talk.turn]]
send = "GET /other?kind=word&text={tok} HTTP/1.1\r\nHost: localhost\r\nUpgrade: other\r\n\r\n"
expect = { regex = "^HTTP/1.1 101 " }
"#;

fn campaign(fault: &str, duration: &str) -> Fuzzed {
    let bench = Bench::new();
    bench.write("tcprove.toml", TALK);
    let server = format!("server={}", data("fields_server.py").display());
    let fault = format!("fault={fault}");
    let arguments = [
        "--param",
        &server,
        "--param",
        &fault,
        "--seed",
        "1",
        "--stop-on-first",
        "--duration",
        duration,
    ];
    fuzz(&bench, &arguments)
}

fn found(fault: &str, kind: &str, title: &str) {
    if !have("python3") {
        return;
    }
    let fuzzed = campaign(fault, "100s");
    let is_it = |finding: &serde_json::Value| {
        let text = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
        text("kind") == kind && text("title").contains(title) && text("confirmed") == "5/5"
    };
    assert!(
        fuzzed.findings().iter().any(is_it),
        "{fault}: {}",
        fuzzed.ended.all()
    );
}

/// The probes come first, so this takes no long campaign.
#[test]
fn replies_in_the_wrong_order() {
    found("disorder", "conformance", "which was sent first");
}

#[test]
fn a_request_inside_of_another() {
    found(
        "smuggles",
        "conformance",
        "a request inside of a message with",
    );
}

#[test]
fn a_line_feed_in_a_chunk_extension() {
    found(
        "extension",
        "conformance",
        "a line feed in a chunk extension",
    );
}

/// In all fields of a query at once, of a request that is dropped if the client leaves at once.
#[test]
fn a_name_of_a_property_in_a_request_for_another_protocol() {
    if !is_slow("a campaign") {
        return;
    }
    found("crash-on-upgrade", "crash", "no protocol");
}

#[test]
fn values_that_crash_hang_and_loop() {
    if !is_slow("three campaigns") {
        return;
    }
    found("crash-on-type", "crash", "no parser");
    found("backtracks", "hang", "serves no client");
    found("endless-part", "hang", "serves no client");
}

#[test]
fn a_sound_server_has_none_of_it() {
    if !is_slow("a campaign of 30 s") || !have("python3") {
        return;
    }
    let fuzzed = campaign("none", "30s");
    assert_eq!(fuzzed.ended.code, Some(0), "{}", fuzzed.ended.all());
}
