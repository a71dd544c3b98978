//! `tcprove gate --with check,fuzz`: new failures fail, whatever the metrics say; what is the same is not mentioned.

use serde_json::Value;

use super::{gate, of_both, server};
use crate::support::reports::changes;
use crate::support::skip::is_thorough;
use crate::support::{Bench, Ended, skip};

/// One request of a stored case.
fn case(text: &str) -> String {
    format!(r#"{{"schema":"tcprove-case/1","cases":[[{{"send":{{"data":["{text}"]}}}}]]}}"#)
}

/// The reference server as its faults are planted: with threads.
fn sound() -> String {
    server("--model threads")
}

/// Gates the sound server against one with this fault, by these checks and three cases.
fn compared(bench: &Bench, base: &str, candidate: &str, checks: &[&str]) -> (Ended, Value) {
    if !bench.path("cases").exists() {
        std::fs::create_dir(bench.path("cases")).unwrap();
        bench.write("cases/plain.json", &case("same\\n"));
        bench.write("cases/nul.json", &case("a\\u0000b\\n"));
        bench.write("cases/other-nul.json", &case("a\\u0000b\\n"));
        bench.write("cases/long.json", &case(&("x".repeat(313) + "\\n")));
    }
    let mut more = vec![
        "--max-time",
        "20s",
        "--sessions",
        "8",
        "--with",
        "check,fuzz",
        "--corpus",
        "cases",
        "--cases-time",
        "60s",
        "--allow-same",
        "--markdown",
        "r.md",
        "--html",
        "r.html",
        "--junit",
        "r.xml",
        "--sarif",
        "r.sarif",
    ];
    for check in checks {
        more.extend(["--only", check]);
    }
    gate(bench, base, candidate, &more)
}

#[test]
fn a_new_failure_fails_and_changed_replies_are_shown() {
    if !skip::is_slow("two gates with checks and cases") {
        return;
    }
    let bench = Bench::new();
    let cut = server("--fault nul-cut");
    let checks = ["nul-bytes", "zero-length"];
    let (ended, report) = compared(&bench, &sound(), &cut, &checks);
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    assert_eq!(
        changes(&report["behaviour"]),
        [
            ("new-failure", "check nul-bytes"),
            ("changed-reply", "case cases/nul.json")
        ],
        "{}",
        ended.all()
    );
    assert_eq!(report["behaviour"]["changes"][1]["count"], 2, "{report:#}");
    assert_eq!(
        (
            &report["behaviour"]["checks"],
            &report["behaviour"]["cases"]
        ),
        (&2.into(), &4.into())
    );
    let answer = ended.stdout.lines().next().unwrap();
    assert!(
        answer.starts_with("1 new failure: check nul-bytes, 2 replies changed; "),
        "{answer}"
    );
    let markdown = bench.markdown("r.md");
    assert!(
        markdown.contains("| **new failure** | check nul"),
        "{markdown}"
    );
    assert!(
        !markdown.contains("zero-length") && !markdown.contains("plain.json"),
        "{markdown}"
    );
    let page = bench.read("r.html");
    assert!(page.contains("What they do differently") && page.contains("changed reply"));
    let junit = bench.junit("r.xml");
    assert!(
        junit.iter().any(|element| element.name == "failure"),
        "{}",
        bench.read("r.xml")
    );
    assert!(bench.read("r.sarif").contains("gate-behaviour"));

    // It is an improvement.
    let (ended, report) = compared(&bench, &cut, &sound(), &checks);
    assert!(matches!(ended.code, Some(0 | 5)), "{}", ended.all());
    assert_eq!(
        changes(&report["behaviour"])[0],
        ("fixed", "check nul-bytes"),
        "{}",
        ended.all()
    );
}

#[test]
fn a_case_that_only_the_candidate_fails_is_a_new_failure() {
    if !is_thorough() {
        return;
    }
    let bench = Bench::new();
    if !skip::is_slow("a gate with a case that fails") {
        return;
    }
    let panics = server("--fault panic-on-length-313");
    let (ended, report) = compared(&bench, &sound(), &panics, &["zero-length"]);
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    assert_eq!(
        changes(&report["behaviour"]),
        [("new-failure", "case cases/long.json")],
        "{}",
        ended.all()
    );
    let told = report["behaviour"]["changes"][0]["candidate"]
        .as_str()
        .unwrap();
    assert!(told.starts_with("panic"), "{told}");
}

#[test]
fn equal_servers_show_nothing() {
    if !is_thorough() {
        return;
    }
    let bench = Bench::new();
    let (ended, report) = compared(&bench, &sound(), &sound(), &["nul-bytes", "zero-length"]);
    assert!(matches!(ended.code, Some(0 | 5)), "{}", ended.all());
    assert_eq!(changes(&report["behaviour"]), [], "{}", ended.all());
    assert_eq!(
        report["behaviour"]["unclear"],
        serde_json::json!([]),
        "{}",
        ended.all()
    );
    assert!(
        ended
            .stdout
            .contains("behaviour: 2 checks and 4 cases on both servers, without a difference"),
        "{}",
        ended.stdout
    );
    assert!(!bench.markdown("r.md").contains("new failure"));
}

#[test]
fn mistakes_are_found_before_anything_is_measured() {
    let bench = Bench::new();
    for (more, says) in [
        (
            &["--with", "check", "--only", "nothing"][..],
            "no check is called `nothing`",
        ),
        (
            &["--with", "fuzz", "--corpus", "missing"],
            "--corpus missing: there are no cases",
        ),
        (&["--only", "nul-bytes"], "--with"),
    ] {
        let (base, candidate) = (sound(), server("--fault nul-cut"));
        let ended = bench.run(of_both(&base, &candidate).iter().chain(more));
        assert_eq!(ended.code, Some(2), "{}", ended.all());
        assert!(ended.stderr.contains(says), "{}", ended.all());
    }
}
