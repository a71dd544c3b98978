//! What is wrong is known before any server is started: exit 2.

use std::process::Command;

use super::{check_ends, error_in, file_refused, refused, sound_file};
use crate::support::Bench;
use crate::support::reports::parse_json;

#[test]
fn no_target() {
    refused(
        &[],
        &[
            "which server?",
            "--talk NAME --",
            "--connect",
            "-f FILE",
            "--embedded",
        ],
    );
}

#[test]
fn a_talk_without_a_server_and_a_server_without_a_talk() {
    refused(
        &["--talk", "line"],
        &["not with whom", "--connect HOST:PORT"],
    );
    refused(&["--", "server", "{port}"], &["--talk NAME", "redis"]);
}

#[test]
fn a_talk_that_does_not_exist() {
    refused(
        &["--talk", "reddis", "--", "x", "{port}"],
        &["`reddis`", "did you mean `redis`?"],
    );
    refused(
        &["--talk", "zzzzzz", "--", "x", "{port}"],
        &["`zzzzzz`", "there are: tutorial"],
    );
}

#[test]
fn a_command_without_a_port() {
    refused(
        &["--talk", "line", "--", "myserver", "--x"],
        &["no {port}", "myserver --port {port}"],
    );
}

#[test]
fn checks_that_do_not_exist() {
    refused(
        &["--embedded", "--only", "split-bytewize"],
        &["did you mean `split-bytewise`?"],
    );
    refused(
        &["--embedded", "--skip", "zzz-*"],
        &["`zzz-*` matches no check", "--list"],
    );
}

#[test]
fn parameters_that_do_not_exist_or_fit() {
    refused(&["--embedded", "--param", "x"], &["name=value"]);
    refused(
        &["--embedded", "--param", "recv_bufer=1"],
        &["did you mean `recv_buffer`?"],
    );
    refused(
        &["--embedded", "--param", "recv_buffer=big"],
        &["recv_buffer=big", "serve --help"],
    );
    refused(
        &["--embedded", "--param", "protocol=http"],
        &["protocol=http", "tutorial, echo, line"],
    );
    let command = ["--talk", "line", "--param", "x=1", "--", "server", "{port}"];
    refused(&command, &["no parameter {x}", "it has none"]);
}

#[test]
fn shards_that_make_no_sense() {
    for shard in ["3/2", "0/2", "1", "a/b", "1/0"] {
        refused(
            &["--embedded", "--shard", shard],
            &["I/N with 1 <= I <= N, as in 2/3"],
        );
    }
}

#[test]
fn arguments_that_do_not_exist() {
    refused(&["--embedded", "--onlyy", "x"], &["--onlyy"]);
    refused(&["--embedded", "--talk", "line"], &["--embedded", "--talk"]);
    let bench = Bench::new();
    let ended = bench.run(["chek", "--json=-"]);
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.stderr.contains("did you mean `check`?"),
        "{}",
        ended.stderr
    );
    let json = parse_json(&ended.stdout);
    assert_eq!(json["error"]["code"], "usage");
}

#[test]
fn addresses_that_cannot_be_meant() {
    let at = |address| ["--talk", "line", "--connect", address];
    refused(
        &at("localhost"),
        &["`localhost` is not an address", "HOST:PORT"],
    );
    refused(
        &at("192.0.2.1:80"),
        &["not on this machine's loopback", "--allow-remote"],
    );
    refused(
        &["--talk", "line", "--pid", "1", "--", "x", "{port}"],
        &["--pid", "cannot be used"],
    );
}

#[test]
fn a_file_that_is_not_there() {
    refused(
        &["-f", "no.toml"],
        &["no.toml cannot be read", "tcprove init"],
    );
}

#[test]
fn a_file_that_is_malformed() {
    file_refused(
        "[server\nname = 1\n",
        1,
        &["unclosed table", "tcprove.toml:1:8", "[server"],
    );
    file_refused(
        "[talk]\nuse = \"line\"\n[servr]\n",
        3,
        &["servr", "did you mean `server`?"],
    );
    file_refused(
        &sound_file("[[waive]]\ncheck = \"split-*\"\n"),
        6,
        &["reason", "a waiver says why"],
    );
    file_refused(
        "[talk]\nuse = \"line\"\nx = \"\\u001b[31m\u{202e}\"\n",
        3,
        &[],
    );
}

#[test]
fn a_file_that_names_checks_that_do_not_exist() {
    let bench = Bench::new();
    bench.write(
        "tcprove.toml",
        &sound_file("[check]\nrequire = [\"spilt-bytewise\"]\n"),
    );
    check_ends(&bench, 2, &[], &["did you mean `split-bytewise`?"]);
    bench.write(
        "tcprove.toml",
        &sound_file("[[waive]]\ncheck = \"nul-byte\"\nreason = \"x\"\n"),
    );
    check_ends(&bench, 2, &[], &["did you mean `nul-bytes`?"]);
}

#[test]
fn reports_that_cannot_be_written() {
    let bench = Bench::new();
    let ended = bench.run(["check", "--embedded", "--json", "no/r.json"]);
    assert_eq!(ended.code, Some(2), "{}", ended.all());
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("--json no/r.json cannot be written"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.stdout, "", "known before the run, not after it");
    check_ends(
        &bench,
        2,
        &["--embedded", "--junit", "no/r.xml"],
        &["--junit no/r.xml cannot be written"],
    );
}

/// A report of an earlier run must not be taken for one of a run that ended too early to write one.
#[test]
fn a_report_of_yesterday_does_not_stay() {
    let bench = Bench::new();
    bench.write("r.json", "{\"verdict\":\"pass\"}");
    check_ends(
        &bench,
        2,
        &["--talk", "nope", "--connect", "127.0.0.1:1"],
        &["`nope`"],
    );
}

#[test]
fn too_few_descriptors() {
    let bench = Bench::new();
    let mut command = Command::new("sh");
    let binary = bench.tcprove();
    command
        .args([
            "-c",
            "ulimit -n 100; exec \"$0\" check --json r.json --embedded",
        ])
        .arg(binary.get_program())
        .current_dir(bench.path("."));
    let ended = bench.end(command);
    error_in(&bench, &ended, 2, &["the limit is 100", "ulimit -Hn"]);
}
