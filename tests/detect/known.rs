//! Servers that speak a built-in talk.

use super::{command, finds, init, said};
use crate::support::skip::is_thorough;
use crate::support::{Bench, at_once};

#[test]
fn the_reference_server() {
    if !is_thorough() {
        return;
    }
    at_once(&["tutorial", "echo", "line", "frame"], |protocol| {
        let bench = Bench::new();
        let words = [
            "init",
            "--",
            "tcprove",
            "serve",
            "--port",
            "{port}",
            "--protocol",
            protocol,
        ];
        let ended = bench.run(words);
        assert_eq!(ended.code, Some(0), "{}", ended.all());
        let found = said(&ended, "talk");
        assert!(
            found.contains(&format!("`{protocol}`")),
            "{protocol}: {found}"
        );
        // It is the program of the built-in file, so what the file says of it holds.
        let file = tcprove::file::load(&bench.path("tcprove.toml")).unwrap();
        let built_in = tcprove::file::builtin(protocol).unwrap();
        assert_eq!(file.promise, built_in.promise, "{protocol}");
        assert_eq!(file.talk.bad.len(), built_in.talk.bad.len(), "{protocol}");
    });
}

#[test]
fn an_echo_is_not_taken_for_what_it_repeats() {
    if !is_thorough() {
        return;
    }
    finds("echo", "`echo`");
    finds("line_lf", "`line`");
    let Some((bench, ended)) = finds("echo_once", "`echo`") else {
        return;
    };
    assert!(said(&ended, "changed").contains("server-after-reply"));
    let file = tcprove::file::load(&bench.path("tcprove.toml")).unwrap();
    assert!(!file.talk.carries_many_turns());
}

#[test]
fn refusals_that_the_server_does_not_make_are_left_out() {
    if !is_thorough() {
        return;
    }
    let Some((bench, ended)) = finds("line_lf", "`line`") else {
        return;
    };
    assert!(
        said(&ended, "left").contains("talk.bad[0]"),
        "{}",
        ended.stdout
    );
    let file = tcprove::file::load(&bench.path("tcprove.toml")).unwrap();
    assert!(file.talk.bad.is_empty());
    // Another program than the one in the built-in file has only promised the protocol.
    assert_eq!(file.promise.max_message, None);
    assert_eq!(file.promise.pipelining, Some(true));
}

#[test]
fn protocols_of_small_servers() {
    if !is_thorough() {
        return;
    }
    let servers = [
        ("json_lines", "`json-lines`"),
        ("netstring", "`netstring`"),
        ("lsp", "`jsonrpc-lsp`"),
        ("websocket", "`websocket`"),
        ("modbus", "`modbus`"),
        ("finger", "`finger`"),
    ];
    at_once(&servers, |(kind, talk)| drop(finds(kind, talk)));
}

#[test]
fn a_server_that_dies_of_nonsense_is_started_again() {
    if !is_thorough() {
        return;
    }
    let bench = Bench::new();
    let Some(ended) = init(&bench, "dies_of_nonsense") else {
        return;
    };
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert!(
        said(&ended, "talk").contains("`json-lines`"),
        "{}",
        ended.stdout
    );
    // Its death is a bug, which the refusals in the file show.
    let file = tcprove::file::load(&bench.path("tcprove.toml")).unwrap();
    assert_eq!(file.talk.bad.len(), 1);
}

#[test]
fn a_server_for_one_client_is_started_for_each() {
    if !is_thorough() {
        return;
    }
    let bench = Bench::new();
    let Some(ended) = init(&bench, "one_client") else {
        return;
    };
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert!(said(&ended, "talk").contains("`line`"), "{}", ended.stdout);
}

#[test]
fn suggestions_count_the_checks_that_they_enable() {
    if !is_thorough() {
        return;
    }
    let Some((bench, ended)) = finds("line_lf", "`line`") else {
        return;
    };
    let rest = "further suggestions are at the top of the file";
    assert!(ended.stdout.contains(rest), "{}", ended.all());
    let suggestion = bench.read("tcprove.toml");
    assert!(
        suggestion.contains("`max_message = BYTES` in [promise]: 1 more check (at-limit)"),
        "{suggestion}"
    );
    let skipped = |bench: &Bench| {
        let ended = bench.run(["check", "--only", "at-limit"]);
        assert!(!ended.stdout.contains("fail "), "{}", ended.all());
        ended.stdout.contains("skip ")
    };
    assert!(skipped(&bench));
    let text = bench.read("tcprove.toml");
    bench.write(
        "tcprove.toml",
        &text.replace(
            "pipelining = true",
            "max_message = 60000\npipelining = true",
        ),
    );
    assert!(!skipped(&bench));
}

#[test]
fn a_check_without_a_talk_says_what_it_found() {
    if !is_thorough() {
        return;
    }
    let Some(command) = command("json_lines") else {
        return;
    };
    let bench = Bench::new();
    let mut words = vec!["check", "--only", "zero-length", "--json", "r.json", "--"];
    words.extend(command.iter().map(String::as_str));
    let ended = bench.run(&words);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    let first = ended.stderr.lines().next().unwrap();
    assert!(
        first.contains("`json-lines`") && first.contains("tcprove init -- "),
        "{first}"
    );
    assert_eq!(bench.json("r.json")["plan"]["talk"], "json-lines");
}

#[test]
fn a_running_server() {
    if !is_thorough() {
        return;
    }
    let bench = Bench::new();
    let mut serve = bench.tcprove();
    serve.args(["serve", "--protocol", "frame", "--port", "0"]);
    let serving = bench.start(serve);
    let address = serving.address().to_string();
    let other = Bench::new();
    let ended = other.run(["init", "--connect", &address]);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert!(said(&ended, "talk").contains("`frame`"), "{}", ended.stdout);
    assert!(
        tcprove::file::load(&other.path("tcprove.toml"))
            .unwrap()
            .server
            .is_none()
    );
    let checked = Bench::new().run(["check", "--only", "zero-length", "--connect", &address]);
    assert_eq!(checked.code, Some(0), "{}", checked.all());
    assert!(
        checked.stderr.lines().next().unwrap().contains("`frame`"),
        "{}",
        checked.stderr
    );
}
