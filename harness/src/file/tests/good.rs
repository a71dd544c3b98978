//! Files that are understood.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::file::{load, parse};
use crate::process::{Ready, StartValues};
use crate::subject::{Date, Encoding, Family, StatedLimits};

const WHOLE: &str = r#"
[server]
name = "mine"
cmd = ["./server", "{port}", "--buffer={recv_buffer}", "--dir", "{tmp}"]
env = { LEVEL = "{level}" }
cwd = "sub"
stop = "QUIT"
reload = "SIGHUP"
ready = { stdout = "^ready$" }
ready_timeout = "1.5s"
[server.params]
recv_buffer = 0x1000
level = "debug"
ratio = 0.5
fast = true
[promise]
max_message = 65_536
drains_on_stop = true
pipelining = false
encoding = "utf-8"
max_connections = 1000
idle_timeout = "2.5s"
families = ["ipv6", "ipv4"]
port0 = true
[talk]
frame = { request = { until = "\n" }, reply = { lines = 2 } }
[[talk.turn]]
send = [{ file = "body.bin" }, "{level} {tok}\n"]
expect = { hex = "6f 6b 0a 0a" }
[check]
battery = 3
require = ["split-*", "term-idle"]
[[waive]]
check = "oob-*"
reason = "upstream issue 123"
until = 2027-03-01
[[waive]]
check = "term-*"
reason = "later"
until = "2027-03-02"
flaky = true
finding = "abc"
"#;

#[test]
fn everything_a_file_can_say() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("body.bin"), b"\xff\0").unwrap();
    let path = dir.path().join("tcprove.toml");
    std::fs::write(&path, WHOLE).unwrap();
    let file = load(&path).unwrap();

    let server = file.server.unwrap();
    assert_eq!(server.cwd, dir.path().join("sub"));
    assert_eq!(file.name, "mine");
    assert_eq!(server.stop, libc::SIGQUIT);
    assert_eq!(server.reload, Some(libc::SIGHUP));
    assert_eq!(server.ready_timeout, Duration::from_millis(1500));
    assert!(matches!(&server.ready, Ready::Line(_, regex) if regex.is_match("ready")));
    assert_eq!(server.params["recv_buffer"], "4096");
    assert_eq!(
        (
            server.params["ratio"].as_str(),
            server.params["fast"].as_str()
        ),
        ("0.5", "true")
    );
    let values = StartValues {
        port: 7000,
        further: &BTreeMap::new(),
        tmp: Path::new("/t"),
    };
    let words = server.cmd.iter();
    let filled: Vec<String> = words.map(|word| server.expand(word, values)).collect();
    assert_eq!(filled, ["./server", "7000", "--buffer=4096", "--dir", "/t"]);
    assert_eq!(server.env["LEVEL"], "{level}");

    assert_eq!(file.promise.max_message, Some(65536));
    assert_eq!(file.promise.encoding, Some(Encoding::Utf8));
    assert_eq!(file.promise.pipelining, Some(false));
    assert_eq!(file.promise.idle_timeout, Some(Duration::from_millis(2500)));
    assert_eq!(file.promise.families, [Family::Ipv4, Family::Ipv6]);
    assert_eq!(file.promise.port0, Some(true));
    assert_eq!(file.check.require, ["split-*", "term-idle"]);
    assert_eq!(file.check.battery, Some(3));
    assert_eq!(file.waive[0].until, Date::new(2027, 3, 1));
    assert_eq!(
        (file.waive[1].flaky, file.waive[1].finding.as_deref()),
        (true, Some("abc"))
    );
    assert_eq!((file.waive[0].line, file.waive[1].line), (33, 37));
    assert_eq!(
        (file.talk.name.as_str(), file.talk.turns.len()),
        ("mine", 1)
    );
}

#[test]
fn the_smallest_file() {
    let source = "[talk]\nframe = \"none\"\n[[talk.turn]]\nsend = \"a\"\nexpect = \"b\"\n";
    let file = parse(source, "t", Path::new(".")).unwrap();
    assert!(file.server.is_none() && file.waive.is_empty());
    assert_eq!(file.talk.name, "custom");
    assert_eq!(file.talk.turns[0].line, 3);
}

#[test]
fn a_file_that_cannot_be_read() {
    let error = load(Path::new("/no/such/tcprove.toml")).unwrap_err();
    assert!(error.message().contains("cannot be read"), "{error}");
    assert!(
        error.to_string().contains("/no/such/tcprove.toml"),
        "{error}"
    );
    assert_eq!(error.location(), None);
}

/// The example of the format's description.
const DESCRIBED: &str = r#"
[server]
name   = "redis"
cmd    = ["redis-server", "--port", "{port}", "--save", "", "--dir", "{tmp}"]
env    = { }                    # shown redacted
cwd    = "."                 # relative to this file's folder
stop   = "TERM"                 # graceful stop; nginx: QUIT
reload = "HUP"
ready  = "listen"               # default | { stdout = "regex" };   ready_timeout = "1.5s"
[server.params]                 # any {name} in cmd, with its default; bench can sweep it
recv_buffer = 4096
[promise]                       # what the server promises; a check that needs an absent promise is skipped and says so
max_message     = 65536         # bytes of a request, frame included
drains_on_stop  = true
pipelining      = true
encoding        = "utf-8"
max_connections = 1000
idle_timeout    = "30s"
families        = ["ipv4", "ipv6"]
port0           = true
[talk]
frame = { until = "\r\n" }      # for both ways, or frame.request / frame.reply apart
close = "client"                # | "server-after-reply"
[[talk.open]]                   # once a connection: greeting, login (optional)
expect = { regex = "^220 " }
[[talk.turn]]
send   = "ECHO {tok}\r\n"
expect = { regex = '^\$\d+\r\n{tok}\r\n' }
[[talk.bad]]                    # must be refused, and how
send   = { hex = "ff fe 0d 0a" }
expect = { regex = "^-ERR" }
[[talk.push]]                   # what the server may send unasked, and the answer if one is due
match  = "PING\r\n"
reply  = "PONG\r\n"
[check]
battery = 1                     # newer checks only warn until this is raised
require = ["split-*"]           # a required check that skips or is inconclusive blocks
[[waive]]
check  = "oob-*"
reason = "upstream issue 123"   # required; optional until = "2027-03-01", flaky = true, finding = "id"
"#;

#[test]
fn the_example_of_the_description() {
    let file =
        parse(DESCRIBED, "tcprove.toml", Path::new(".")).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(file.server.unwrap().params["recv_buffer"], "4096");
    assert_eq!(
        (
            file.talk.open.len(),
            file.talk.bad.len(),
            file.talk.push.len()
        ),
        (1, 1, 1)
    );
}

#[test]
fn frames_apart_with_dotted_keys() {
    let source = "[talk]\nframe.request = \"eof\"\nframe.reply.last_line = '^\\d{3} '\n\
                  [[talk.turn]]\nsend = \"a\"\nexpect = \"b\"\n";
    let talk = parse(source, "t", Path::new("."))
        .unwrap_or_else(|error| panic!("{error}"))
        .talk;
    assert_eq!(talk.request.describe(), "until the end of the stream");
    assert!(talk.reply.is_delimited());
}

#[test]
fn limits_that_are_stated() {
    let talk = "[talk]\nframe = \"none\"\n[[talk.turn]]\nsend = \"a\"\nexpect = \"b\"\n";
    let file = |more: &str| parse(&format!("{talk}{more}"), "t", Path::new(".")).unwrap();
    let limits = "[limits]\nconnections = 20\nrequests_per_connection = 100\nline_bytes = 1023\nidle_close = \"30s\"\n";
    let promise = file(limits).promise;
    assert_eq!(
        promise.limits,
        StatedLimits {
            connections: Some(20),
            requests_per_connection: Some(100),
            message_bytes: Some(1023),
            idle_close: Some(Duration::from_secs(30)),
        }
    );
    assert_eq!(promise.most_connections(), Some(20));
    assert_eq!(promise.longest_message(), Some(1023));
    // A promise within a limit is the smaller number of both.
    let promised = file("[promise]\nmax_message = 9\n[limits]\nmessage_bytes = 9\n").promise;
    assert_eq!(promised.longest_message(), Some(9));
    // Limits belong to a server, not to its protocol.
    assert!(promise.of_protocol_only().limits.is_empty());
}

/// TLS is a switch or a table, whose texts keep their places.
#[test]
fn tls_is_a_switch_or_a_table() {
    let file = |tls: &str| {
        let text = format!(
            "[transport]\ntls = {tls}\n[talk]\nframe = {{ until = \"\\n\" }}\n[[talk.turn]]\nsend = \"{{tok}}\\n\"\nexpect = \"{{tok}}\\n\"\n"
        );
        parse(&text, "f.toml", Path::new("/nonexistent"))
    };
    for tls in [
        "true",
        "{ name = \"a.example\", alpn = [\"h2\"] }",
        "{ alpn = \"h2\" }",
    ] {
        let file = file(tls).unwrap_or_else(|error| panic!("{tls}: {error}"));
        assert!(file.transport.tls.is_some(), "{tls}");
    }
    assert!(file("false").unwrap().transport.tls.is_none());
    let missing = file("{ ca = \"none.pem\" }").unwrap_err().to_string();
    assert!(
        missing.contains("none.pem cannot be read") && missing.contains("f.toml:2:14"),
        "{missing}"
    );
    let half = file("{ cert = \"c.pem\" }").unwrap_err().to_string();
    assert!(half.contains("needs both `cert` and `key`"), "{half}");
    let misspelt = file("{ nmae = \"a\" }").unwrap_err().to_string();
    assert!(
        misspelt.contains("nmae") && misspelt.contains("`name`"),
        "{misspelt}"
    );
}
