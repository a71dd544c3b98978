//! What cannot be done is said, with what to do next, before anything is sent.

use crate::support::{Bench, Ended};

fn assert_says(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, Some(code), "{}", ended.all());
    for word in words {
        assert!(ended.stderr.contains(word), "{word}: {}", ended.all());
    }
}

#[test]
fn arguments_and_files() {
    let bench = Bench::new();
    bench.write(
        "notes.json",
        "{\"schema\": \"tcprove-case/9\", \"cases\": []}",
    );
    std::fs::create_dir(bench.path("corpus")).unwrap();
    bench.write("corpus/x.json", "not a case");
    let run = |words: &[&str]| bench.run([&["fuzz"], words].concat());
    assert_says(&run(&[]), 2, &["tcprove.toml"]);
    assert_says(&run(&["--embedded", "--jobs", "0"]), 2, &["--jobs"]);
    assert_says(
        &run(&["--embedded", "--strings", "no-file"]),
        2,
        &["--strings no-file"],
    );
    assert_says(
        &run(&["--embedded", "--corpus", "corpus"]),
        2,
        &["corpus/x.json", "next: "],
    );
    assert_says(
        &run(&["--embedded", "--out", "notes.json"]),
        2,
        &["notes.json", "--out"],
    );
    let attached = ["--talk", "line", "--connect", "127.0.0.1:9", "--jobs", "2"];
    assert_says(&run(&attached), 2, &["--jobs"]);
}

#[test]
fn a_server_of_one_client_is_none_to_fuzz() {
    let bench = Bench::new();
    let words = ["fuzz", "--embedded", "--param", "fault=one-shot"];
    assert_says(&bench.run(words), 3, &["one client", "next: "]);
}

#[test]
fn a_server_that_runs_already_is_fuzzed_as_it_is() {
    let bench = Bench::new();
    let mut serve = bench.tcprove();
    serve.args(["serve", "--port", "0", "--fault", "format-string"]);
    let server = bench.start(serve);
    crate::support::until("the server listens", || {
        server.stdout().contains("listening on")
    });
    let heard = server.stdout();
    let address = heard.trim().rsplit(' ').next().unwrap();
    let other = Bench::new();
    let ended = other.run([
        "fuzz",
        "--talk",
        "line",
        "--connect",
        address,
        "--duration",
        "20s",
    ]);
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    assert!(ended.stdout.contains("crash"), "{}", ended.all());
}
