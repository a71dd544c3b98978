//! Logins that a program computes, through every command.

use std::process::Command;

use super::*;

#[test]
fn a_login_that_a_program_computes() {
    if !is_thorough() {
        return;
    }
    let Some(described) = Described::new("login", same) else {
        return;
    };
    described.passes(
        &[
            "serves-again",
            "split-each-offset",
            "fin-mid-request",
            "coalesce-100",
            "restart-timewait",
        ],
        &[],
    );

    let (ended, report) =
        described.run(&["load", "-c", "4", "--duration", "1s", "--warmup", "200ms"]);
    assert!(matches!(ended.code, Some(0 | 5)), "{}", ended.all());
    assert!(report["metrics"]["ops"].as_u64().unwrap() > 0, "{report:#}");
    assert_eq!(report["validity"]["connections_lost"], 0, "{report:#}");
    // A login for each connection, while others carry requests.
    let (ended, report) = described.run(&[
        "load",
        "-c",
        "4",
        "--churn",
        "200",
        "--duration",
        "6s",
        "--warmup",
        "200ms",
    ]);
    assert!(matches!(ended.code, Some(0 | 5)), "{}", ended.all());
    assert!(
        report["metrics"]["ops"].as_u64().unwrap() > 50,
        "{report:#}"
    );
    assert_eq!(report["validity"]["connections_lost"], 0, "{report:#}");

    let (ended, report) = described.run(&["fuzz", "--cases", "6", "--jobs", "1", "--seed", "1"]);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert_eq!(report["executions"], 6, "{report:#}");

    let sent = described.bench.run(["send", "hello\n"]);
    assert_eq!(sent.code, Some(0), "{}", sent.all());
    assert!(sent.stdout.contains(r"text     hello\n"), "{}", sent.all());
    described.bench.assert_nothing_left();
}

#[test]
fn a_login_that_is_refused_is_shown() {
    if !is_thorough() {
        return;
    }
    let Some(described) = Described::new("login", same) else {
        return;
    };
    for command in ["check", "load", "fuzz", "send"] {
        let mut words = vec![command];
        if command == "send" {
            words.push("hello");
        }
        words.extend(["--param", "typed=other"]);
        let ended = described.bench.run(&words);
        assert_eq!(ended.code, Some(3), "{}", ended.all());
        let expected = "the login `sh login.sh other` exited with code 1; it printed: refused";
        assert!(ended.stderr.contains(expected), "{}", ended.all());
        assert!(ended.stderr.contains("talk.open[0]"), "{}", ended.all());
    }
    let edit = |file: String| file.replace("exec = [\"sh\"", "exec = [\"no-such-program-here\"");
    let ended = Described::new("login", edit).unwrap().bench.run(["check"]);
    assert_eq!(ended.code, Some(3), "{}", ended.all());
    assert!(
        ended.stderr.contains("the login `no-such-program-here"),
        "{}",
        ended.all()
    );
    assert!(ended.stderr.contains("cannot be run"), "{}", ended.all());
}

/// The finding of a server behind a login is reproduced by programs that log in too.
#[test]
fn findings_behind_a_login_are_reproduced() {
    if !is_slow("a campaign with a login for each connection, and a compilation") {
        return;
    }
    let Some(described) = Described::new("login", same) else {
        return;
    };
    let server = described.bench.read("server.py");
    let crash = "            if len(line) > 500:\n                import os\n                os._exit(7)\n            writer.write(line)\n";
    let server = server.replace("            writer.write(line)\n", crash);
    described.bench.write("server.py", &server);
    let (ended, report) = described.run(&FUZZ);
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    let finding = &report["findings"][0];
    assert_eq!(finding["kind"], "crash", "{finding:#}");
    let folder = described
        .bench
        .path(finding["reproducer"].as_str().unwrap());
    let case = std::fs::read_to_string(folder.join("case.json")).unwrap();
    assert!(case.contains("\"login\""), "{case}");
    let python = described
        .bench
        .end(program("python3", &folder.join("reproduce.py")));
    assert_eq!(python.code, Some(1), "{}", python.all());
    let replayed = described.bench.run(["replay", folder.to_str().unwrap()]);
    assert_eq!(replayed.code, Some(1), "{}", replayed.all());
    let mut compile = Command::new("rustc");
    let test = described.bench.path("reproduce");
    compile
        .args(["--test", "--edition", "2021", "-o"])
        .arg(&test)
        .arg(folder.join("reproduce.rs"));
    let compiled = described.bench.end(compile);
    assert_eq!(compiled.code, Some(0), "{}", compiled.all());
    let ran = described.bench.end(Command::new(test));
    assert_eq!(ran.code, Some(101), "{}", ran.all());
    assert!(ran.stdout.contains("exit status: 7"), "{}", ran.all());
}
