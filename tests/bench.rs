//! `tcprove bench`: sweeps through the binary, every output format, and error messages.
//!
//! Which setting is best depends on the machine. Only differences that are large on every machine are asserted.

use serde_json::Value;

use crate::support::{Bench, Ended};

fn bench_in(bench: &Bench, arguments: &[&str]) -> (Ended, Value) {
    let words = [
        &["bench", "--json", "bench.json", "--no-progress"],
        arguments,
    ]
    .concat();
    let ended = bench.run(words);
    (ended, bench.json("bench.json"))
}

/// Arguments of a sweep that takes a few seconds.
const SHORT: [&str; 2] = ["--max-time", "4s"];

/// A buffer of one byte takes 16,384 reads per message, so it is never the best setting.
#[test]
fn a_receive_buffer_of_one_byte_is_never_recommended() {
    let bench = Bench::new();
    let base = [
        "--embedded",
        "--sweep",
        "server.recv_buffer=1,64KiB",
        "--payload",
        "16KiB",
    ];
    let formats = [
        "--html",
        "page.html",
        "--csv",
        "cells.csv",
        "--markdown",
        "cells.md",
        "--junit",
        "cells.xml",
    ];
    let (ended, report) = bench_in(&bench, &[&base[..], &SHORT, &formats].concat());
    let cells = report["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 2, "{}", ended.all());
    assert_eq!(cells[0]["axes"]["server.recv_buffer"]["requested"], "1");
    let all_valid = cells.iter().all(|cell| cell["valid"] == true);
    let verdict = &report["recommendation"]["verdicts"][0];
    assert_ne!(verdict["value"], "1", "{}", ended.all());
    if all_valid {
        assert_eq!(verdict["value"], "65536", "{}", ended.all());
        assert!(verdict["change_percent"]["low"].as_f64().unwrap() > 100.0);
        let rate = |cell: &Value| cell["metrics"]["ops_per_s"]["estimate"].as_f64().unwrap();
        assert!(rate(&cells[1]) > 2.0 * rate(&cells[0]));
    }
    let expected = if cells.iter().any(|cell| cell["valid"] == true) {
        0
    } else {
        5
    };
    assert_eq!(ended.code, Some(expected), "{}", ended.all());

    assert_eq!(bench.read("cells.csv").lines().count(), 3);
    assert!(bench.markdown("cells.md").contains("server.recv"));
    assert!(!bench.junit("cells.xml").is_empty());
    let page = bench.read("page.html");
    assert!(page.contains("server.recv_buffer"));
    assert!(!all_valid || page.contains("<svg"));
    for outside in ["<script", "http://", "https://", "<link", "@import"] {
        assert!(!page.contains(outside), "{outside} in the page");
    }
}

/// The kernel has a minimum buffer size: 64 and 1,024 bytes become the same size and share one cell.
#[test]
fn settings_that_are_equal_in_force_are_one_cell() {
    let bench = Bench::new();
    let base = [
        "--embedded",
        "--sweep",
        "client.so_rcvbuf=64,1024,256KiB",
        "--sweep",
        "client.mss=0",
        "-c",
        "4",
    ];
    let (ended, report) = bench_in(&bench, &[&base[..], &SHORT].concat());
    let cells = report["cells"].as_array().unwrap();
    let in_force = |cell: &Value| cell["axes"]["client.so_rcvbuf"]["effective"].clone();
    if cells.iter().all(|cell| in_force(cell).is_string()) {
        assert_eq!(in_force(&cells[0]), in_force(&cells[1]), "{}", ended.all());
        assert_ne!(in_force(&cells[1]), in_force(&cells[2]));
        assert_eq!(
            (&cells[0]["same_as"], &cells[1]["same_as"]),
            (&Value::Null, &0.into())
        );
    }
}

#[test]
fn models_are_names_and_payloads_are_classes() {
    let bench = Bench::new();
    let base = [
        "--embedded",
        "--sweep",
        "server.model=threads,tokio-current",
        "--sweep",
        "payload=64,1KiB",
        "-c",
        "4",
    ];
    let (ended, report) = bench_in(&bench, &[&base[..], &SHORT].concat());
    assert_eq!(
        report["cells"].as_array().unwrap().len(),
        4,
        "{}",
        ended.all()
    );
    for cell in report["cells"].as_array().unwrap() {
        let blamed = cell["reasons"].to_string();
        assert!(
            !blamed.contains("wrong-replies") && !blamed.contains("connections-lost"),
            "{blamed}"
        );
    }
}

#[test]
fn a_setting_with_which_the_server_does_not_start_is_marked() {
    let bench = Bench::new();
    let base = [
        "--embedded",
        "--sweep",
        "server.recv_buffer=1024,0",
        "-c",
        "4",
    ];
    let (ended, report) = bench_in(&bench, &[&base[..], &SHORT].concat());
    let text = format!("{}{}", report["cells"], ended.all());
    assert!(text.contains("must be at least 1"), "{text}");
}

#[test]
fn mistakes_are_told_with_what_there_is() {
    let cases: [(&[&str], &str); 6] = [
        (&["--embedded", "--sweep", "paylod=1,2"], "payload"),
        (&["--embedded", "--sweep", "payload="], "payload"),
        (&["--embedded", "--sweep", "payload=64,64"], "64"),
        (
            &["--embedded", "--sweep", "server.recv_bufer=1,2"],
            "recv_buffer",
        ),
        (&["--embedded", "--sweep", "payload=16kb"], "KiB"),
        (
            &["--embedded", "--quick", "--max-time", "5s"],
            "cannot be used with",
        ),
    ];
    for (arguments, expected) in cases {
        let bench = Bench::new();
        let (ended, report) = bench_in(&bench, arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}: {}", ended.all());
        assert!(
            ended.stderr.contains(expected),
            "{arguments:?}: {}",
            ended.stderr
        );
        assert_eq!(report["error"]["code"], "usage");
    }
}
