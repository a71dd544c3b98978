//! The generated texts; `tests/reproducer.rs` runs them.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::fuzz::{Case, CaseFile, Confirmed, SendStep, Symptom};

pub(super) fn finding(kind: FindingKind, case: Case) -> Finding {
    Finding {
        id: format!("{}-1a2b", kind.name()),
        symptom: Symptom {
            kind,
            title: "it ends \u{1b}[31m\"\"\" \\ */ <b>".into(),
            key: "k".into(),
            evidence: BTreeMap::from([("reply_hex".to_owned(), json!("6f 6b"))]),
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
        reproduce: "tcprove replay x".into(),
        first_seen_s: 0.5,
        minimal: true,
        waived: None,
        cases: vec![case],
    }
}

pub(super) fn recipe() -> Recipe {
    Recipe {
        transport: None,
        server: ServerRecipe::Start {
            cmd: ["python3", "-c", "\"'\\\n", "{size}", "{port}"]
                .map(String::from)
                .to_vec(),
            env: vec!["SECRET".into()],
            cwd: "/srv".into(),
            params: [("size".to_owned(), "64".to_owned())].into(),
            ready_timeout_ms: 10_000,
        },
        reply_wait_ms: 500,
        plain: vec![
            PlainStep::Login(0),
            PlainStep::Turn(PlainTurn {
                send: b"PING\r\n".to_vec(),
                answer: AnswerPattern::Exact(b"PONG\r\n".to_vec()),
            }),
        ],
        logins: vec![LoginRecipe {
            words: ["python3", "login.py", "{port}"].map(String::from).to_vec(),
            dir: "/srv".into(),
        }],
        plain_wait_ms: 2_000,
        replay: "tcprove replay {folder} -f tcprove.toml".into(),
    }
}

fn sending() -> Case {
    let mut data = Data::from(&b"ECHO %n\xff\"'\\"[..]);
    data.push(DataPart::Repeat {
        unit: b"A".to_vec(),
        count: 70_000,
    });
    Case::sending(data)
}

#[test]
fn only_what_a_crash_needs_is_in_its_reproducer() {
    let text = python::text(&finding(FindingKind::Crash, sending()), &recipe());
    assert!(
        text.lines().count() < 180,
        "{}:\n{text}",
        text.lines().count()
    );
    assert!(
        text.contains(r#"c.send(b"ECHO %n\xff\"'\\" + b"A" * 70000)"#),
        "{text}"
    );
    assert!(
        text.contains(r#"CMD = ["python3", "-c", "\"'\\\U0000000a", "64", "{port}"]"#),
        "{text}"
    );
    for absent in [
        "reset",
        "PLAIN",
        "linger",
        "threading",
        "cuts",
        "@",
        "\u{1b}",
    ] {
        assert!(
            !text.replace("was_reset", "").contains(absent) || absent == "@",
            "{absent}:\n{text}"
        );
    }
    let text = rust::text(&finding(FindingKind::Crash, sending()), &recipe());
    assert!(
        text.contains(r#"c.send(&[b"ECHO %n\xff\"'\\".to_vec(), b"A".repeat(70000)].concat());"#),
        "{text}"
    );
    assert!(!text.contains("unsafe"), "{text}");
}

#[test]
fn nothing_is_left_to_fill_in() {
    let attach = Recipe {
        server: ServerRecipe::Attach {
            addr: "127.0.0.1:7".into(),
        },
        ..recipe()
    };
    let all = Case::new(vec![
        Step::Login(0),
        Step::Send(SendStep {
            data: b"abc"[..].into(),
            cuts: vec![1],
        }),
        Step::Receive,
        Step::DelayMs(1),
        Step::Connect,
        Step::Switch(0),
        Step::HalfClose,
        Step::Close,
        Step::Reset,
    ]);
    let kinds = FindingKind::ALL.into_iter();
    for kind in kinds.filter(|kind| kind.has_programs()) {
        for case in [all.clone(), sending(), Case::default()] {
            for recipe in [recipe(), attach.clone()] {
                let finding = finding(kind, case.clone());
                for text in [
                    python::text(&finding, &recipe),
                    rust::text(&finding, &recipe),
                ] {
                    // The arguments of a shell.
                    let text = text.replace("$@", "");
                    let at = text.find("@").map(|at| &text[at..]);
                    let fine = at
                        .is_none_or(|at| at.starts_with("@step") || at.starts_with("@contextlib"));
                    assert!(fine, "{at:?}");
                    assert!(!text.contains("%%"), "{text}");
                    assert!(!text.contains('\u{1b}'), "{text}");
                }
            }
        }
    }
}

#[test]
fn a_folder_is_whole_and_can_be_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut finding = finding(FindingKind::Conformance, sending());
    for title in ["first", "second"] {
        finding.symptom.title = title.into();
        let place = write(folder.path(), &finding, &recipe()).unwrap();
        let case = std::fs::read_to_string(place.join(CASE_FILE)).unwrap();
        let file = CaseFile::parse(&case).unwrap();
        assert_eq!(file.cases, finding.cases);
        assert_eq!(file.finding.unwrap()["title"], title);
        let readme = std::fs::read_to_string(place.join("README.md")).unwrap();
        assert!(
            readme.contains(&format!(
                "tcprove replay {} -f tcprove.toml",
                place.display()
            )),
            "{readme}"
        );
        assert!(readme.contains("\nKind: conformance. "), "{readme}");
        assert!(readme.contains("SECRET"), "{readme}");
    }
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .flatten()
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
    finding.id = "../x".into();
    assert!(write(folder.path(), &finding, &recipe()).is_err());
}
