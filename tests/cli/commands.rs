//! The small commands: init, generate, send, serve, the list, and `tcprove` alone.

use std::path::Path;

use serde_json::Value;

use super::file;
use crate::support::Bench;

/// Names of the built-in talks, as `init` lists them.
fn talks() -> Vec<String> {
    let ended = Bench::new().run(["init"]);
    assert_eq!(ended.code, Some(2), "{}", ended.all());
    let names = ended
        .stderr
        .lines()
        .filter_map(|line| line.strip_prefix("  "));
    let names: Vec<String> = names
        .filter_map(|line| Some(line.split_whitespace().next()?.to_owned()))
        .collect();
    assert!(names.len() >= 9, "{names:?}");
    names
}

/// `tcprove generate reference > docs/file.md` and `tcprove generate commands > docs/commands.md` make them again.
#[test]
fn the_pages_of_all_keys_and_all_commands_are_up_to_date() {
    for (what, page) in [("reference", "file.md"), ("commands", "commands.md")] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../docs")
            .join(page);
        let ended = Bench::new().run(["generate", what]);
        assert_eq!(ended.code, Some(0), "{}", ended.all());
        let kept = std::fs::read_to_string(path).unwrap();
        assert!(
            kept == ended.stdout,
            "docs/{page} is old: tcprove generate {what} > docs/{page}"
        );
    }
}

#[test]
fn init_writes_a_file_that_loads_for_every_talk() {
    for talk in talks() {
        let bench = Bench::new();
        let ended = bench.run(["init", "--talk", &talk]);
        assert_eq!(ended.code, Some(0), "{}", ended.all());
        assert!(
            ended.stdout.starts_with("wrote tcprove.toml"),
            "{}",
            ended.stdout
        );
        let loaded = tcprove::file::load(&bench.path("tcprove.toml"));
        let loaded = loaded.unwrap_or_else(|error| panic!("{talk}: {error}"));
        assert!(loaded.server.is_some(), "{talk} has no server");
        assert_eq!(
            bench.run(["init", "--talk", &talk, "-o", "-"]).stdout,
            bench.read("tcprove.toml")
        );
    }
}

#[test]
fn what_init_writes_works_as_it_stands() {
    for talk in ["tutorial", "echo", "line", "frame"] {
        let bench = Bench::new();
        bench.run(["init", "--talk", talk]);
        let ended = bench.run(["check", "--only", "zero-length"]);
        assert_eq!(ended.code, Some(0), "{talk}: {}", ended.all());
    }
}

#[test]
fn init_replaces_nothing_unasked() {
    let bench = Bench::new();
    bench.write("tcprove.toml", "mine");
    let ended = bench.run(["init", "--talk", "line"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("--force"), "{}", ended.stderr);
    assert_eq!(bench.read("tcprove.toml"), "mine");
    assert_eq!(
        bench.run(["init", "--talk", "line", "--force"]).code,
        Some(0)
    );
    assert!(bench.read("tcprove.toml").contains("[talk]"));
    let unknown = bench.run(["init", "--talk", "lne"]);
    assert_eq!(unknown.code, Some(2));
    assert!(
        unknown.stderr.contains("did you mean `line`?"),
        "{}",
        unknown.stderr
    );
}

/// Every key of the conversation file that CONTRACT.md names and this version reads.
const KEYS: &[&str] = &[
    "server",
    "name",
    "cmd",
    "env",
    "cwd",
    "stop",
    "ready",
    "ready_timeout",
    "params",
    "promise",
    "max_message",
    "drains_on_stop",
    "pipelining",
    "encoding",
    "max_connections",
    "idle_timeout",
    "families",
    "port0",
    "reload",
    "talk",
    "frame",
    "close",
    "close_when",
    "open",
    "turn",
    "send",
    "expect",
    "bad",
    "push",
    "match",
    "reply",
    "check",
    "battery",
    "require",
    "waive",
    "reason",
    "until",
    "flaky",
    "finding",
];

#[test]
fn the_schema_names_every_key() {
    let ended = Bench::new().run(["generate", "schema"]);
    assert_eq!(ended.code, Some(0));
    let schema: Value = serde_json::from_str(&ended.stdout).unwrap();
    let mut named = Vec::new();
    properties(&schema, &mut named);
    for key in KEYS {
        assert!(
            named.iter().any(|name| name == key),
            "`{key}` is not in the schema"
        );
    }
}

/// Every name below a `properties`.
fn properties(value: &Value, named: &mut Vec<String>) {
    if let Value::Array(values) = value {
        values.iter().for_each(|value| properties(value, named));
    }
    let Value::Object(map) = value else { return };
    for (key, value) in map {
        if let ("properties", Value::Object(inner)) = (key.as_str(), value) {
            named.extend(inner.keys().cloned());
        }
        properties(value, named);
    }
}

#[test]
fn completions_and_the_manual_page_know_the_commands() {
    for what in [
        &["completions", "bash"][..],
        &["completions", "zsh"],
        &["completions", "fish"],
        &["man"],
    ] {
        let mut arguments = vec!["generate"];
        arguments.extend(what);
        let ended = Bench::new().run(arguments);
        assert_eq!(ended.code, Some(0), "{what:?}");
        for word in ["check", "serve", "init"] {
            assert!(
                ended.stdout.contains(word),
                "{what:?} does not know `{word}`"
            );
        }
    }
}

#[test]
fn the_list_has_every_check_with_its_requirement() {
    let ended = Bench::new().run(["check", "--list"]);
    assert_eq!(ended.code, Some(0));
    for check in tcprove::check::all() {
        assert!(
            ended.stdout.contains(&format!("  {}", check.id)),
            "{}",
            check.id
        );
        assert!(ended.stdout.contains(check.requirement), "{}", check.id);
    }
}

/// The tutorial's reply, as bytes and as text.
fn assert_tutorial_reply(shown: &str) {
    assert!(shown.contains("received 28 bytes"), "{shown}");
    assert!(shown.contains("bytes    6f 6b 2c 20 e9 97 ae"), "{shown}");
    assert!(
        shown.contains("text     ok, 问题正在处理中...\n"),
        "{shown}"
    );
    assert!(shown.contains("closed the connection (FIN)"), "{shown}");
}

#[test]
fn send_shows_bytes_and_text() {
    let bench = Bench::new();
    let ended = bench.run(["send", "你好", "--embedded"]);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert!(
        ended.stdout.contains("sent     6 bytes"),
        "{}",
        ended.stdout
    );
    assert_tutorial_reply(&ended.stdout);
    let ended = bench.run(["send", "--hex", "ff fe", "--embedded"]);
    assert!(
        ended.stdout.contains("text     error: not valid UTF-8"),
        "{}",
        ended.all()
    );
    let ended = bench.run(["send", "--hex", "f", "--embedded"]);
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.stderr.contains("two digits per byte"),
        "{}",
        ended.stderr
    );
}

#[test]
fn send_adds_a_header_to_a_turn_and_says_that_a_text_has_none() {
    let bench = Bench::new();
    let framed = ["--embedded", "--param", "protocol=frame"];
    let ended = bench.run(["send", "--turn", "0"].iter().chain(&framed));
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    let token = |word: &str| {
        let mut lines = ended.stdout.lines().filter(|line| line.starts_with(word));
        let line = lines.next().unwrap_or_default();
        line.split_once("\\x0c").map(|(_, token)| token.to_owned())
    };
    assert!(
        token("sent").is_some_and(|token| token.len() == 12),
        "{}",
        ended.stdout
    );
    assert_eq!(token("sent"), token("text"), "{}", ended.stdout);
    assert!(!ended.stderr.contains("--turn"), "{}", ended.stderr);
    let ended = bench.run(["send", "--turn", "7"].iter().chain(&framed));
    assert_eq!(ended.code, Some(2), "{}", ended.all());
    assert!(ended.stderr.contains("has 2 turns"), "{}", ended.stderr);
    bench.run(["init", "--talk", "frame"]);
    let ended = bench.run(["send", "hello"]);
    assert!(
        ended.stderr.contains("`tcprove send --turn 0`"),
        "{}",
        ended.all()
    );
}

#[test]
fn serve_says_where_it_listens_and_send_finds_it() {
    let bench = Bench::new();
    let mut serve = bench.tcprove();
    serve.args(["serve", "--protocol", "tutorial", "--port", "0"]);
    let serving = bench.start(serve);
    let address = serving.address().to_string();
    let ended = Bench::new().run(["send", "hello", "--connect", &address]);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert_tutorial_reply(&ended.stdout);
}

#[test]
fn alone_in_an_empty_folder_it_says_what_it_runs_on() {
    let bench = Bench::new();
    let ended = bench.run(["--only", "zero-length", "--json", "r.json"]);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    let first = ended.stderr.lines().next().unwrap();
    assert!(first.contains("embedded reference server"), "{first}");
    let json = bench.json("r.json");
    assert_eq!(json["command"], "run");
    assert_eq!(json["target"]["embedded"], true);
    let gate = bench.run(["check"]);
    assert_eq!(
        gate.code,
        Some(2),
        "a gate in the wrong folder is not green"
    );
}

#[test]
fn a_run_that_fuzzes_for_no_time_has_no_campaign() {
    let bench = Bench::new();
    let short = ["--checks", "1us", "--fuzz", "0s", "--no-bench"];
    let ended = bench.run([&["run", "--embedded", "--json", "r.json"], &short[..]].concat());
    // No check has run.
    assert_eq!(ended.code, Some(4), "{}", ended.all());
    let report = bench.json("r.json");
    assert_eq!(report["command"], "run", "{report:#}");
    assert!(report["fuzz"].is_null(), "{report:#}");
}

#[test]
fn alone_beside_a_file_it_takes_the_file() {
    let bench = Bench::new();
    file(&bench, "", "");
    let ended = bench.run(["run", "--only", "zero-length", "--json", "r.json"]);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert!(!ended.stderr.contains("embedded"), "{}", ended.stderr);
    assert_eq!(bench.json("r.json")["target"]["name"], "mine");
}

#[test]
fn a_finding_is_repeated_by_the_command_it_comes_with() {
    let bench = Bench::new();
    file(&bench, "recv-is-message", "");
    bench.run(["check", "--only", "split-*", "--json", "r.json"]);
    let reproduce = bench.json("r.json")["outcomes"][0]["reproduce"]
        .as_str()
        .unwrap()
        .to_owned();
    let words = shell_words::split(&reproduce).unwrap();
    assert_eq!(Path::new(&words[0]).file_name().unwrap(), "tcprove");
    let again = bench.run(&words[1..]);
    assert_eq!(again.code, Some(1), "{}", again.all());
    assert!(again.stdout.contains("split-bytewise"), "{}", again.stdout);
}

#[test]
fn the_temporary_folder_is_as_empty_as_before() {
    let bench = Bench::new();
    let tmp = bench.path("tmp");
    let user = rustix::process::geteuid().as_raw();
    // What a run that was killed, and an earlier version, have left.
    let dead = tmp.join("tcprove-tmp-000000/data");
    std::fs::create_dir_all(&dead).unwrap();
    std::fs::write(dead.join("dump"), "x").unwrap();
    let ports = tmp.join(format!("tcprove-ports-{user}"));
    std::fs::create_dir(&ports).unwrap();
    std::fs::write(ports.join("12345"), "").unwrap();
    let mut command = bench.tcprove();
    command
        .args(["check", "--embedded", "--only", "split-bytewise"])
        .env("TMPDIR", &tmp);
    let ended = bench.end(command);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    let left: Vec<_> = std::fs::read_dir(&tmp).unwrap().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}
