//! The library: what its methods say of servers with and without faults. This program supervises them itself.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use tcprove::{Prove, ProveError, Workload, ms, secs};

use crate::support::skip::is_thorough;
use crate::support::{python, until};

/// The reference server, with these arguments.
fn reference(arguments: &[&str]) -> Prove {
    let words = [env!("CARGO_BIN_EXE_tcprove"), "serve", "--port", "{port}"];
    Prove::cmd(words.iter().chain(arguments).copied()).talk("line")
}

/// What a method that must panic says.
fn panic_of(work: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let panic = std::panic::catch_unwind(work).expect_err("it does not panic");
    panic.downcast_ref::<String>().cloned().unwrap_or_default()
}

#[test]
fn checks_pass_on_a_sound_server_and_name_a_fault() {
    reference(&[]).check("split-*, utf8-invalid").assert_pass();
    let faulty = reference(&["--fault", "exit-on-decode-error", "--model", "threads"]);
    let checks = faulty.check("utf8-invalid,split-bytewise");
    assert_eq!(checks.failed().unwrap(), ["utf8-invalid"]);
    assert_eq!(checks.passed().unwrap(), ["split-bytewise"]);
    let said = panic_of(|| checks.assert_pass());
    for part in [
        "utf8-invalid",
        "requirement",
        "expected",
        "actual",
        "by hand",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(said.contains("tcprove check --only utf8-invalid"), "{said}");
    assert!(!said.contains('\x1b'), "{said}");
}

/// A check that judges the machine too asks the reference server, which is this program.
#[test]
fn the_reference_server_is_this_program() {
    if !is_thorough() {
        return;
    }
    let own = std::env::current_exe().unwrap();
    let words = [own.to_str().unwrap(), "__reference", "line", "{port}"];
    let server = Prove::cmd(words).talk("line").start().unwrap();
    assert_eq!(server.client().say("a\n").unwrap().reply().unwrap(), b"a\n");
    let checks = reference(&["--fault", "eof-spin"]).check("spin-after-eof");
    assert_eq!(checks.failed().unwrap(), ["spin-after-eof"]);
    assert!(
        checks.text().unwrap().contains("control"),
        "{:?}",
        checks.text()
    );
}

#[tokio::test]
async fn it_works_inside_of_a_runtime() {
    if !is_thorough() {
        return;
    }
    let server = reference(&[]).start().unwrap();
    let mut client = server.client();
    client.say("one\n").unwrap().expect("one\n").unwrap();
    reference(&[]).check("split-bytewise").assert_pass();
}

#[test]
fn a_client_tells_what_came_instead() {
    let server = reference(&[]).start().unwrap();
    let mut client = server.client().patience(ms(300));
    client.say("one\ntwo\n").unwrap();
    assert_eq!(client.reply().unwrap(), b"one\n");
    let error = client.expect("three\n").unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains(r"three\n") && text.contains(r"two\n"),
        "{text}"
    );
    let silent = server.client().patience(ms(300)).reply().unwrap_err();
    assert!(silent.to_string().contains("still open"), "{silent}");
    let mut leaves = server.client();
    leaves.finish().unwrap().expect_close().unwrap();
}

#[test]
fn the_last_words_of_a_server_that_dies_are_shown() {
    let faulty = reference(&["--fault", "exit-on-decode-error", "--model", "threads"]);
    let server = faulty.start().unwrap();
    let error = server.client().say(b"\xff\n").unwrap().reply().unwrap_err();
    let ProveError::Reply { actual, stderr, .. } = &error else {
        panic!("{error}");
    };
    assert!(actual.contains("the server exited"), "{error}");
    assert!(!stderr.is_empty(), "{error}");
    assert!(!server.is_running());
}

#[test]
fn a_load_has_figures_and_a_server_that_loses_replies_has_none() {
    if !is_thorough() {
        return;
    }
    let load = Workload {
        connections: 4,
        ..Workload::open(200.0).lasting(secs(1))
    };
    match reference(&[]).load(load.clone()).figures() {
        Ok(figures) => {
            assert!(
                figures.p50 > ms(0) && figures.p50 <= figures.p99,
                "{figures}"
            );
            assert!(
                figures.replies >= 100 && figures.server_cpu.is_some(),
                "{figures}"
            );
        }
        Err(ProveError::Machine(_)) => {}
        Err(error) => panic!("{error}"),
    }
    let Some(python) = python() else { return };
    let script = "
import socket, sys, threading
def serve(c):
    left = 3
    for line in c.makefile('rb'):
        left -= 1
        c.sendall(line if left else b'no\\n')
s = socket.create_server(('127.0.0.1', int(sys.argv[1])))
while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
";
    let wrong = Prove::cmd([python, "-c", script, "{port}"]).talk("line");
    let error = wrong.load(load.clone()).figures().unwrap_err();
    assert!(
        matches!(&error, ProveError::Server(text) if text.contains("wrong")),
        "{error}"
    );
    let said = panic_of(|| wrong.load(load).assert(|_| true));
    assert!(said.contains("cannot be trusted"), "{said}");
}

#[test]
fn a_campaign_finds_a_fault_and_keeps_its_case() {
    let folder = tempfile::tempdir().unwrap();
    let faulty = reference(&["--fault", "exit-on-decode-error", "--model", "threads"]);
    let fuzzed = faulty.out(folder.path()).fuzz(secs(8));
    let findings = fuzzed.findings().unwrap();
    assert!(!findings.is_empty(), "{} cases", fuzzed.cases().unwrap());
    let case = findings[0].reproducer.as_ref().unwrap();
    assert!(
        folder.path().join(case).join("case.json").exists(),
        "{case:?}"
    );
    let said = panic_of(|| fuzzed.assert_no_findings());
    assert!(
        said.contains(&findings[0].id) && said.contains("reproduce"),
        "{said}"
    );
}

#[test]
fn a_server_in_a_thread_of_the_test_can_be_judged() {
    if !is_thorough() {
        return;
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((mut client, _)) = listener.accept() {
            std::thread::spawn(move || {
                let mut reader = client.try_clone().unwrap();
                let _ = std::io::copy(&mut reader, &mut client);
            });
        }
    });
    let checks = Prove::running(address)
        .talk("line")
        .check("split-*,no-thread");
    checks.assert_pass();
    assert_eq!(checks.skipped().unwrap(), ["no-thread"]);
}

#[test]
fn a_server_ends_with_its_value() {
    let server = reference(&[]).start().unwrap();
    let pid = server.pid().unwrap();
    assert!(server.is_running());
    drop(server);
    assert!(!is_alive(pid));
    let server = reference(&[]).start().unwrap();
    let report = server.stop(secs(20));
    assert!(
        report.exit.is_some_and(|exit| exit.is_success()),
        "{report:?}"
    );
}

fn is_alive(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !status.is_empty() && !status.contains(") Z ")
}

#[test]
fn mistakes_are_told() {
    if !is_thorough() {
        return;
    }
    let told = |prove: Prove| prove.check("split-*").failed().unwrap_err().to_string();
    let cases = [
        (Prove::cmd(["server", "{port}"]), "talk"),
        (
            Prove::cmd(["server", "{port}"]).talk("lines"),
            "did you mean `line`?",
        ),
        (Prove::cmd(["server"]).talk("line"), "{port}"),
        (
            Prove::cmd(["no-such-program", "{port}"]).talk("line"),
            "no-such-program",
        ),
        (Prove::file("nowhere.toml"), "nowhere.toml"),
        (
            Prove::running(([192, 0, 2, 1], 80).into()).talk("line"),
            "loopback",
        ),
        (
            Prove::cmd(["a", "{port}"]).conversation("[talk]\nframe = 1"),
            ":2:9",
        ),
    ];
    for (prove, part) in cases {
        let text = told(prove);
        assert!(text.contains(part), "{part}: {text}");
    }
    let unknown = reference(&[]).check("splits-*").failed().unwrap_err();
    assert!(unknown.to_string().contains("splits-*"), "{unknown}");
}

/// Says, by an environment variable, that this process is the one to be killed.
const KILLED: &str = "TCPROVE_TEST_KILLED";

/// The supervisor is this program: killed together with a test, it leaves nothing behind.
#[test]
fn nothing_survives_a_killed_test() {
    if std::env::var_os(KILLED).is_some() {
        let server = reference(&[]).start().unwrap();
        println!("pid {}", server.pid().unwrap());
        loop {
            std::thread::park();
        }
    }
    let name = "library::nothing_survives_a_killed_test";
    let mut test = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(KILLED, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(test.stdout.take().unwrap()).lines();
    let pid = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("pid ")?.parse().ok())
        .expect("the server starts");
    assert!(is_alive(pid));
    test.kill().unwrap();
    test.wait().unwrap();
    until("the end of the server", || !is_alive(pid));
}
