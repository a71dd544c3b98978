//! What is wrong is known before any server is started: exit 2.

use std::process::Command;

use super::{Transcript, error_in, sound_file};
use crate::support::Bench;
use crate::support::reports::parse_json;

/// Each of these usage errors in an empty folder, as one snapshot.
fn refused(name: &str, all: &[&[&str]]) {
    let mut transcript = Transcript::default();
    for arguments in all {
        transcript.refused(arguments);
    }
    transcript.assert(name);
}

#[test]
fn no_target() {
    refused("no_target", &[&[]]);
}

#[test]
fn a_talk_without_a_server() {
    refused("half_a_target", &[&["--talk", "line"]]);
}

#[test]
fn a_talk_that_does_not_exist() {
    refused(
        "unknown_talk",
        &[
            &["--talk", "reddis", "--", "x", "{port}"],
            &["--talk", "zzzzzz", "--", "x", "{port}"],
        ],
    );
}

#[test]
fn a_command_without_a_port() {
    refused("no_port", &[&["--talk", "line", "--", "myserver", "--x"]]);
}

#[test]
fn checks_that_do_not_exist() {
    refused(
        "unknown_checks",
        &[
            &["--embedded", "--only", "split-bytewize"],
            &["--embedded", "--skip", "zzz-*"],
        ],
    );
}

#[test]
fn parameters_that_do_not_exist_or_fit() {
    refused(
        "parameters",
        &[
            &["--embedded", "--param", "x"],
            &["--embedded", "--param", "recv_bufer=1"],
            &["--embedded", "--param", "recv_buffer=big"],
            &["--embedded", "--param", "protocol=http"],
            &["--talk", "line", "--param", "x=1", "--", "server", "{port}"],
        ],
    );
}

#[test]
fn shards_that_make_no_sense() {
    let shard = |shard| ["--embedded", "--shard", shard];
    let all = ["3/2", "0/2", "1", "a/b", "1/0"].map(shard);
    let all: Vec<&[&str]> = all.iter().map(|arguments| &arguments[..]).collect();
    refused("shards", &all);
}

#[test]
fn arguments_that_do_not_exist() {
    refused(
        "unknown_arguments",
        &[
            &["--embedded", "--onlyy", "x"],
            &["--embedded", "--talk", "line"],
        ],
    );
    let ended = Bench::new().run(["chek", "--json=-"]);
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
    refused(
        "addresses",
        &[
            &["--talk", "line", "--connect", "localhost"],
            &["--talk", "line", "--connect", "192.0.2.1:80"],
            &["--talk", "line", "--pid", "1", "--", "x", "{port}"],
        ],
    );
}

#[test]
fn a_file_that_is_not_there() {
    refused("no_file", &[&["-f", "no.toml"]]);
}

#[test]
fn a_file_that_is_malformed() {
    let mut transcript = Transcript::default();
    transcript.file_refused("[server\nname = 1\n", 1);
    transcript.file_refused("[talk]\nuse = \"line\"\n[servr]\n", 3);
    transcript.file_refused(&sound_file("[[waive]]\ncheck = \"split-*\"\n"), 6);
    transcript.file_refused("[talk]\nuse = \"line\"\nx = \"\\u001b[31m\u{202e}\"\n", 3);
    transcript.assert("malformed_file");
}

#[test]
fn a_file_that_names_checks_that_do_not_exist() {
    let bench = Bench::new();
    let mut transcript = Transcript::default();
    for rest in [
        "[check]\nrequire = [\"spilt-bytewise\"]\n",
        "[[waive]]\ncheck = \"nul-byte\"\nreason = \"x\"\n",
    ] {
        bench.write("tcprove.toml", &sound_file(rest));
        transcript.check_ends(&bench, 2, &[]);
    }
    transcript.assert("unknown_checks_in_a_file");
}

#[test]
fn reports_that_cannot_be_written() {
    let bench = Bench::new();
    let mut transcript = Transcript::default();
    let arguments = ["check", "--embedded", "--json", "no/r.json"];
    let ended = bench.run(arguments);
    transcript.add(&[], &arguments, &ended);
    assert_eq!(ended.code, Some(2), "{}", ended.all());
    assert_eq!(ended.stdout, "", "known before the run, not after it");
    transcript.check_ends(&bench, 2, &["--embedded", "--junit", "no/r.xml"]);
    transcript.assert("reports_that_cannot_be_written");
}

/// A report of an earlier run must not be taken for one of a run that ended too early to write one.
#[test]
fn a_report_of_yesterday_does_not_stay() {
    let bench = Bench::new();
    bench.write("r.json", "{\"verdict\":\"pass\"}");
    Transcript::default().check_ends(&bench, 2, &["--talk", "nope", "--connect", "127.0.0.1:1"]);
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
    error_in(&bench, &ended, 2);
    let mut transcript = Transcript::default();
    transcript.add(&["check"], &["--embedded"], &ended);
    transcript.assert("too_few_descriptors");
}
