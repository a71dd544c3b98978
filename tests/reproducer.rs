//! The programs in a finding's folder: each shows the bug on a server that has it, and none on a sound server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;
use tcprove::fuzz::reproducer::{AnswerPattern, PlainStep, PlainTurn, Recipe, ServerRecipe, write};
use tcprove::fuzz::{
    Case, Confirmed, Data, DataPart, Finding, FindingKind, SendStep, Step, Symptom,
};
use tcprove::process::Port;

use crate::support::skip::is_slow;
use crate::support::{alone, data, python, until};

/// The case that triggers the bug of this kind in `buggy_server.py`.
fn case(kind: FindingKind) -> Case {
    let line = |text: &[u8]| Step::Send(SendStep::whole(text));
    Case::new(match kind {
        FindingKind::Panic => vec![line(b"a\n"), Step::Receive, Step::DelayMs(5), line(b"%n\n")],
        FindingKind::Hang => vec![Step::Connect, Step::Switch(0), line(b"%n\n"), Step::Reset],
        FindingKind::Leak => vec![line(b"%n\n"), Step::Receive, Step::Close],
        FindingKind::Divergence => vec![Step::Send(SendStep {
            data: b"abc\nd\n"[..].into(),
            cuts: vec![2],
        })],
        FindingKind::Conformance => vec![line(b"bad\n"), Step::Receive, Step::HalfClose],
        FindingKind::Complexity => {
            let mut data = Data::repeat(b"A", 1000);
            data.push(DataPart::Bytes(b"%n\n".to_vec()));
            vec![Step::Send(SendStep::whole(data)), Step::Receive]
        }
        FindingKind::Crash
        | FindingKind::Flood
        | FindingKind::Spin
        | FindingKind::Starvation
        | FindingKind::Difference => {
            vec![line(b"%n\n"), Step::Receive]
        }
    })
}

fn finding(kind: FindingKind) -> Finding {
    let case = case(kind);
    Finding {
        id: format!("{}-1a2b", kind.name()),
        symptom: Symptom {
            kind,
            title: "something is wrong".into(),
            key: String::new(),
            // The server replied `OK 3\n` to a request that it must refuse.
            evidence: BTreeMap::from([("reply_hex".to_owned(), json!("4f 4b 20 33 0a"))]),
        },
        confirmed: Confirmed { seen: 5, of: 5 },
        again: Confirmed::default(),
        rate: None,
        unsettled: None,
        found_by: None,
        turn: None,
        steps: case.steps.len(),
        bytes: case.bytes(),
        reproducer: None,
        reproduce: String::new(),
        first_seen_s: 0.0,
        minimal: true,
        waived: None,
        cases: vec![case],
    }
}

fn recipe(server: ServerRecipe) -> Recipe {
    Recipe {
        transport: None,
        server,
        reply_wait_ms: 300,
        plain: vec![PlainStep::Turn(PlainTurn {
            send: b"PING\n".to_vec(),
            answer: AnswerPattern::Exact(b"PONG\n".to_vec()),
        })],
        logins: Vec::new(),
        plain_wait_ms: 2_000,
        replay: "tcprove replay {folder}".into(),
    }
}

/// The recipe of the server. The variable BUG selects its bug.
fn buggy(python: &str) -> ServerRecipe {
    ServerRecipe::Start {
        cmd: vec![
            python.into(),
            data("buggy_server.py"),
            "{port}".into(),
            "{tmp}".into(),
        ],
        env: vec!["BUG".into()],
        cwd: "/".into(),
        params: BTreeMap::new(),
        ready_timeout_ms: 30_000,
    }
}

/// The kinds that a program can reproduce.
fn with_programs() -> impl Iterator<Item = FindingKind> {
    let all = FindingKind::ALL.into_iter();
    all.filter(|kind| kind.has_programs())
}

/// Writes one folder per kind: all kinds in slow tests, otherwise those that are judged immediately.
fn written(folder: &Path, python: &str) -> Vec<(FindingKind, PathBuf)> {
    let slow = is_slow("minutes for the kinds of bugs that take time to show");
    let recipe = recipe(buggy(python));
    let at_once = |kind: &FindingKind| {
        matches!(
            kind,
            FindingKind::Crash | FindingKind::Panic | FindingKind::Flood | FindingKind::Conformance
        )
    };
    let kinds = with_programs();
    kinds
        .filter(|kind| slow || at_once(kind))
        .map(|kind| (kind, write(folder, &finding(kind), &recipe).unwrap()))
        .collect()
}

fn all(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

/// Runs all programs in parallel, because they mostly wait, and then those that measure time one by one.
fn each(kinds: &[(FindingKind, PathBuf)], judge: impl Fn(FindingKind, &Path) + Sync) {
    let of_time =
        |kind: FindingKind| matches!(kind, FindingKind::Starvation | FindingKind::Complexity);
    std::thread::scope(|scope| {
        for (kind, place) in kinds.iter().filter(|(kind, _)| !of_time(*kind)) {
            let judge = &judge;
            scope.spawn(move || judge(*kind, place));
        }
    });
    let mut kinds_of_time = kinds.iter().filter(|(kind, _)| of_time(*kind)).peekable();
    let _alone = kinds_of_time.peek().is_some().then(alone);
    for (kind, place) in kinds_of_time {
        judge(*kind, place);
    }
}

#[test]
fn python_shows_the_bug_and_nothing_on_a_sound_server() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    each(&written(folder.path(), python), |kind, place| {
        for (bug, code, says) in [
            (kind.name(), 1, "reproduced: "),
            ("sound", 0, "not reproduced\n"),
        ] {
            let mut command = Command::new(python);
            let output = command
                .arg(place.join("reproduce.py"))
                .env("BUG", bug)
                .output()
                .unwrap();
            let text = all(&output);
            assert_eq!(
                output.status.code(),
                Some(code),
                "{kind:?} on {bug}: {text}"
            );
            assert!(text.starts_with(says), "{kind:?} on {bug}: {text}");
        }
    });
}

/// Compiles all Rust programs into one test binary, without warnings.
fn compiled(folder: &Path, kinds: &[(FindingKind, PathBuf)]) -> PathBuf {
    let (source, binary) = (folder.join("together.rs"), folder.join("together"));
    let module = |(number, (kind, place)): (usize, &(FindingKind, PathBuf))| {
        let path = place.join("reproduce.rs");
        format!("#[path = {path:?}] mod {}_{number};\n", kind.name())
    };
    let modules: String = kinds.iter().enumerate().map(module).collect();
    std::fs::write(&source, modules).unwrap();
    let mut rustc = Command::new("rustc");
    rustc.args(["--test", "--edition", "2021", "-D", "warnings", "-o"]);
    let output = rustc.arg(&binary).arg(&source).output().unwrap();
    assert!(output.status.success(), "{}", all(&output));
    binary
}

/// Cases with every kind of step or none, running servers, and a wrong reply that a regex matches.
#[test]
fn every_other_form_is_a_program_too() {
    if !is_slow("half a minute of compiling") {
        return;
    }
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let every_step = Case::new(vec![
        Step::Send(SendStep {
            data: b"abc"[..].into(),
            cuts: vec![1, 2],
        }),
        Step::Receive,
        Step::DelayMs(1),
        Step::Connect,
        Step::Switch(0),
        Step::HalfClose,
        Step::Close,
        Step::Reset,
    ]);
    let attach = ServerRecipe::Attach {
        addr: "127.0.0.1:7".into(),
    };
    let mut forms = Vec::new();
    for (number, server) in [buggy(python), attach].into_iter().enumerate() {
        for (of, cases) in [
            vec![every_step.clone()],
            vec![Case::default(), every_step.clone()],
        ]
        .iter()
        .enumerate()
        {
            for kind in with_programs() {
                let mut finding = finding(kind);
                finding.cases = cases.clone();
                finding.symptom.title = "it says \"\"\" \\N */ @ID@".into();
                if of == 0 {
                    finding.symptom.evidence =
                        BTreeMap::from([("right_regex".to_owned(), json!("^ERR\\b"))]);
                }
                let place = folder.path().join(format!("{number}-{of}"));
                forms.push((
                    kind,
                    write(&place, &finding, &recipe(server.clone())).unwrap(),
                ));
            }
        }
    }
    compiled(folder.path(), &forms);
    let mut command = Command::new(python);
    command.args(["-W", "error", "-m", "py_compile"]);
    command.args(forms.iter().map(|(_, place)| place.join("reproduce.py")));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", all(&output));
}

#[test]
fn rust_shows_the_bug_and_nothing_on_a_sound_server() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let kinds = written(folder.path(), python);
    let binary = compiled(folder.path(), &kinds);
    each(&kinds, |kind, _| {
        for (bug, code, says) in [(kind.name(), 101, "reproduced: "), ("sound", 0, "1 passed")] {
            let mut command = Command::new(&binary);
            let output = command
                .arg(format!("{}_", kind.name()))
                .env("BUG", bug)
                .output()
                .unwrap();
            let text = all(&output);
            assert_eq!(
                output.status.code(),
                Some(code),
                "{kind:?} on {bug}: {text}"
            );
            assert!(text.contains(says), "{kind:?} on {bug}: {text}");
        }
    });
}

#[test]
fn a_server_that_runs_already() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let lease = Port::lease().unwrap();
    let port = lease.number();
    let mut command = Command::new(python);
    let mut server = command
        .args([data("buggy_server.py"), port.to_string()])
        .env("BUG", "crash")
        .spawn()
        .unwrap();
    until("it listens", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    let recipe = recipe(ServerRecipe::Attach {
        addr: format!("127.0.0.1:{port}"),
    });
    let place = write(folder.path(), &finding(FindingKind::Crash), &recipe).unwrap();
    let run = || {
        Command::new(python)
            .arg(place.join("reproduce.py"))
            .output()
            .unwrap()
    };
    let (first, second) = (run(), run());
    let _ = server.kill();
    let _ = server.wait();
    assert_eq!(first.status.code(), Some(1), "{}", all(&first));
    assert_eq!(
        second.status.code(),
        Some(2),
        "no server listens any more: {}",
        all(&second)
    );
}
