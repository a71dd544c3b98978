//! What a gate says to mistakes, and to servers that cannot be gated.

use std::path::PathBuf;
use std::process::Command;

use super::{gate, server, uncounted};
use crate::support::skip::is_thorough;
use crate::support::{Bench, data, python, skip};

/// Ends with this code, says this, and gives no verdict.
fn refused(base: &str, candidate: &str, more: &[&str], code: i32, says: &[&str]) {
    let bench = Bench::new();
    let (ended, report) = gate(&bench, base, candidate, more);
    assert_eq!(ended.code, Some(code), "{}", ended.all());
    assert_eq!(report["verdict"], "error");
    let message = report["error"]["message"].as_str().unwrap();
    for says in says {
        assert!(message.contains(says), "{says}: {message}");
    }
    assert_eq!(ended.stdout, "");
    bench.assert_nothing_left();
}

#[test]
fn the_same_program_twice_is_a_mistake() {
    let says = ["the same command", "--allow-same"];
    refused(&server(""), &server(""), &[], 2, &says);
}

/// What they load differs, although the files that their commands lead to have the same content. The time is too short
/// to compare them, and that is the only complaint.
#[test]
fn two_virtual_environments_and_two_working_copies_are_not_the_same_program() {
    let Some(python) = python() else { return };
    let bench = Bench::new();
    let venv = |name: &str| {
        let folder = bench.path(name);
        let made = Command::new(python)
            .args(["-m", "venv", "--without-pip"])
            .arg(&folder)
            .status();
        assert!(made.unwrap().success());
        let python = folder.join("bin/python");
        format!("{} {} {{port}}", python.display(), data("asyncio_line.py"))
    };
    let short = ["--max-time", "2s", "--turn", "0"];
    let says = ["too short", "--max-time"];
    let one = venv("one");
    refused(&one, &venv("other"), &short, 2, &says);
    refused(&one, &one, &short, 2, &["the same command"]);
    let Some(program) = in_path("node") else {
        return skip::needs("node");
    };
    let node = |name: &str, loaded: &str| {
        let folder = bench.path(name);
        std::fs::create_dir_all(folder.join("node_modules/x")).unwrap();
        std::fs::write(folder.join("node_modules/x/index.js"), loaded).unwrap();
        std::fs::write(folder.join("server.js"), NODE).unwrap();
        format!(
            "{} {}/server.js {{port}}",
            program.display(),
            folder.display()
        )
    };
    let one = node("a", "exports.times = 1;");
    refused(&one, &node("b", "exports.times = 2;"), &short, 2, &says);
    refused(&one, &one, &short, 2, &["the same command"]);
}

/// Gates run with another PATH.
fn in_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let files = std::env::split_paths(&path).map(|folder| folder.join(program));
    { files }.find(|file| file.is_file())
}

/// A line server whose work is in a package.
const NODE: &str = "
const { times } = require('x');
const lines = (client) => {
  client.setNoDelay(true);
  client.on('error', () => {});
  client.on('data', (data) => { for (let i = 0; i < times; i++) data.toString(); client.write(data); });
};
require('net').createServer(lines).listen(Number(process.argv[2]), '127.0.0.1');
";

#[test]
fn a_server_that_does_not_start_is_named() {
    refused(
        "tcprove serve --port {port} --no-such-flag",
        &server(""),
        &[],
        3,
        &["the base: ", "--no-such-flag"],
    );
    refused(
        &server(""),
        "no-such-program-here {port}",
        &[],
        3,
        &["the candidate: ", "no-such-program-here"],
    );
}

#[test]
fn a_server_that_speaks_otherwise_is_named() {
    let says = ["the candidate: ", "conversation"];
    let other = "tcprove serve --protocol frame --port {port}";
    refused(&server(""), other, &[], 3, &says);
}

#[test]
fn commands_that_cannot_be_split_or_have_no_port_are_told() {
    refused(
        &server(""),
        "tcprove 'serve",
        &[],
        2,
        &["--candidate", "split"],
    );
    refused(
        "tcprove serve",
        &server(""),
        &[],
        2,
        &["the base: ", "{port}"],
    );
    refused("", &server(""), &[], 2, &["--base is empty"]);
}

#[test]
fn too_little_time_is_told_with_how_much_would_do() {
    let more = ["--max-time", "2s"];
    refused(
        &server(""),
        &server("--slower 9"),
        &more,
        2,
        &["too short", "--max-time"],
    );
}

/// What clap refuses leaves no report.
#[test]
fn budgets_of_metrics_that_do_not_exist_are_told() {
    let bench = Bench::new();
    for (budget, says) in [
        ("server-cpus=2%", "did you mean `server-cpu`?"),
        ("p50=soon", "not a percentage"),
        ("p50", "METRIC=PERCENT"),
        ("rss=0%", "not between"),
    ] {
        let words = [&super::of_both("x", "y")[..], &["--budget", budget]].concat();
        let ended = bench.run(words);
        assert_eq!(ended.code, Some(2), "{}", ended.all());
        assert!(ended.stderr.contains(says), "{says}: {}", ended.stderr);
    }
}

#[test]
fn a_gate_needs_both_commands_and_starts_them_itself() {
    let bench = Bench::new();
    for (words, says) in [
        (
            &["gate", "--talk", "line", "--candidate", "x {port}"][..],
            "--base",
        ),
        (
            &["gate", "--talk", "line", "--base", "x {port}"],
            "--candidate",
        ),
        (
            &[
                "gate",
                "--talk",
                "line",
                "--connect",
                "127.0.0.1:9",
                "--base",
                "x",
            ],
            "--connect",
        ),
    ] {
        let ended = bench.run(words);
        assert_eq!(ended.code, Some(2), "{}", ended.all());
        assert!(ended.stderr.contains(says), "{says}: {}", ended.stderr);
    }
}

/// A line server that ends after so many lines.
const MORTAL: &str = "
import socket, sys
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(('127.0.0.1', int(sys.argv[1])))
listener.listen(8)
left = 300
while True:
    client, _ = listener.accept()
    lines = client.makefile('rb')
    for line in lines:
        left -= 1
        if left == 0:
            sys.exit('out of lines')
        client.sendall(line)
";

#[test]
fn a_candidate_that_dies_fails_and_a_base_that_dies_is_no_verdict() {
    let Some(python) = python() else { return };
    let bench = Bench::new();
    let script = bench.write("mortal.py", MORTAL);
    let mortal = format!("{python} {} {{port}}", script.display());
    let sound = format!("{python} {} {{port}}", data("asyncio_line.py"));
    let more = ["--max-time", "300s", "--turn", "0"];
    let (ended, report) = gate(&bench, &sound, &mortal, &more);
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    assert_eq!(report["broken"]["side"], "candidate");
    let says = ended.stdout.contains("the candidate died");
    assert!(says, "{}", ended.stdout);
    let (ended, report) = gate(&bench, &mortal, &sound, &more);
    assert_eq!(ended.code, Some(3), "{}", ended.all());
    let message = report["error"]["message"].as_str().unwrap();
    assert!(message.contains("the base died"), "{message}");
}

/// The file says how it is started and which conversation it holds; only the command is another one.
#[test]
fn a_file_gives_everything_but_the_commands() {
    if !is_thorough() {
        return;
    }
    let bench = Bench::new();
    let file = r#"
[server]
name = "mine"
cmd = ["tcprove", "serve", "--protocol", "line", "--port", "{port}"]

[talk]
frame = { until = "\n" }

[[talk.turn]]
send = "{tok}\n"
expect = "{tok}\n"
"#;
    bench.write("tcprove.toml", file);
    let base = server("--recv-buffer 512");
    let words = ["gate", "--base", &base, "--json", "r.json"];
    let mut command = uncounted(&bench);
    command.args([&words[..], &["--max-time", "8s", "--sessions", "8"]].concat());
    let ended = bench.end(command);
    let report = bench.json("r.json");
    assert!(matches!(ended.code, Some(0 | 1 | 5)), "{}", ended.all());
    assert_eq!(report["target"]["name"], "mine");
    let command = report["plan"]["base"]["cmd"].as_array().unwrap();
    assert!(command.iter().any(|word| word == "512"), "{command:?}");
}
