//! What `[server]` can describe, and logins that a program computes, through the commands of the binary. The servers are
//! small programs in `tests/data/servers`.

mod logins;

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::skip::{is_slow, is_thorough};
use crate::support::{Bench, Ended, alone, data, python};

/// A test's copy of a server of `tests/data/servers`, with a text of its file replaced.
struct Described {
    bench: Bench,
}

impl Described {
    /// `None` if there is no python3.
    fn new(name: &str, edit: impl FnOnce(String) -> String) -> Option<Self> {
        python()?;
        let bench = Bench::new();
        for entry in std::fs::read_dir(data(&format!("servers/{name}"))).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                std::fs::copy(
                    &path,
                    bench.path(path.file_name().unwrap().to_str().unwrap()),
                )
                .unwrap();
            }
        }
        let file = edit(bench.read("tcprove.toml"));
        bench.write("tcprove.toml", &file);
        Some(Self { bench })
    }

    fn run(&self, arguments: &[&str]) -> (Ended, Value) {
        let arguments = arguments.iter().copied();
        let ended = self
            .bench
            .run(arguments.chain(["--no-progress", "--json", "out.json"]));
        let report = self.bench.read("out.json");
        (ended, serde_json::from_str(&report).unwrap())
    }

    /// Runs checks, which must all pass or be skipped with one of these reasons.
    fn passes(&self, only: &[&str], skipped: &[&str]) -> Value {
        let only = only.iter().flat_map(|glob| ["--only", glob]);
        let arguments: Vec<&str> = ["check"].into_iter().chain(only).collect();
        let (ended, report) = self.run(&arguments);
        assert_eq!(ended.code, Some(0), "{}", ended.all());
        for outcome in report["outcomes"].as_array().unwrap() {
            let reason = outcome["reason"].as_str().unwrap_or_default();
            match outcome["outcome"].as_str().unwrap() {
                "pass" => {}
                "skip" if skipped.iter().any(|known| reason.contains(known)) => {}
                _ => panic!("{outcome:#}"),
            }
        }
        report
    }
}

fn same(file: String) -> String {
    file
}

/// The outcome of a check.
fn outcome<'a>(report: &'a Value, id: &str) -> &'a Value {
    let outcomes = report["outcomes"].as_array().unwrap();
    outcomes.iter().find(|outcome| outcome["id"] == id).unwrap()
}

/// Servers beside each other do not collide on their second port, and a restart uses the same ones.
#[test]
fn a_server_with_two_ports() {
    let Some(described) = Described::new("two_ports", same) else {
        return;
    };
    described.passes(
        &[
            "start-ready",
            "second-instance",
            "restart-*",
            "split-*",
            "crosstalk",
            "no-orphans",
        ],
        &[],
    );
}

#[test]
fn a_proxy_with_its_backend() {
    if !is_thorough() {
        return;
    }
    let Some(described) = Described::new("proxy", same) else {
        return;
    };
    let report = described.passes(
        &[
            "start-ready",
            "second-instance",
            "restart-*",
            "split-*",
            "hol-*",
            "fd-leak",
            "idle-cpu",
            "no-orphans",
            "term-idle*",
        ],
        &[],
    );
    let server = &report["plan"]["server"];
    assert_eq!(server["files"][0], "proxy.conf");
    assert_eq!(server["beside"][0][0], "tcprove");
    assert_eq!(
        report["target"]["beside"][0],
        "tcprove serve --protocol line --port {port:backend}"
    );
    // A second instance says that its port is in use, although its backend runs already.
    let second = outcome(&report, "second-instance");
    assert!(
        second["evidence"]["second_said"]
            .as_str()
            .unwrap()
            .contains("in use"),
        "{second:#}"
    );
}

/// The end of a helper is no fault of the server.
#[test]
fn a_backend_that_ends_makes_no_verdict() {
    let backend = "import socket, sys; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); n = 0\\n\
                   while n < 40:\\n c = s.accept()[0]; c.sendall(c.recv(1000)); c.close(); n += 1";
    let edit = |file: String| {
        let from = file.find("beside").unwrap();
        let to = from + file[from..].find('\n').unwrap();
        let beside =
            format!("beside = [[\"python3\", \"-c\", \"{backend}\", \"{{port:backend}}\"]]");
        file.replace(&file[from..to], &beside)
            .replace("frame = ", "close = \"server-after-reply\"\nframe = ")
            .replace("pipelining = true", "")
    };
    let Some(described) = Described::new("proxy", edit) else {
        return;
    };
    let (ended, report) = described.run(&["check", "--only", "fd-leak"]);
    assert_eq!(ended.code, Some(5), "{}", ended.all());
    let reason = outcome(&report, "fd-leak")["reason"].as_str().unwrap();
    assert!(
        reason.contains("of `beside` exited with code 0"),
        "{reason}"
    );
}

#[test]
fn a_helper_that_does_not_start_is_named() {
    let edit = |file: String| file.replace("\"serve\"", "\"srve\"");
    let Some(described) = Described::new("proxy", edit) else {
        return;
    };
    let (ended, report) = described.run(&["check"]);
    assert_eq!(ended.code, Some(3), "{}", ended.all());
    let message = report["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("the helper `tcprove srve"), "{message}");
    assert!(
        message.contains("exited with code 2") && message.contains("srve"),
        "{message}"
    );
}

/// The whole battery on a program that knows nothing of sockets: `cat` returns every line.
#[test]
fn a_server_in_inetd_style() {
    if !is_thorough() {
        return;
    }
    passes_in_inetd_style(|file| file.replace("\"python3\", \"-ES\", \"echo.py\"", "\"cat\""));
}

/// The same with a program that takes long to start for each connection.
#[test]
fn a_slow_server_in_inetd_style() {
    if is_slow("1 min") {
        let _alone = alone();
        passes_in_inetd_style(same);
    }
}

fn passes_in_inetd_style(edit: impl FnOnce(String) -> String) {
    let Some(described) = Described::new("inetd", edit) else {
        return;
    };
    let (ended, report) = described.run(&["check"]);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    for outcome in report["outcomes"].as_array().unwrap() {
        let (id, verdict) = (&outcome["id"], outcome["outcome"].as_str().unwrap());
        match verdict {
            "pass" => {}
            // The program does not handle SIGTERM, and promises nothing.
            "warn" => assert_eq!(id, "term-inflight", "{outcome:#}"),
            "skip" => {
                let reason = outcome["reason"].as_str().unwrap();
                let known = [
                    "tcprove opens the",
                    "tcprove accepts the",
                    "replies are too small",
                    "needs promise.",
                    "[limits] states nothing",
                    "needs `reload`",
                    "length field",
                    "no opening that sends",
                    "the talk has no [[talk.",
                    "no request is a value",
                    "root cannot limit",
                    // It starts a process for each connection.
                    "answers too slowly",
                    "only --slow",
                    "only with --soak",
                ];
                let is_known = known.iter().any(|known| reason.contains(known));
                assert!(is_known, "{outcome:#}");
            }
            _ => panic!("{outcome:#}"),
        }
    }
    described.bench.assert_nothing_left();
}

/// A process of a connection that crashes is found by checks and by fuzzing, and its reproducers work.
#[test]
fn a_crash_in_inetd_style_is_found() {
    if !is_slow("a campaign with a process for each connection") {
        return;
    }
    let edit = |file: String| {
        let crash = "import os, sys\\nfor l in sys.stdin.buffer:\\n  os.abort() if len(l) > 400 else os.write(1, l)";
        file.replace("\"-ES\", \"echo.py\"", &format!("\"-ESc\", \"{crash}\""))
    };
    let Some(described) = Described::new("inetd", edit) else {
        return;
    };
    let (ended, report) = described.run(&["check", "--only", "size-boundaries"]);
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    let sizes = outcome(&report, "size-boundaries");
    assert_eq!(sizes["kind"], "died", "{sizes:#}");
    assert!(
        sizes["actual"].as_str().unwrap().contains("SIGABRT"),
        "{sizes:#}"
    );

    let (ended, report) = described.run(&FUZZ);
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    let finding = &report["findings"][0];
    assert_eq!(finding["kind"], "crash", "{finding:#}");
    let folder = described
        .bench
        .path(finding["reproducer"].as_str().unwrap());
    let python = described
        .bench
        .end(program("python3", &folder.join("reproduce.py")));
    assert_eq!(python.code, Some(1), "{}", python.all());
    assert!(
        python
            .stdout
            .contains("the server ended by itself: signal 6"),
        "{}",
        python.all()
    );
    let replayed = described.bench.run(["replay", folder.to_str().unwrap()]);
    assert_eq!(replayed.code, Some(1), "{}", replayed.all());
    described.bench.assert_nothing_left();
}

/// A campaign that ends with its first finding.
const FUZZ: [&str; 8] = [
    "fuzz",
    "--duration",
    "90s",
    "--stop-on-first",
    "--jobs",
    "1",
    "--seed",
    "1",
];

fn program(interpreter: &str, path: &Path) -> Command {
    let mut command = Command::new(interpreter);
    command.arg(path);
    command
}

#[test]
fn a_server_with_socket_activation() {
    let Some(described) = Described::new("activation", same) else {
        return;
    };
    described.passes(
        &[
            "start-ready",
            "second-instance",
            "term-idle*",
            "no-orphans",
            "split-*",
            "rst-in-queue",
            "emfile-start",
            "crosstalk",
        ],
        &["tcprove opens the listening socket"],
    );
}

#[test]
fn a_server_that_listens_before_it_is_ready() {
    if !is_thorough() {
        return;
    }
    let Some(described) = Described::new("slow_start", same) else {
        return;
    };
    let report = described.passes(&["start-ready", "serves-again"], &[]);
    let starts = &outcome(&report, "start-ready")["evidence"]["start_ms"];
    for ms in starts.as_array().unwrap() {
        assert!(ms.as_f64().unwrap() > 900.0, "{starts}");
    }
    // Without it, the rehearsal meets a server that is not ready; and it is not awaited for ever.
    let edit = |file: String| file.replace("ready = \"exchange\"", "");
    let (ended, _) =
        Described::new("slow_start", edit)
            .unwrap()
            .run(&["check", "--only", "serves-again"]);
    assert_eq!(ended.code, Some(3), "{}", ended.all());
    let advice = "next: write ready = \"exchange\" in [server]: ";
    assert!(ended.stderr.contains(advice), "{}", ended.all());
    let edit = |file: String| {
        file.replace("\"exchange\"", "\"exchange\"\nready_timeout = \"2.5s\"")
            .replace("expect = \"{tok}\\n\"", "expect = \"never {tok}\\n\"")
    };
    let (ended, report) =
        Described::new("slow_start", edit)
            .unwrap()
            .run(&["check", "--only", "serves-again"]);
    assert_eq!(ended.code, Some(3), "{}", ended.all());
    let message = report["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("its plain exchange does not work") && message.contains("wrong reply"),
        "{message}"
    );
}

/// Every command performs the login.
#[test]
fn only_one_instance_at_a_time() {
    if !is_thorough() {
        return;
    }
    let edit = |file: String| {
        // The lock shows whether two instances run at the same time.
        let server = "import fcntl, sys; lock = open(sys.argv[1], 'w'); fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)\\n\
                      import runpy; sys.argv[1:] = sys.argv[2:]; runpy.run_path('server.py')";
        file.replace(
            "cmd = [\"python3\", \"server.py\"",
            &format!("singleton = true\ncmd = [\"python3\", \"-c\", \"{server}\", \"lock\""),
        )
    };
    let Some(described) = Described::new("two_ports", edit) else {
        return;
    };
    described.passes(
        &[
            "start-ready",
            "second-instance",
            "restart-*",
            "split-*",
            "emfile-start",
            "stdout-blocked",
            "idle-cpu",
        ],
        &["`singleton = true`"],
    );
    let (ended, report) = described.run(&["fuzz", "--cases", "300"]);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert_eq!(report["executions"], 300);
    let ended = described.bench.run(["fuzz", "--jobs", "2"]);
    assert_eq!(ended.code, Some(2), "{}", ended.all());
    assert!(
        ended.stderr.contains("`singleton = true`"),
        "{}",
        ended.all()
    );
    let ended = described
        .bench
        .run(["gate", "--base", "python3 server.py {port} {port:console}"]);
    assert_eq!(ended.code, Some(2), "{}", ended.all());
    assert!(
        ended
            .stderr
            .contains("a gate runs base and candidate side by side"),
        "{}",
        ended.all()
    );
}
